//! A store that takes small records only, as the password store of an operating system does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use intelliauth::{
    FamilyKey, MemoryStore, Saved, SessionKey, SessionLock, SessionRecord, SessionStore,
    StoreError, StoreErrorKind, Version,
};
use serde_json::json;

use crate::support::{
    Server,
    person::{BANKING, HEALTH, sign_in_with},
};

/// What Windows keeps of one secret, in bytes.
const LIMIT: usize = 2_560;

/// Longer than all that the store takes.
fn large(name: &str) -> String {
    format!("{name}-{}", "x".repeat(5_000))
}

#[derive(Clone, Debug, Default)]
struct Small {
    store: MemoryStore,
    saves: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl SessionStore for Small {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.store.load(key).await
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        if record.as_bytes().len() > LIMIT {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let what = "more than it takes";
            return Err(StoreError::new(StoreErrorKind::TooLarge, what));
        }
        self.store.save(key, record, replacing).await
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        self.store.lock(family, patience).await
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        self.store.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        self.store.list(visit).await
    }

    fn record_limit(&self) -> usize {
        LIMIT
    }
}

#[tokio::test]
async fn a_store_of_2560_bytes_keeps_the_session_although_an_access_token_has_5000() {
    let server = Server::for_people().await;
    let store = Small::default();
    let people = server.person().store(store.clone()).build().unwrap();
    let session = people.default_session();
    server
        .token()
        .with_parameter("code", "code")
        .access_token(&large("of-the-sign-in"))
        .member("refresh_token", json!("R0"))
        .mount()
        .await;
    for (redeemed, new) in [("R0", "R1"), ("R1", "R2"), ("R2", "R3")] {
        let answer = server.rotates(redeemed, new);
        answer.access_token(&large(new)).expect(1).mount().await;
    }
    sign_in_with(&session, "code", &[BANKING, HEALTH])
        .await
        .unwrap();
    for (audience, token) in [(BANKING, "R1"), (HEALTH, "R2")] {
        let client = session.client();
        let found = client.get_access_token(audience).await.unwrap();
        assert_eq!(found.secret(), large(token));
        assert!(client.current(audience).is_some(), "it is cached here");
    }
    people.close().await.unwrap();
    assert_eq!(
        store.refused.load(Ordering::SeqCst),
        0,
        "nothing is tried in vain"
    );

    let later = server.person().store(store.clone()).build().unwrap();
    assert_eq!(later.sessions().await.unwrap().len(), 1);
    let later = later.default_session();
    assert!(later.account().await.unwrap().is_some());
    later.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(server.redemptions().await, ["R0", "R1", "R2"]);
}

#[tokio::test]
async fn what_fits_is_kept_although_another_access_token_does_not() {
    let server = Server::for_people().await;
    let store = Small::default();
    let session = || {
        let people = server.person().store(store.clone());
        people.build().unwrap().default_session()
    };
    let first = session();
    server.sign_in(&first).await;
    let answer = server.rotates("R0", "R1").access_token(&large("banking"));
    answer.expect(1).mount().await;
    let answer = server.rotates("R1", "R2").access_token("health");
    answer.expect(1).mount().await;
    first.client().get_access_token(BANKING).await.unwrap();
    first.client().get_access_token(HEALTH).await.unwrap();
    let found = session().client().get_access_token(HEALTH).await.unwrap();
    assert_eq!(found.secret(), "health", "taken from the session");
}
