//! One fetch at a time: who asks meanwhile gets its answer.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::status::ReloadReport;
use crate::error::Error;
use crate::sync::lock;

type Landing = Result<ReloadReport, Error>;

/// The reload in flight, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    current: Mutex<Option<Arc<Flight>>>,
}

#[derive(Debug)]
struct Flight {
    forced: bool,
    leader: ThreadId,
    landing: Mutex<Option<Landing>>,
    landed: Condvar,
}

impl Flight {
    fn wait(&self) -> Landing {
        let landing = lock(&self.landing);
        let landed = self.landed.wait_while(landing, |landing| landing.is_none());
        let landed = landed.unwrap_or_else(PoisonError::into_inner);
        landed.clone().unwrap_or_else(|| Err(broken("the reload never ended")))
    }
}

fn broken(reason: &str) -> Error {
    Error::Fetch { origin: "the map's source".to_owned(), reason: reason.to_owned() }
}

impl Flights {
    /// Runs a reload, or waits for the one in flight and takes its answer. Whether it ran here is said too.
    pub(crate) fn share(&self, forced: bool, reload: impl FnOnce() -> Landing) -> (bool, Landing) {
        let flight = loop {
            let mut current = lock(&self.current);
            let Some(flight) = current.clone() else {
                let flight = Arc::new(Flight {
                    forced,
                    leader: thread::current().id(),
                    landing: Mutex::default(),
                    landed: Condvar::new(),
                });
                *current = Some(flight.clone());
                break flight;
            };
            drop(current);
            if flight.leader == thread::current().id() {
                return (false, Err(Error::NestedReload));
            }
            let landing = flight.wait();
            // A reload that guards may refuse is no answer for who goes past them.
            if flight.forced == forced {
                return (false, landing);
            }
        };
        let landing = Lands { flights: self, flight, landing: None }.with(reload);
        (true, landing)
    }
}

/// Makes a flight land, even where it ends in a panic.
struct Lands<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
    landing: Option<Landing>,
}

impl Lands<'_> {
    fn with(mut self, reload: impl FnOnce() -> Landing) -> Landing {
        let landing = reload();
        self.landing = Some(landing.clone());
        landing
    }
}

impl Drop for Lands<'_> {
    fn drop(&mut self) {
        *lock(&self.flights.current) = None;
        let landing = self.landing.take().unwrap_or_else(|| Err(broken("the reload panicked")));
        *lock(&self.flight.landing) = Some(landing);
        self.flight.landed.notify_all();
    }
}
