//! What another process, or this one before, has left in the store.

use std::time::Duration;

use intelliauth::{
    CacheMode, Clock, Error, ManualClock, MemoryStore, SessionKey, SessionStore, Source,
    TokenRequest,
};
use serde_json::json;

use super::{ask, put};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn another_process_adopts_what_is_in_the_store_without_a_request() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let two = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&one).await;
    server.rotates("R0", "R1").expect(1).mount().await;
    let first = one.client().get_access_token(BANKING).await.unwrap();
    let second = two.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_eq!(first.expires_at(), second.expires_at());
}

#[tokio::test]
async fn two_processes_with_the_same_expired_session_make_one_redemption() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            server
                .person()
                .store(store.clone())
                .build()
                .unwrap()
                .default_session()
        })
        .collect();
    server.sign_in(&clients[0]).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(50))
        .expect(1)
        .mount()
        .await;
    let calls: Vec<_> = clients
        .iter()
        .cloned()
        .map(|session| tokio::spawn(async move { ask(&session, BANKING).await }))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

/// A store in which another process, without regard for the lock, puts something while one redeems.
#[tokio::test]
async fn a_newer_token_in_the_store_is_adopted_and_not_erased() {
    let server = Server::for_people().await;
    let (store, other) = (MemoryStore::new(), MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    // The other process starts from the same session, and rotates it.
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    put(&other, &key, &record).await;
    let second = server
        .person()
        .store(other.clone())
        .build()
        .unwrap()
        .default_session();
    server.rotates("R0", "R1").times(1).mount().await;
    second.client().get_access_token(HEALTH).await.unwrap();
    let rotated = other.load(&key).await.unwrap().unwrap();
    // While the first one is refused, the second's record lands in its store.
    server
        .refresh("R0")
        .refuses(400, "invalid_grant")
        .delayed(Duration::from_millis(200))
        .mount()
        .await;
    server.rotates("R1", "R2").expect(1).mount().await;
    let call = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, BANKING).await }
    });
    server.arrived(3).await;
    put(&store, &key, &rotated).await;
    call.await.unwrap().unwrap();
    assert_eq!(server.redemptions().await, ["R0", "R0", "R1"]);
}

#[tokio::test]
async fn a_record_from_the_future_is_no_token_to_start_with() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(2).mount().await;
    session.client().get_access_token(BANKING).await.unwrap();
    server.clock.set_wall_back(Duration::from_secs(3600));
    let other = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    other.client().get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn a_token_that_this_process_saw_end_is_ended_although_the_clock_was_set_back() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").grants(3600).expect(2).mount().await;
    let first = session.client().get_access_token(BANKING).await.unwrap();
    server.advance(3600.0);
    server.clock.set_wall_back(Duration::from_secs(3000));
    let second = session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(second.source(), Source::Issuer);
    assert_ne!(first.secret(), second.secret());
}

#[tokio::test]
async fn a_token_from_before_a_restart_of_the_machine_is_as_old_on_both_clocks() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server.person().store(store.clone());
    let session = session.build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").grants(3600).expect(1).mount().await;
    session.client().get_access_token(BANKING).await.unwrap();
    // The machine starts again two minutes later; then its wall clock is set back by an hour.
    let restarted = ManualClock::at(server.clock.now().wall() + Duration::from_secs(120));
    let other = server.person().clock(restarted.clone()).store(store);
    let other = other.build().unwrap().default_session();
    let token = other.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(token.source(), Source::Session);
    restarted.set_wall_back(Duration::from_secs(3600));
    restarted.advance(Duration::from_secs(3600 - 120));
    let only = TokenRequest::new(BANKING).cache_mode(CacheMode::Only);
    let error = other.client().get_access_token(only).await.unwrap_err();
    assert!(matches!(error, Error::NotCached(_)), "{error}");
}

#[tokio::test]
async fn a_token_that_an_api_refused_is_not_adopted_again() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(2).mount().await;
    let first = session.client().get_access_token(BANKING).await.unwrap();
    let second = session.client().after_unauthorized(&first).await.unwrap();
    assert_ne!(first.secret(), second.secret());
}

#[tokio::test]
async fn what_was_cleared_or_refused_does_not_come_back_from_the_store() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.refresh("R0").expect(2).mount().await;
    let first = session.client().get_access_token(BANKING).await.unwrap();
    session.client().clear(BANKING);
    let second = session.client().get_access_token(BANKING).await.unwrap();
    assert_ne!(first.secret(), second.secret());
    let third = session.client().after_unauthorized(&first).await.unwrap();
    assert_eq!(second.secret(), third.secret(), "that one was not refused");
}

#[tokio::test]
async fn a_session_with_huge_tokens_stays_readable() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    let names: Vec<String> = (0..40).map(|number| format!("api.{number}")).collect();
    let audiences: Vec<&str> = names.iter().map(String::as_str).collect();
    server.sign_in_as(&session, json!("R0"), &audiences).await;
    let huge = "x".repeat(30_000);
    server.refresh("R0").access_token(&huge).mount().await;
    for audience in audiences {
        session.client().get_access_token(audience).await.unwrap();
    }
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    assert!(
        record.as_bytes().len() < 512 * 1024,
        "{}",
        record.as_bytes().len()
    );
}

#[tokio::test]
async fn a_session_keeps_the_newest_sixty_four_tokens_for_the_next_process() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server.person().store(store.clone());
    let session = session.build().unwrap().default_session();
    let names: Vec<String> = (0..70).map(|number| format!("api.{number}")).collect();
    let audiences: Vec<&str> = names.iter().map(String::as_str).collect();
    server.sign_in_as(&session, json!("R0"), &audiences).await;
    server.refresh("R0").mount().await;
    for audience in &audiences {
        session.client().get_access_token(*audience).await.unwrap();
    }
    let before = server.redemptions().await.len();
    let next = server.person().store(store).build().unwrap();
    let next = next.default_session();
    let mut sources = Vec::new();
    for audience in audiences.iter().rev() {
        let token = next.client().get_access_token(*audience).await.unwrap();
        sources.push(token.source());
    }
    let (kept, fetched) = sources.split_at(64);
    assert!(kept.iter().all(|source| *source == Source::Session));
    assert!(fetched.iter().all(|source| *source == Source::Issuer));
    assert_eq!(server.redemptions().await.len() - before, 6);
}
