//! A store that fails, and what a damaged record costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    Error, MemoryStore, SessionKey, SessionLock, SessionRecord, SessionStore, StoreError,
    StoreErrorKind,
};
use serde_json::json;

use super::ask;
use crate::support::{
    Server,
    person::{BANKING, HEALTH, sign_in_with},
};

/// A store that can be told to fail.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) store: MemoryStore,
    pub(super) fails: Arc<AtomicBool>,
}

impl SessionStore for Failing {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(key).await
    }

    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Full, "no space left"));
        }
        self.store.save(key, record).await
    }

    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        self.store.lock(key, patience).await
    }

    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.set_aside(key).await
    }
}

#[tokio::test]
async fn a_store_that_fills_up_during_a_redemption_costs_nobody_the_session() {
    let server = Server::for_people().await;
    let store = Failing {
        store: MemoryStore::new(),
        fails: Arc::default(),
    };
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(2).await;
    store.fails.store(true, Ordering::SeqCst);
    call.await.unwrap().unwrap();
    // What cannot be kept is not redeemed either.
    let error = client.get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    store.fails.store(false, Ordering::SeqCst);
    client.close().await;
    // Another process finds what was written in the end.
    let other = server.person().store(store).build().unwrap();
    other.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_a_newer_one_left_alone() {
    let server = Server::for_people().await;
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    for torn in [&b"{\"version\":1,\"gen"[..], b"", b"[]", b"{\"version\":1}"] {
        let store = MemoryStore::new();
        store.save(&key, &SessionRecord::new(torn)).await.unwrap();
        let client = server.person().store(store.clone()).build().unwrap();
        let error = client.get_access_token(BANKING).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
    let store = MemoryStore::new();
    let newer = SessionRecord::new(*b"{\"version\":99}");
    store.save(&key, &newer).await.unwrap();
    let client = server.person().store(store.clone()).build().unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(
        store.load(&key).await.unwrap().unwrap().as_bytes(),
        newer.as_bytes()
    );
}

/// Saves, and says that it did not: the directory could not be flushed.
#[derive(Clone, Debug)]
struct Unflushed {
    store: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl SessionStore for Unflushed {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(key).await
    }
    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        self.store.save(key, record).await?;
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::new(
                StoreErrorKind::Io,
                "fsync of the directory",
            ));
        }
        Ok(())
    }
    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        self.store.lock(key, patience).await
    }
    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.set_aside(key).await
    }
}

#[tokio::test]
async fn a_mark_that_the_store_wrote_and_denied_uses_up_no_repetition() {
    let server = Server::for_people().await;
    let store = Unflushed {
        store: MemoryStore::new(),
        fails: Arc::default(),
    };
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server.rotates("R0", "R1").mount().await;
    store.fails.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let _ = ask(&client, BANKING).await;
        server.advance(120.0);
    }
    store.fails.store(false, Ordering::SeqCst);
    ask(&client, BANKING).await.unwrap();
}

/// Somebody else holds the session, and the disk is full.
#[derive(Clone, Debug)]
pub(super) struct Busy {
    pub(super) store: MemoryStore,
    pub(super) busy: Arc<AtomicBool>,
}

impl SessionStore for Busy {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(key).await
    }
    async fn save(&self, key: &SessionKey, record: &SessionRecord) -> Result<(), StoreError> {
        if self.busy.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Full, "no space left"));
        }
        self.store.save(key, record).await
    }
    async fn lock(&self, key: &SessionKey, patience: Duration) -> Result<SessionLock, StoreError> {
        if self.busy.load(Ordering::SeqCst) {
            return Err(StoreError::new(
                StoreErrorKind::Locked,
                "somebody else has it",
            ));
        }
        self.store.lock(key, patience).await
    }
    async fn set_aside(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.store.set_aside(key).await
    }
}

#[tokio::test]
async fn a_consent_that_cannot_be_written_revokes_nothing() {
    let server = Server::for_people().await;
    let store = Busy {
        store: MemoryStore::new(),
        busy: Arc::default(),
    };
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .token()
        .with_parameter("code", "again")
        .member("refresh_token", json!("N0"))
        .mount()
        .await;
    store.busy.store(true, Ordering::SeqCst);
    let error = sign_in_with(&client, "again", &[BANKING])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.count_at("/oauth2/revoke").await, 0);
}
