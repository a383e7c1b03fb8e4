//! A store of sessions that many machines share: the example in `store.rs`, on a real server.

mod server;
mod store;

use std::time::Duration;

use intelliauth::{
    AuthorizationCode, CacheMode, Client, FamilyKey, Saved, Session, SessionKey, SessionRecord,
    SessionStore, StoreErrorKind, TokenRequest, test_util::assert_store,
};
use intelliauth_emulator::{Config, Emulator, sample};
use tokio::task::JoinSet;

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

fn banking() -> TokenRequest<'static> {
    TokenRequest::new(sample::BANKING).scope("read:transactions")
}

/// Has Alice sign in, in one of the programs.
async fn sign_in(emulator: &Emulator, session: &Session) {
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback").request(banking());
    let (page, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&page).await.unwrap();
    let finished = session.finish_sign_in(&pending, callback.as_str()).await;
    finished.unwrap();
}

/// On two machines, for all they know.
#[tokio::test(flavor = "multi_thread")]
async fn two_programs_share_a_session_and_neither_ends_it_for_the_other() {
    let (emulator, server) = (
        Emulator::start(Config::sample()).await.unwrap(),
        RedisServer::start(),
    );
    let program = || {
        let store = RedisStore::new(&server.url()).unwrap();
        let people = Client::for_person(emulator.issuer(), sample::NATIVE).store(store);
        people.build().unwrap()
    };
    let programs = [program(), program()];
    let [one, two] = programs.each_ref().map(|people| people.session("alice"));
    sign_in(&emulator, &one).await;

    let mut calls = JoinSet::new();
    for _ in 0..10 {
        for session in [&one, &two] {
            let client = session.client().clone();
            let request = banking().cache_mode(CacheMode::Refresh);
            calls.spawn(async move { client.get_access_token(request).await });
        }
    }
    while let Some(outcome) = calls.join_next().await {
        outcome.unwrap().unwrap();
    }
    let rotations = emulator.families()[0].rotations;
    assert!(rotations > 1, "both of them redeemed: {rotations}");

    two.sign_out().await.unwrap();
    assert!(one.account().await.unwrap().is_none());
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
        assert_eq!(saved, Saved::Saved);
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
    assert_eq!(saved, Saved::Saved);
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
