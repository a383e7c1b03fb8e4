//! Where the sessions of people are kept: a [`SessionStore`] holds opaque bytes under a [`SessionKey`].

#[cfg(feature = "file-store")]
mod file;
mod key;
mod memory;
mod session;

use std::{any::Any, fmt, future::Future, panic::catch_unwind, pin::Pin, time::Duration};

use tokio::{runtime::Handle, time::sleep};
use zeroize::Zeroizing;

#[cfg(feature = "file-store")]
pub use file::FileStore;
pub use key::SessionKey;
pub use memory::MemoryStore;
pub use session::Account;
pub(crate) use session::{Coverage, Family, KeptToken, Session, SignedIn, Unusable};

use crate::error::{StoreError, StoreErrorKind};

/// Where the sessions of people are kept.
///
/// A store keeps opaque bytes and knows nothing of what is in them. [`MemoryStore`] is the default
/// of a client; write one of your own to keep sessions in a database. Whoever changes a session
/// takes its lock first, loads, saves, and lets go: a store is asked for that order, and does not
/// check it.
///
/// Refresh tokens rotate, and using an old one ends the session. So a store that loses a save, mixes
/// two, or hands its lock to two holders signs people out.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intelliauth::StoreError> {
/// use intelliauth::{MemoryStore, SessionKey, SessionRecord, SessionStore};
/// use std::time::Duration;
///
/// let store = MemoryStore::new();
/// let key = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
///
/// let lock = store.lock(&key, Duration::from_secs(5)).await?;
/// assert!(store.load(&key).await?.is_none());
/// store.save(&key, &SessionRecord::new(b"what the client keeps".to_vec())).await?;
/// drop(lock);
///
/// let record = store.load(&key).await?.unwrap();
/// assert_eq!(record.as_bytes(), b"what the client keeps");
/// # Ok(()) }
/// ```
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// The record that was saved last, or nothing.
    ///
    /// # Errors
    ///
    /// [`Insecure`](StoreErrorKind::Insecure) if others could have changed it,
    /// [`Unreadable`](StoreErrorKind::Unreadable) if it can be no record,
    /// [`Io`](StoreErrorKind::Io) or [`Other`](StoreErrorKind::Other) if it cannot be read. A record
    /// that is not there is no error.
    fn load(
        &self,
        key: &SessionKey,
    ) -> impl Future<Output = Result<Option<SessionRecord>, StoreError>> + Send;

    /// Replaces the record.
    ///
    /// It returns when the record is durable: a crash right after it, of the program or the machine,
    /// loses nothing. Whoever loads meanwhile, and whoever starts after a crash in the middle, finds
    /// the old record or the new one, never a mixture. A save whose future is dropped may still happen,
    /// but not after the lock is free under which it was begun.
    ///
    /// # Errors
    ///
    /// Any kind. The old record is then still there, or the new one if only its flushing failed.
    fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes the session for oneself, waiting up to `patience`.
    ///
    /// Among all users of the store, tasks and processes alike, at most one holds it. It is free
    /// again when the [`SessionLock`] is dropped, and at once when its holder dies. No patience at
    /// all is one try.
    ///
    /// # Errors
    ///
    /// [`Locked`](StoreErrorKind::Locked) if somebody else held it all the time; other kinds if the
    /// lock cannot be taken at all.
    fn lock(
        &self,
        key: &SessionKey,
        patience: Duration,
    ) -> impl Future<Output = Result<SessionLock, StoreError>> + Send;

    /// Puts a record that cannot be used out of the way; there is none under this key afterwards.
    ///
    /// A store that outlives the process keeps it where a person can look at it, beside those that
    /// were put there before. It is no error if there is no record.
    ///
    /// # Errors
    ///
    /// Any kind but [`Unreadable`](StoreErrorKind::Unreadable); the record is then where it was.
    fn set_aside(&self, key: &SessionKey) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// [`SessionStore`] behind a pointer.
pub(crate) trait BoxedStore: fmt::Debug + Send + Sync {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, Option<SessionRecord>>;
    fn save<'a>(&'a self, key: &'a SessionKey, record: &'a SessionRecord) -> Answer<'a, ()>;
    fn lock<'a>(&'a self, key: &'a SessionKey, patience: Duration) -> Answer<'a, SessionLock>;
    fn set_aside<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, ()>;
}

/// What a store will have done.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl<S: SessionStore> BoxedStore for S {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, Option<SessionRecord>> {
        Box::pin(SessionStore::load(self, key))
    }

    fn save<'a>(&'a self, key: &'a SessionKey, record: &'a SessionRecord) -> Answer<'a, ()> {
        Box::pin(SessionStore::save(self, key, record))
    }

    fn lock<'a>(&'a self, key: &'a SessionKey, patience: Duration) -> Answer<'a, SessionLock> {
        Box::pin(SessionStore::lock(self, key, patience))
    }

    fn set_aside<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, ()> {
        Box::pin(SessionStore::set_aside(self, key))
    }
}

/// What is kept of a session: bytes that only the client can read.
///
/// It holds tokens, so `Debug` hides it and its memory is wiped when it is dropped. A store writes
/// the bytes as they are, and shows them to nobody.
#[derive(Clone)]
pub struct SessionRecord(Zeroizing<Vec<u8>>);

impl SessionRecord {
    /// A record of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes as they were given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionRecord(hidden)")
    }
}

/// A session that is held by one alone, until this is dropped.
#[must_use = "the session is free again as soon as this is dropped"]
pub struct SessionLock {
    _held: Box<dyn Any + Send + Sync>,
}

impl SessionLock {
    /// A lock that is free once `held` is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self {
            _held: Box::new(held),
        }
    }
}

impl fmt::Debug for SessionLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLock").finish_non_exhaustive()
    }
}

/// Refuses to wait where nobody tells the time: a timer that is made there panics.
fn require_timer() -> Result<(), StoreError> {
    let has_runtime = Handle::try_current().is_ok();
    // A runtime without a timer cannot be asked for it.
    let has_timer = has_runtime && catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok();
    if has_timer {
        return Ok(());
    }
    let error = StoreError::new(
        StoreErrorKind::Other,
        "there is no tokio runtime with a timer to wait in",
    );
    Err(error.with_next_move("call this inside of a tokio runtime that is built with enable_all()"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_store_behind_a_pointer_is_the_same_store() {
        let memory = MemoryStore::new();
        let key = SessionKey::new("https://issuer.example", "app", "alice");
        let boxed: Arc<dyn BoxedStore> = Arc::new(memory.clone());
        let lock = boxed.lock(&key, Duration::ZERO).await.unwrap();
        boxed
            .save(&key, &SessionRecord::new(*b"kept"))
            .await
            .unwrap();
        let found = SessionStore::load(&memory, &key).await.unwrap();
        assert_eq!(found.unwrap().as_bytes(), b"kept");
        drop(lock);
        boxed.set_aside(&key).await.unwrap();
        assert!(boxed.load(&key).await.unwrap().is_none());
    }

    #[test]
    fn records_hide_themselves() {
        let record = SessionRecord::new(*b"not-a-real-token");
        assert_eq!(format!("{record:?}"), "SessionRecord(hidden)");
    }
}
