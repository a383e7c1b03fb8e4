//! People who are signed in without having signed in one by one, and a store that counts what is asked of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    FamilyKey, MemoryStore, People, Saved, SessionKey, SessionLock, SessionRecord, SessionStore,
    StoreError, TokenRequest, Version,
};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    CLIENT_ID, Server,
    person::{BANKING, sign_in_with},
};

/// A store in memory that counts, and that can be told to keep its readers waiting.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    pub(crate) store: MemoryStore,
    loads: Arc<AtomicUsize>,
    saves: Arc<AtomicUsize>,
    locks: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// How often what was asked of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) loads: usize,
    pub(crate) saves: usize,
    pub(crate) locks: usize,
}

impl Counting {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            loads: Arc::default(),
            saves: Arc::default(),
            locks: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// What was asked of it since this was asked last.
    pub(crate) fn asked(&self) -> Asked {
        let taken = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        Asked {
            loads: taken(&self.loads),
            saves: taken(&self.saves),
            locks: taken(&self.locks),
        }
    }

    /// Until it was asked for that many loads since [`asked`](Self::asked) was called last.
    pub(crate) async fn is_asked_for_loads(&self, loads: usize) {
        while self.loads.load(Ordering::SeqCst) < loads {
            tokio::task::yield_now().await;
        }
    }

    /// The same of locks.
    pub(crate) async fn is_asked_for_locks(&self, locks: usize) {
        while self.locks.load(Ordering::SeqCst) < locks {
            tokio::task::yield_now().await;
        }
    }

    /// Readers wait from now on.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }
}

impl SessionStore for Counting {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let _permit = self.gate.acquire().await;
        self.store.load(key).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.store.save(key, record, replacing).await
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        self.locks.fetch_add(1, Ordering::SeqCst);
        self.store.lock(family, patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.store.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.store.list(visit).await
    }
}

/// What a planted person is asked for: their session has such a token, so no request is needed.
pub(crate) fn kept() -> TokenRequest<'static> {
    TokenRequest::new(BANKING).scope(format!("read:{BANKING}"))
}

/// The name of one of many people.
pub(crate) fn name(number: usize) -> String {
    format!("person-{number:06}")
}

impl Server {
    /// Signs one person in, and writes the same record for so many people.
    ///
    /// Each has an access token for [`kept`] in it, and the refresh token `R0`.
    pub(crate) async fn plant(&self, people: &People, store: &MemoryStore, count: usize) {
        let pattern = "pattern-of-all-people";
        self.token()
            .with_parameter("code", pattern)
            .member("refresh_token", json!("R0"))
            .mount()
            .await;
        let session = people.session(pattern);
        sign_in_with(&session, pattern, &[BANKING]).await.unwrap();
        let key = |name: &str| SessionKey::new(self.issuer(), CLIENT_ID, name);
        let record = store.load(&key(pattern)).await.unwrap().unwrap();
        let record = String::from_utf8(record.as_bytes().to_vec()).unwrap();
        for person in (0..count).map(name) {
            let record = SessionRecord::from_bytes(record.replace(pattern, &person));
            let saved = store.save(&key(&person), &record, None).await.unwrap();
            assert_eq!(saved, Saved::Saved);
        }
    }
}
