//! Maps in S3, Google Cloud Storage, Azure, a folder or memory, through the crate `object_store`.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use llm_costmap::CostMap;
//! use object_store_source::ObjectStoreSource;
//!
//! // Credentials are those of the environment, such as `AWS_ACCESS_KEY_ID`.
//! let source = ObjectStoreSource::from_url("s3://bucket/prices.json.gz")?;
//! let map = CostMap::builder().source(source).json("{}").build_and_fetch(Duration::from_secs(30))?;
//! map.schedule_reload(Duration::from_secs(60))?;
//!
//! // Or behind a pointer, so that all instances swap at one time.
//! let source = ObjectStoreSource::from_url("s3://bucket/current.json")?;
//! let map = CostMap::builder().pointer(source.into_pointer()).json("{}").build_and_fetch(Duration::from_secs(30))?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use llm_costmap::Source;
use llm_costmap::source::{Fetched, PointerSource, Validators};
use object_store::path::{Path, PathPart};
use object_store::{GetOptions, ObjectStore};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// The largest object that is read, in bytes: the limit that llm-costmap has for maps.
const MAX_BYTES: u64 = 64 << 20;

/// An error of any kind, which can cross threads.
type AnyError = Box<dyn Error + Send + Sync>;

/// An object that is a map, or a pointer to one.
///
/// A reload is a conditional get: an object that has not changed is not sent again. It blocks, but may be called
/// from any thread, those of an asynchronous runtime included.
pub struct ObjectStoreSource {
    inner: Arc<Inner>,
}

struct Inner {
    store: Box<dyn ObjectStore>,
    path: Path,
    name: String,
    runtime: Option<Runtime>,
}

impl ObjectStoreSource {
    /// Creates a source from a URL: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`,
    /// `file:///folder/key`, or `memory:///key`. Credentials and settings are those of the environment, under the
    /// names that `object_store` documents, as far as these begin with `AWS_`, `AZURE_` or `GOOGLE_`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is none that is known, or has a query or credentials, or if the environment lacks
    /// a setting of its store.
    pub fn from_url(url: &str) -> Result<Self, AnyError> {
        let url = Url::parse(url)?;
        if url.query().is_some() || !url.username().is_empty() && url.password().is_some() {
            return Err("credentials and settings are those of the environment, and not of the URL".into());
        }
        // Without their prefixes, settings have names that other programs use, such as TOKEN.
        let is_setting =
            |name: &str| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
        let settings = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| is_setting(name))?;
            Some((name, value.into_string().ok()?))
        });
        let (store, path) = object_store::parse_url_opts(&url, settings)?;
        Self::new(store, path, url.as_str())
    }

    /// Creates a source from a store and a path in it. `name` is shown in errors and reports.
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not give the runtime what it needs.
    pub fn new(store: Box<dyn ObjectStore>, path: Path, name: &str) -> Result<Self, AnyError> {
        let runtime = Some(Builder::new_current_thread().enable_all().build()?);
        Ok(Self { inner: Arc::new(Inner { store, path, name: name.to_owned(), runtime }) })
    }

    /// Takes the object for a pointer. The URLs in it are keys of the same store, relative to the pointer's; a
    /// leading slash begins at the root of the store.
    pub fn into_pointer(self) -> PointerSource {
        let inner = self.inner.clone();
        PointerSource::source(self).fetch_maps_with(move |url| {
            let path = inner.path_of(url);
            let read = inner.run(inner.get(&path, GetOptions::default()))?;
            read.map(|(bytes, _)| bytes).ok_or_else(|| "it did not send the object".into())
        })
    }
}

impl Source for ObjectStoreSource {
    fn name(&self) -> String {
        self.inner.name.clone()
    }

    fn fetch(&self, previous: &Validators) -> Result<Fetched, AnyError> {
        let options =
            GetOptions { if_none_match: previous.etag().map(str::to_owned), ..GetOptions::default() };
        let inner = &self.inner;
        let Some((bytes, etag)) = inner.run(inner.get(&inner.path, options))? else {
            return Ok(Fetched::unchanged());
        };
        let validators = etag.map_or_else(Validators::default, |etag| Validators::default().with_etag(etag));
        Ok(Fetched::new(bytes).validators(validators))
    }
}

impl Inner {
    /// Reads an object and its entity tag. Returns `None` if it has not changed.
    async fn get(
        &self,
        path: &Path,
        options: GetOptions,
    ) -> Result<Option<(Vec<u8>, Option<String>)>, AnyError> {
        let found = match self.store.get_opts(path, options).await {
            Err(object_store::Error::NotModified { .. }) => return Ok(None),
            found => found?,
        };
        let (size, etag) = (found.meta.size, found.meta.e_tag.clone());
        if size > MAX_BYTES {
            return Err(format!("{path} has {size} bytes, more than 64 MiB").into());
        }
        Ok(Some((found.bytes().await?.to_vec(), etag)))
    }

    /// Returns the path that a URL in the pointer stands for.
    fn path_of(&self, url: &str) -> Path {
        let mut parts: Vec<PathPart<'_>> = Vec::new();
        if !url.starts_with('/') {
            parts.extend(self.path.parts());
            parts.pop();
        }
        for part in url.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part.into()),
            }
        }
        parts.into_iter().collect()
    }

    /// Waits for the store. A thread of its own does that: a thread of a runtime must not.
    fn run<T: Send>(&self, task: impl Future<Output = Result<T, AnyError>> + Send) -> Result<T, AnyError> {
        let runtime = self.runtime.as_ref().ok_or("the source was dropped")?;
        std::thread::scope(|scope| {
            let done = scope.spawn(|| runtime.block_on(task)).join();
            done.unwrap_or_else(|_| Err("the store's client panicked".into()))
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime that is dropped on a thread of another waits for its tasks, which panics there.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
