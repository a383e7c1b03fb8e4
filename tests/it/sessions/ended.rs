//! A sign-out wins over whatever is under way.

use std::time::Duration;

use intelliauth::{Error, MemoryStore};

use super::{ask, held_up::HeldUp};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn a_refresh_in_flight_does_not_undo_a_sign_out() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(300))
        .expect(1)
        .mount()
        .await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, BANKING).await }
    });
    server.arrived(2).await;
    client.sign_out().await.unwrap();
    let _ = call.await.unwrap();
    client.close().await;
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    let fresh = server.person().store(store).build().unwrap();
    assert_eq!(fresh.account().await.unwrap(), None);
    fresh.get_access_token(BANKING).await.unwrap_err();
}

#[tokio::test]
async fn signing_out_in_another_process_is_noticed_at_the_next_window() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let one = server.person().store(store.clone()).build().unwrap();
    let two = server.person().store(store).build().unwrap();
    server.sign_in(&one).await;
    server.rotates("R0", "R1").grants(300).mount().await;
    server.rotates("R1", "R2").grants(300).mount().await;
    one.get_access_token(BANKING).await.unwrap();
    one.get_access_token(HEALTH).await.unwrap();
    two.sign_out().await.unwrap();
    one.get_access_token(BANKING).await.unwrap();
    server.advance(250.0);
    one.get_access_token(BANKING).await.unwrap();
    one.close().await;
    for audience in [BANKING, HEALTH] {
        let error = one.get_access_token(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{audience}: {error}");
    }
}

#[tokio::test]
async fn signing_out_with_a_full_disk_still_revokes() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    store.set_full(true);
    let error = client.sign_out().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.count_at("/oauth2/revoke").await, 1);
}

#[tokio::test]
async fn signed_out_with_a_full_disk_hands_out_nothing() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server.rotates("R0", "R1").mount().await;
    ask(&client, BANKING).await.unwrap();
    store.set_full(true);
    client.sign_out().await.unwrap_err();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert!(client.account().await.unwrap().is_none());

    // With room on the disk other processes learn of it at the next call.
    store.set_full(false);
    client.get_access_token(HEALTH).await.unwrap_err();
    let other = server.person().store(store.store).build().unwrap();
    let error = other.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert_eq!(server.redemptions().await, ["R0"]);
}

#[tokio::test]
async fn signed_out_of_a_session_that_is_in_use_elsewhere_hands_out_nothing() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let client = server.person().store(store.clone()).build().unwrap();
    server.sign_in(&client).await;
    server.rotates("R0", "R1").expect(1).mount().await;
    ask(&client, BANKING).await.unwrap();
    store.set_busy(true);
    client.sign_out().await.unwrap_err();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");

    // A new sign-in is another session.
    store.set_busy(false);
    server.sign_in(&client).await;
    assert!(client.account().await.unwrap().is_some());
}
