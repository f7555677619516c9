//! A test that no row is priced more often than it must be: the engine's plans could.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::Home;
use reprice::{Columns, Engine, Job, Maps, Price, functions};

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_priced_once_by_each_map() {
    let home = Home::new(10_000, 2);
    let maps = Arc::new(Maps::default());
    let mut job = Job {
        logs: vec![home.text("logs")],
        columns: Columns::default(),
        map: maps.add_file(&home.path("new.json")).unwrap(),
        against: None,
        maps: maps.clone(),
        out: home.path("out"),
        rows: false,
        engine: Engine::Local { threads: None },
        price: Price::Maps,
    };
    job.run().await.unwrap();
    assert_eq!(functions::priced(), 10_000);
    (job.rows, job.out) = (true, home.path("rows"));
    job.run().await.unwrap();
    assert_eq!(functions::priced(), 20_000);
    // Some calls have no price by the other map, but all have one by the map: no second look is needed for those.
    job.against = Some(maps.add_file(&home.path("old.json")).unwrap());
    (job.rows, job.out) = (false, home.path("both"));
    job.run().await.unwrap();
    assert_eq!(functions::priced(), 40_000);
    (job.price, job.out) = (Price::Constant, home.path("constant"));
    job.run().await.unwrap();
    assert_eq!(functions::priced(), 40_000);
}
