//! Maps in Redis: a value that is read, and a channel that says when it changed.
//!
//! A publisher writes the value and then announces it, as in
//!
//! ```text
//! redis-cli -x SET prices < model_prices.json.gz
//! redis-cli PUBLISH prices changed
//! ```
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use llm_costmap::CostMap;
//! use redis_source::RedisSource;
//!
//! let source = RedisSource::new("redis://127.0.0.1/", "prices")?;
//! let map = CostMap::builder().source(source.clone()).json("{}").build_and_fetch(Duration::from_secs(10))?;
//! // Announcements reload the map within milliseconds; the schedule is for those that get lost.
//! let watch = source.watch(map.clone());
//! map.schedule_reload(Duration::from_secs(600))?;
//! # drop(watch);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use llm_costmap::source::{Fetched, PointerSource, Validators};
use llm_costmap::{CostMap, Source};
use redis::{Client, Commands, Connection};

/// How long a connection may take, and an answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How often the thread that waits for announcements looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// How long a connection waits for announcements before another takes its place. One that was cut off without a word
/// would wait for ever.
const LONGEST_LISTEN: Duration = Duration::from_secs(300);

/// The wait before another attempt to connect. It doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An error of any kind, which can cross threads.
type AnyError = Box<dyn Error + Send + Sync>;

/// A key whose value is a map, packed or not, or a pointer to one.
#[derive(Clone)]
pub struct RedisSource {
    client: Client,
    key: String,
    name: String,
}

impl RedisSource {
    /// Creates a source from a URL such as `redis://:password@host:6379/0`, `rediss://host` (TLS) or
    /// `redis+unix:///run/redis.sock`. Opens no connection.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not one of Redis.
    pub fn new(url: &str, key: &str) -> Result<Self, AnyError> {
        // The client's own message does not repeat the URL, which may have a password.
        let client = Client::open(url)?;
        let info = client.get_connection_info();
        let (address, database) = (info.addr().to_string(), info.redis_settings().db());
        Ok(Self { client, name: format!("redis://{address}/{database}/{key}"), key: key.to_owned() })
    }

    /// Takes the value for a pointer. The URLs in it are keys of the same database.
    pub fn into_pointer(self) -> PointerSource {
        let reader = self.clone();
        PointerSource::source(self).fetch_maps_with(move |key| reader.get(key))
    }

    /// Reloads a map whenever something is published on the channel that is called as the key, until the value
    /// that is returned is dropped. Whatever is published: the source is read.
    ///
    /// A connection that is lost is opened again, and the map is reloaded then, since announcements may have been
    /// missed. Failures are those of [`CostMap::status`].
    #[must_use = "the watch ends when this is dropped"]
    pub fn watch(&self, map: CostMap) -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let (source, stop) = (self.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let mut wait = FIRST_WAIT;
            while !stop.load(Ordering::SeqCst) {
                // An end of the connection is an error; an end of the watch is not.
                if source.listen(&map, &stop, &mut wait).is_err() {
                    pause(wait, &stop);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        });
        Watch { over, thread: Some(thread) }
    }

    fn listen(&self, map: &CostMap, over: &AtomicBool, wait: &mut Duration) -> redis::RedisResult<()> {
        let mut connection = self.connection()?;
        let mut channel = connection.as_pubsub();
        channel.subscribe(&self.key)?;
        channel.set_read_timeout(Some(LOOK))?;
        *wait = FIRST_WAIT;
        reload(map);
        let start = Instant::now();
        while !over.load(Ordering::SeqCst) && start.elapsed() < LONGEST_LISTEN {
            match channel.get_message() {
                Ok(_) => reload(map),
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Connects. No answer is waited for longer than [`TIMEOUT`].
    fn connection(&self) -> redis::RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.set_write_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, AnyError> {
        let mut connection = self.connection()?;
        let value: Option<Vec<u8>> = connection.get(key)?;
        Ok(value.ok_or_else(|| format!("there is no key {key}"))?)
    }
}

/// Reloads a map after an announcement.
fn reload(map: &CostMap) {
    // A reload shares the result of one in flight, which may have read the value before it was announced. The
    // next one has not. What fails is in the status of the map.
    let _ = map.reload();
    let _ = map.reload();
}

/// Waits, unless the watch ends.
fn pause(wait: Duration, over: &AtomicBool) {
    let mut left = wait;
    while !left.is_zero() && !over.load(Ordering::SeqCst) {
        let part = left.min(LOOK);
        std::thread::sleep(part);
        left -= part;
    }
}

impl Source for RedisSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn fetch(&self, _: &Validators) -> Result<Fetched, AnyError> {
        // A value has no version. The map's own revision tells whether it changed.
        self.get(&self.key).map(Fetched::new)
    }
}

/// A thread that waits for announcements. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The thread may be the one that drops this, in a listener of the map.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
