//! What another process, or this one before, has left in the store.

use std::time::Duration;

use intelliauth::{MemoryStore, SessionKey, SessionStore};
use serde_json::json;

use super::ask;
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn another_process_adopts_what_is_in_the_store_without_a_request() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server.person().store(store.clone()).build().unwrap();
    let two = server.person().store(store).build().unwrap();
    server.sign_in(&one).await;
    server.rotates("R0", "R1").expect(1).mount().await;
    let first = one.get_access_token(BANKING).await.unwrap();
    let second = two.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_eq!(first.expires_at(), second.expires_at());
}

#[tokio::test]
async fn two_processes_with_the_same_expired_session_make_one_redemption() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let clients: Vec<_> = (0..4)
        .map(|_| server.person().store(store.clone()).build().unwrap())
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
        .map(|client| tokio::spawn(async move { ask(&client, BANKING).await }))
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
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    // The other process starts from the same session, and rotates it.
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    other.save(&key, &record).await.unwrap();
    let second = server.person().store(other.clone()).build().unwrap();
    server.rotates("R0", "R1").times(1).mount().await;
    second.get_access_token(HEALTH).await.unwrap();
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
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(3).await;
    store.save(&key, &rotated).await.unwrap();
    call.await.unwrap().unwrap();
    assert_eq!(server.redemptions().await, ["R0", "R0", "R1"]);
}

#[tokio::test]
async fn a_record_from_the_future_is_no_token_to_start_with() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    server.clock.set_wall_back(Duration::from_secs(3600));
    let other = server.person().store(store).build().unwrap();
    other.get_access_token(BANKING).await.unwrap();
}

#[tokio::test]
async fn a_token_that_an_api_refused_is_not_adopted_again() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    let second = client.after_unauthorized(&first).await.unwrap();
    assert_ne!(first.secret(), second.secret());
}

#[tokio::test]
async fn what_was_cleared_or_refused_does_not_come_back_from_the_store() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.refresh("R0").expect(2).mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    client.clear(BANKING);
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_ne!(first.secret(), second.secret());
    let third = client.after_unauthorized(&first).await.unwrap();
    assert_eq!(second.secret(), third.secret(), "that one was not refused");
}

#[tokio::test]
async fn a_session_with_huge_tokens_stays_readable() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    let names: Vec<String> = (0..40).map(|number| format!("api.{number}")).collect();
    let audiences: Vec<&str> = names.iter().map(String::as_str).collect();
    server.sign_in_as(&client, json!("R0"), &audiences).await;
    let huge = "x".repeat(30_000);
    server.refresh("R0").access_token(&huge).mount().await;
    for audience in audiences {
        client.get_access_token(audience).await.unwrap();
    }
    let key = SessionKey::new(server.issuer(), crate::support::CLIENT_ID, "default");
    let record = store.load(&key).await.unwrap().unwrap();
    assert!(
        record.as_bytes().len() < 512 * 1024,
        "{}",
        record.as_bytes().len()
    );
}
