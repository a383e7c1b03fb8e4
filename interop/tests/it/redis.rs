//! A store of sessions that many machines share: the example in `store.rs`, on a real server.

mod server;
mod store;

use std::time::Duration;

use intelliauth::{
    FamilyKey, SessionKey, SessionRecord, SessionStore, StoreErrorKind, test_util::assert_store,
};

use self::{server::RedisServer, store::RedisStore};

fn alice() -> SessionKey {
    SessionKey::new("https://issuer.example", "app", "alice")
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_a_store() {
    let server = RedisServer::start();
    let url = server.url();
    assert_store(move || RedisStore::new(&url).unwrap()).await;
}

/// A user can write one as short: comments and imports do not count.
#[test]
fn the_store_has_less_than_a_hundred_lines() {
    let text = include_str!("redis/store.rs");
    let (_imports, code) = text.split_once("\nconst ").unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = code.lines().filter(is_code).count();
    assert!(lines < 100, "{lines}");
}

#[tokio::test]
async fn a_lock_that_was_taken_away_says_so_and_frees_no_other() {
    let server = RedisServer::start();
    let store = RedisStore::new(&server.url()).unwrap();
    let family = FamilyKey::new(alice(), None);
    let lost = store.lock(&family, Duration::ZERO).await.unwrap();
    // As when the lease had run out, and another process took it.
    let name = format!("lock:{}", family.digest());
    server.run(&["DEL", &name]);
    let held = store.lock(&family, Duration::ZERO).await.unwrap();
    while lost.is_held().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lost.release().await;
    assert!(held.is_held().await);
    let error = store.lock(&family, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    held.release().await;
}

#[tokio::test]
async fn a_record_ends_when_it_need_not_be_kept_any_more() {
    let server = RedisServer::start();
    let store = RedisStore::new(&server.url()).unwrap();
    let name = format!("session:{}", alice().digest());
    let mut there = None;
    for (record, ends_at) in [
        (
            r#"{"write":"0000000000000001","keep_until":4102444800}"#,
            "4102444800",
        ),
        (r#"{"write":"0000000000000002"}"#, "99999999999"),
    ] {
        let record = SessionRecord::from_bytes(record);
        let saved = store.save(&alice(), &record, there).await.unwrap();
        assert_eq!(saved, intelliauth::Saved::Saved);
        there = Some(record.version());
        assert_eq!(server.run(&["EXPIRETIME", &name]), ends_at);
    }
}

#[tokio::test]
async fn what_is_set_aside_can_be_looked_at() {
    let server = RedisServer::start();
    let store = RedisStore::new(&server.url()).unwrap();
    let record = SessionRecord::from_bytes(*b"damaged");
    let saved = store.save(&alice(), &record, None).await.unwrap();
    assert_eq!(saved, intelliauth::Saved::Saved);
    store.set_aside(&alice(), record.version()).await.unwrap();
    let name = format!("aside:session:{}:{}", alice().digest(), record.version());
    assert_eq!(server.run(&["HGET", &name, "record"]), "damaged");
}

#[tokio::test]
async fn a_server_that_was_restarted_is_found_again_and_one_that_is_gone_is_said() {
    let mut server = RedisServer::start();
    let store = RedisStore::new(&server.url()).unwrap();
    assert!(store.load(&alice()).await.unwrap().is_none());
    server.stop();
    let error = store.load(&alice()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Io);
    server.restart();
    while store.load(&alice()).await.is_err() {
        tokio::task::yield_now().await;
    }
}
