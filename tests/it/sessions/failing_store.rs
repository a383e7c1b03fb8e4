//! A store that fails, and what a damaged record costs.

use std::time::Duration;

use intelliauth::{Error, MemoryStore, SessionKey, SessionRecord, SessionStore};
use serde_json::json;

use super::{ask, held_up::HeldUp, put};
use crate::support::{
    Server,
    person::{BANKING, HEALTH, sign_in_with},
};

#[tokio::test]
async fn a_store_that_fills_up_during_a_redemption_costs_nobody_the_session() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, BANKING).await }
    });
    server.arrived(2).await;
    store.set_full(true);
    call.await.unwrap().unwrap();
    // What cannot be kept is not redeemed either.
    let error = session.client().get_access_token(HEALTH).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    store.set_full(false);
    session.client().close().await.unwrap();
    // Another process finds what was written in the end.
    let other = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    other.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_store_that_panics_during_a_redemption_costs_no_session() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, BANKING).await }
    });
    server.arrived(2).await;
    store.set_panicking(true);
    call.await.unwrap().unwrap();
    store.set_panicking(false);
    session.client().get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_a_newer_one_left_alone() {
    let server = Server::for_people().await;
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    for torn in [&b"{\"version\":1,\"gen"[..], b"", b"[]", b"{\"version\":1}"] {
        let store = MemoryStore::new();
        put(&store, &key, &SessionRecord::from_bytes(torn)).await;
        let session = server
            .person()
            .store(store.clone())
            .build()
            .unwrap()
            .default_session();
        let error = session
            .client()
            .get_access_token(BANKING)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
    }
    let store = MemoryStore::new();
    let newer = SessionRecord::from_bytes(*b"{\"version\":99}");
    put(&store, &key, &newer).await;
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(
        store.load(&key).await.unwrap().unwrap().as_bytes(),
        newer.as_bytes()
    );
}

#[tokio::test]
async fn a_mark_that_the_store_wrote_and_denied_uses_up_no_repetition() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server.rotates("R0", "R1").mount().await;
    store.set_denying(true);
    for _ in 0..2 {
        let _ = ask(&session, BANKING).await;
        server.advance(120.0);
    }
    store.set_denying(false);
    ask(&session, BANKING).await.unwrap();
}

#[tokio::test]
async fn a_consent_that_cannot_be_written_revokes_nothing() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server
        .token()
        .with_parameter("code", "again")
        .member("refresh_token", json!("N0"))
        .mount()
        .await;
    store.set_busy(true);
    let error = sign_in_with(&session, "again", &[BANKING])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.count_at("/oauth2/revoke").await, 0);
}
