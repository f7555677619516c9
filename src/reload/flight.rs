//! Serialises fetches: callers that ask for a reload during another share its result.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::status::ReloadReport;
use crate::error::Error;
use crate::sync::lock;

type Landing = Result<ReloadReport, Error>;

/// The reload in flight, if any.
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
    /// Runs `reload`, or waits for the reload in flight and returns its result. The returned flag
    /// is `true` if `reload` ran.
    ///
    /// A reload shares the result of another only if both are forced, or neither is. Otherwise it
    /// waits for the other to end, and then runs or shares the next one.
    ///
    /// # Errors
    ///
    /// [`Error::NestedReload`] if this thread runs the reload in flight.
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
            // A reload that guards may refuse does not answer for one that bypasses them.
            if flight.forced == forced {
                return (false, landing);
            }
        };
        let landing = Lands { flights: self, flight, landing: None }.with(reload);
        (true, landing)
    }
}

/// Ends a flight when it is dropped, so that waiting callers get a result even if the reload
/// panics.
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
