//! Different people: nothing of one ever reaches another.

use intelliauth::{Error, MemoryStore};
use intelliauth_emulator::sample;
use serde_json::json;

use super::held_up::{HeldUp, People, banking, settings, subject};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn another_persons_sign_in_leaves_nothing_of_the_first() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in(&client).await;
    server.rotates("R0", "R1").mount().await;
    server.refresh("R1").mount().await;
    let first = client.get_access_token(HEALTH).await.unwrap();
    client.get_access_token(BANKING).await.unwrap();
    client.sign_out().await.unwrap();
    server.sign_in_as(&client, json!("B0"), &[BANKING]).await;
    server.refresh("B0").expect(1).mount().await;
    client.get_access_token(BANKING).await.unwrap();
    match client.get_access_token(HEALTH).await {
        Err(Error::Consent(_)) => {}
        Ok(token) => panic!("that is {}", token.secret() == first.secret()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn sessions_of_two_people_never_meet() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    let (alice, bob) = (client.session("alice"), client.session("bob"));
    server.sign_in_as(&alice, json!("A0"), &[BANKING]).await;
    server.sign_in_as(&bob, json!("B0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-alice").mount().await;
    server.refresh("B0").access_token("of-bob").mount().await;
    for _ in 0..2 {
        assert_eq!(
            alice.get_access_token(BANKING).await.unwrap().secret(),
            "of-alice"
        );
        assert_eq!(
            bob.get_access_token(BANKING).await.unwrap().secret(),
            "of-bob"
        );
    }
    alice.sign_out().await.unwrap();
    bob.get_access_token(BANKING).await.unwrap();
    alice.get_access_token(BANKING).await.unwrap_err();
    assert_eq!(server.redemptions().await, ["A0", "B0"]);
}

#[tokio::test]
async fn where_nobody_is_named_a_second_sign_in_may_be_anybodys() {
    let server = Server::for_people().await;
    let client = server.person().build().unwrap();
    server.sign_in_as(&client, json!("A0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), "of-a");
    server.sign_in_as(&client, json!("B0"), &[BANKING]).await;
    let second = client.get_access_token(BANKING).await.unwrap();
    assert_eq!(second.secret(), "of-b");
}

/// A store of more people than anybody keeps open, in which another process signs somebody in.
#[tokio::test]
async fn nobody_is_answered_for_whom_the_session_was_before_it_was_let_go_of() {
    let server = Server::for_people().await;
    let store = MemoryStore::new();
    let client = server.person().store(store.clone()).build().unwrap();
    let other = server.person().store(store).build().unwrap();
    let (here, there) = (client.session("shared"), other.session("shared"));
    server.sign_in_as(&here, json!("A0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = here.get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), "of-a");
    server.sign_in_as(&there, json!("B0"), &[BANKING]).await;
    for number in 0..1100 {
        let client = client.session(format!("visitor-{number}"));
        assert_eq!(client.account().await.unwrap(), None);
    }
    let second = here.get_access_token(BANKING).await.unwrap();
    assert_eq!(second.secret(), "of-b");
}

#[tokio::test]
async fn what_was_read_before_somebody_else_signed_in_is_not_handed_out_after_it() {
    let people = People::start().await;
    let shared = MemoryStore::new();
    let store = HeldUp::new(shared.clone());
    let (here, elsewhere) = (people.client(store.clone()), people.client(shared));
    let both = [banking(), settings()];
    people.sign_in(&elsewhere, sample::ALICE, &both).await;
    elsewhere.get_access_token(banking()).await.unwrap();
    // It has read Alice's record and is held up, while Bob signs in elsewhere.
    store.hold_up_after(0);
    let early = tokio::spawn({
        let here = here.clone();
        async move { here.get_access_token(banking()).await }
    });
    store.arrived().await;
    elsewhere.sign_out().await.unwrap();
    people.sign_in(&elsewhere, sample::BOB, &both).await;
    let token = here.get_access_token(settings()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    store.go_on();
    let token = early.await.unwrap().unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    for request in both {
        let token = here.get_access_token(request).await.unwrap();
        assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    }
}
