//! Providers' responses and streams: from their bytes to a usage that can be priced.
//!
//! A [`Response`] is read from the body of a response in any [`Format`], and a [`Stream`] from its
//! bytes as they arrive. Both tell the usage, the model and the service tier that were served, and
//! the charge that the provider states. A [`Relay`] passes a stream on to a client and adds its cost.
//!
//! Read the provider's own bytes, and not what a gateway has translated for its client: a cache
//! write of an hour has no field in OpenAI's formats, for example.

mod body;
mod frames;
mod json;
mod places;
mod read;
mod relay;
mod response;
mod stream;
mod tools;

pub use crate::usage::Format;
pub use relay::Relay;
pub use response::{Response, ResponsePart, Status};
pub use stream::Stream;
pub use tools::ToolCalls;
