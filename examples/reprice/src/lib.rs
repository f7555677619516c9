//! Prices logs of calls with DataFusion: on one machine, or on a Ballista cluster.
//!
//! [`functions`] has the functions of SQL, [`Maps`] the maps that they price by, [`Job`] a run of the program, and
//! [`cluster`] the processes of a cluster.

pub mod cluster;
pub mod functions;
pub mod generate;
mod job;
mod logs;
mod maps;
mod report;

pub use job::{Change, Engine, Job, Outcome, Price, Spend, Unpriced};
pub use logs::{Columns, Role};
pub use maps::Maps;
pub use report::table;
