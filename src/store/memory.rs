//! Sessions that end with the process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::timeout,
};

use super::{
    ChangeSender, FamilyKey, Saved, SessionKey, SessionLock, SessionRecord, SessionStore,
    StoreChanges, Version, runtime,
};
use crate::error::{StoreError, StoreErrorKind};

/// Sessions in memory: they end with the process.
///
/// The default of a client. Clones share what they keep, and each hears of
/// [changes](SessionStore::changes) that another made. A record that is set aside is forgotten, since
/// no person could look at it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intelliauth::StoreError> {
/// use intelliauth::{MemoryStore, Saved, SessionKey, SessionRecord, SessionStore};
///
/// let store = MemoryStore::new();
/// let key = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0WEB", "alice");
/// let record = SessionRecord::from_bytes(*b"opaque");
/// assert_eq!(store.save(&key, &record, None).await?, Saved::Saved);
/// assert!(store.clone().load(&key).await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    shelves: Arc<Shelves>,
}

#[derive(Default)]
struct Shelves {
    records: Mutex<HashMap<SessionKey, SessionRecord>>,
    /// The locks that are held or waited for, and no others.
    locks: Mutex<HashMap<FamilyKey, Arc<AsyncMutex<()>>>>,
    listeners: Mutex<Vec<ChangeSender>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn announce(&self, key: &SessionKey) {
        let mut listeners = entered(&self.shelves.listeners);
        listeners.retain(|listener| !listener.is_closed());
        if listeners.is_empty() {
            return;
        }
        let digest = key.digest();
        for listener in &*listeners {
            listener.send(digest.as_str());
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl SessionStore for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        Ok(entered(&self.shelves.records).get(key).cloned())
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        record.ensure_fits(self.record_limit())?;
        {
            let mut records = entered(&self.shelves.records);
            if records.get(key).map(SessionRecord::version) != replacing {
                return Ok(Saved::Superseded);
            }
            records.insert(key.clone(), record.clone());
        }
        self.announce(key);
        Ok(Saved::Saved)
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let queue = Queue::join(Arc::clone(&self.shelves), family.clone());
        let guard = match Arc::clone(&queue.mutex).try_lock_owned() {
            Ok(guard) => guard,
            Err(_) if patience.is_zero() => return Err(locked(patience)),
            Err(_) => wait(Arc::clone(&queue.mutex), patience).await?,
        };
        Ok(SessionLock::guard(Held {
            _guard: guard,
            _queue: queue,
        }))
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        {
            let mut records = entered(&self.shelves.records);
            if records.get(key).map(SessionRecord::version) != Some(version) {
                return Ok(());
            }
            records.remove(key);
        }
        self.announce(key);
        Ok(())
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        // What is called here may ask the store: nothing is held meanwhile.
        let keys: Vec<SessionKey> = entered(&self.shelves.records).keys().cloned().collect();
        for key in keys {
            let record = entered(&self.shelves.records).get(&key).cloned();
            record.into_iter().for_each(&mut *visit);
        }
        Ok(())
    }

    fn changes(&self) -> Option<StoreChanges> {
        let (sender, changes) = StoreChanges::channel();
        entered(&self.shelves.listeners).push(sender);
        Some(changes)
    }
}

/// What the holder of a lock holds. The order matters: the guard goes before the place in the queue.
struct Held {
    _guard: OwnedMutexGuard<()>,
    _queue: Queue,
}

/// A place among the holder of a lock and those that wait for it; the last to leave removes the lock.
struct Queue {
    shelves: Arc<Shelves>,
    family: FamilyKey,
    mutex: Arc<AsyncMutex<()>>,
}

impl Queue {
    fn join(shelves: Arc<Shelves>, family: FamilyKey) -> Self {
        let mutex = Arc::clone(entered(&shelves.locks).entry(family.clone()).or_default());
        Self {
            shelves,
            family,
            mutex,
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut locks = entered(&self.shelves.locks);
        // One is the map's and one is ours. None joins while the map is held.
        let is_last = Arc::strong_count(&self.mutex) <= 2;
        if is_last {
            locks.remove(&self.family);
        }
    }
}

async fn wait(
    mutex: Arc<AsyncMutex<()>>,
    patience: Duration,
) -> Result<OwnedMutexGuard<()>, StoreError> {
    runtime::current()?;
    let guard = timeout(patience, mutex.lock_owned()).await;
    guard.map_err(|_elapsed| locked(patience))
}

fn locked(patience: Duration) -> StoreError {
    StoreError::new(
        StoreErrorKind::Locked,
        format!("another task held the session's lock for {patience:?}"),
    )
}

/// Nothing that is done inside can leave it half done, so a panic elsewhere is no reason to stop.
fn entered<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> FamilyKey {
        let key = SessionKey::new("https://issuer.example", "app", "alice");
        FamilyKey::new(key, None)
    }

    fn locks_known(store: &MemoryStore) -> usize {
        entered(&store.shelves.locks).len()
    }

    #[tokio::test]
    async fn locks_that_are_not_used_are_forgotten() {
        let store = MemoryStore::new();
        let held = store.lock(&alice(), Duration::ZERO).await.unwrap();
        let given_up = store.lock(&alice(), Duration::from_millis(1)).await;
        assert_eq!(given_up.unwrap_err().kind(), StoreErrorKind::Locked);
        assert_eq!(locks_known(&store), 1, "it is still held");

        let key = alice();
        let mut dropped = Box::pin(store.lock(&key, Duration::from_secs(60)));
        assert!(futures_poll(&mut dropped).is_none(), "it waits");
        drop(dropped);
        assert_eq!(locks_known(&store), 1, "it is still held");

        drop(held);
        assert_eq!(locks_known(&store), 0);
    }

    #[tokio::test]
    async fn a_lock_that_is_waited_for_stays_the_same_lock() {
        let store = MemoryStore::new();
        let first = store.lock(&alice(), Duration::ZERO).await.unwrap();
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.lock(&alice(), Duration::from_secs(60)).await }
        });
        while Arc::strong_count(&entered(&store.shelves.locks)[&alice()]) < 4 {
            tokio::task::yield_now().await;
        }
        drop(first);
        let second = waiting.await.unwrap().unwrap();
        assert!(store.lock(&alice(), Duration::ZERO).await.is_err());
        drop(second);
        assert_eq!(locks_known(&store), 0);
    }

    #[test]
    fn waiting_outside_of_a_runtime_is_an_error_and_not_a_panic() {
        let store = MemoryStore::new();
        let family = alice();
        let mut held = Box::pin(store.lock(&family, Duration::ZERO));
        let lock = futures_poll(&mut held).unwrap().unwrap();
        let mut second = Box::pin(store.lock(&family, Duration::from_secs(1)));
        let error = futures_poll(&mut second).unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Other);
        drop((held, second, lock));
        assert_eq!(locks_known(&store), 0);
    }

    /// Polls once.
    fn futures_poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut cx) {
            std::task::Poll::Ready(outcome) => Some(outcome),
            std::task::Poll::Pending => None,
        }
    }
}
