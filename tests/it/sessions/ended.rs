//! A sign-out wins over whatever is under way.

use std::time::Duration;

use intelliauth::{Error, MemoryStore};
use serde_json::json;

use super::{ask, held_up::HeldUp};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn a_refresh_in_flight_does_not_undo_a_sign_out() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(300))
        .expect(1)
        .mount()
        .await;
    let call = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, BANKING).await }
    });
    server.arrived(2).await;
    session.sign_out().await.unwrap();
    let _ = call.await.unwrap();
    session.client().close().await.unwrap();
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    let fresh = server
        .person()
        .store(store)
        .build()
        .unwrap()
        .default_session();
    assert_eq!(fresh.account().await.unwrap(), None);
    fresh.client().get_access_token(BANKING).await.unwrap_err();
}

#[tokio::test]
async fn signing_out_in_another_process_is_noticed_at_the_next_window() {
    let server = Server::for_people().await;
    // It announces nothing, as a directory of files does not.
    let store = HeldUp::new(MemoryStore::new());
    let session = || {
        let people = server.person().store(store.clone());
        people.build().unwrap().default_session()
    };
    let (one, two) = (session(), session());
    server.sign_in(&one).await;
    server.rotates("R0", "R1").grants(300).mount().await;
    server.rotates("R1", "R2").grants(300).mount().await;
    one.client().get_access_token(BANKING).await.unwrap();
    one.client().get_access_token(HEALTH).await.unwrap();
    two.sign_out().await.unwrap();
    one.client().get_access_token(BANKING).await.unwrap();
    server.advance(250.0);
    one.client().get_access_token(BANKING).await.unwrap();
    one.client().close().await.unwrap();
    for audience in [BANKING, HEALTH] {
        let error = one.client().get_access_token(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{audience}: {error}");
    }
}

#[tokio::test]
async fn signing_out_in_another_process_ends_the_hits_of_this_one_once_it_is_announced() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let people = || server.person().store(store.clone()).build().unwrap();
    let (here, there) = (people(), people());
    let (one, bystander) = (here.default_session(), here.session("bob"));
    server
        .sign_in_as(&one, json!("A0"), &[BANKING, HEALTH])
        .await;
    server.sign_in_as(&bystander, json!("B0"), &[BANKING]).await;
    server.rotates("A0", "A1").mount().await;
    server.rotates("A1", "A2").mount().await;
    server.rotates("B0", "B1").mount().await;
    let all = [(&one, BANKING), (&one, HEALTH), (&bystander, BANKING)];
    for (session, audience) in all {
        session.client().get_access_token(audience).await.unwrap();
        assert!(session.client().current(audience).is_some());
    }
    there.default_session().sign_out().await.unwrap();
    for audience in [BANKING, HEALTH] {
        while one.client().current(audience).is_some() {
            tokio::task::yield_now().await;
        }
        let error = one.client().get_access_token(audience).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{audience}: {error}");
    }
    let hit = bystander.client().current(BANKING);
    assert!(hit.is_some(), "what is announced concerns one person");
    assert_eq!(server.redemptions().await, ["A0", "A1", "B0"]);
}

#[tokio::test]
async fn signing_out_with_a_full_disk_still_revokes() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    store.set_full(true);
    let error = session.sign_out().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    assert_eq!(server.count_at("/oauth2/revoke").await, 1);
}

#[tokio::test]
async fn signed_out_with_a_full_disk_hands_out_nothing() {
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
    ask(&session, BANKING).await.unwrap();
    store.set_full(true);
    session.sign_out().await.unwrap_err();
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert!(session.account().await.unwrap().is_none());

    // With room on the disk other processes learn of it at the next call.
    store.set_full(false);
    session.client().get_access_token(HEALTH).await.unwrap_err();
    let other = server
        .person()
        .store(store.store)
        .build()
        .unwrap()
        .default_session();
    let error = other.client().get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert_eq!(server.redemptions().await, ["R0"]);
}

#[tokio::test]
async fn signed_out_of_a_session_that_is_in_use_elsewhere_hands_out_nothing() {
    let server = Server::for_people().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = server
        .person()
        .store(store.clone())
        .build()
        .unwrap()
        .default_session();
    server.sign_in(&session).await;
    server.rotates("R0", "R1").expect(1).mount().await;
    ask(&session, BANKING).await.unwrap();
    store.set_busy(true);
    session.sign_out().await.unwrap_err();
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");

    // A new sign-in is another session.
    store.set_busy(false);
    server.sign_in(&session).await;
    assert!(session.account().await.unwrap().is_some());
}
