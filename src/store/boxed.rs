//! [`SessionStore`] behind a pointer.

use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use super::{
    FamilyKey, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreChanges, Version,
};
use crate::error::{StoreError, StoreErrorKind};

/// [`SessionStore`] behind a pointer.
pub(crate) trait BoxedStore: fmt::Debug + Send + Sync {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, Option<SessionRecord>>;
    fn save<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
        replacing: Option<Version>,
    ) -> Answer<'a, Saved>;
    fn lock<'a>(&'a self, family: &'a FamilyKey, patience: Duration) -> Answer<'a, SessionLock>;
    fn set_aside<'a>(&'a self, key: &'a SessionKey, version: Version) -> Answer<'a, ()>;
    fn list<'a>(&'a self, visit: &'a mut (dyn FnMut(SessionRecord) + Send)) -> Answer<'a, ()>;
    fn changes(&self) -> Option<StoreChanges>;
    fn record_limit(&self) -> usize;
}

/// What a store will have done.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl<S: SessionStore> BoxedStore for S {
    fn load<'a>(&'a self, key: &'a SessionKey) -> Answer<'a, Option<SessionRecord>> {
        Box::pin(caught(async move { SessionStore::load(self, key).await }))
    }

    fn save<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
        replacing: Option<Version>,
    ) -> Answer<'a, Saved> {
        Box::pin(caught(async move {
            SessionStore::save(self, key, record, replacing).await
        }))
    }

    fn lock<'a>(&'a self, family: &'a FamilyKey, patience: Duration) -> Answer<'a, SessionLock> {
        Box::pin(caught(async move {
            SessionStore::lock(self, family, patience).await
        }))
    }

    fn set_aside<'a>(&'a self, key: &'a SessionKey, version: Version) -> Answer<'a, ()> {
        Box::pin(caught(async move {
            SessionStore::set_aside(self, key, version).await
        }))
    }

    fn list<'a>(&'a self, visit: &'a mut (dyn FnMut(SessionRecord) + Send)) -> Answer<'a, ()> {
        Box::pin(caught(async move { SessionStore::list(self, visit).await }))
    }

    fn changes(&self) -> Option<StoreChanges> {
        SessionStore::changes(self)
    }

    fn record_limit(&self) -> usize {
        SessionStore::record_limit(self)
    }
}

/// A store that panics has failed at this call, and takes nothing else of the session with it.
async fn caught<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut call = pin!(call);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx)));
        polled.unwrap_or_else(|_panic| {
            let what = "the session store has panicked".to_owned();
            Poll::Ready(Err(StoreError::new(StoreErrorKind::Io, what)))
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{LARGEST_RECORD, MemoryStore};

    #[tokio::test]
    async fn a_store_behind_a_pointer_is_the_same_store() {
        let memory = MemoryStore::new();
        let key = SessionKey::new("https://issuer.example", "app", "alice");
        let boxed: Arc<dyn BoxedStore> = Arc::new(memory.clone());
        let mut changes = boxed.changes().unwrap();
        let record = SessionRecord::from_bytes(*b"kept");

        let family = FamilyKey::new(key.clone(), None);
        let lock = boxed.lock(&family, Duration::ZERO).await.unwrap();
        assert!(lock.is_held().await);
        let saved = boxed.save(&key, &record, None).await.unwrap();
        assert_eq!(saved, Saved::Saved);
        lock.release().await;

        let found = SessionStore::load(&memory, &key).await.unwrap();
        assert_eq!(found.unwrap().as_bytes(), b"kept");
        assert!(changes.next().await.is_some());
        let mut listed = 0;
        boxed.list(&mut |_| listed += 1).await.unwrap();
        assert_eq!((listed, boxed.record_limit()), (1, LARGEST_RECORD));
        boxed.set_aside(&key, record.version()).await.unwrap();
        assert!(boxed.load(&key).await.unwrap().is_none());
    }
}
