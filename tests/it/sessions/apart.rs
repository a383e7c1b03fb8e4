//! Different people: nothing of one ever reaches another.

use intelliauth::{Error, MemoryStore};
use intelliauth_emulator::sample;
use serde_json::json;

use super::held_up::{HeldUp, Tenant, banking, settings, subject};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn another_persons_sign_in_leaves_nothing_of_the_first() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server.rotates("R0", "R1").mount().await;
    server.refresh("R1").mount().await;
    let first = session.client().get_access_token(HEALTH).await.unwrap();
    session.client().get_access_token(BANKING).await.unwrap();
    session.sign_out().await.unwrap();
    server.sign_in_as(&session, json!("B0"), &[BANKING]).await;
    server.refresh("B0").expect(1).mount().await;
    session.client().get_access_token(BANKING).await.unwrap();
    match session.client().get_access_token(HEALTH).await {
        Err(Error::Consent(_)) => {}
        Ok(token) => panic!("that is {}", token.secret() == first.secret()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn sessions_of_two_people_never_meet() {
    let server = Server::for_people().await;
    let people = server.person().build().unwrap();
    let (alice, bob) = (people.session("alice"), people.session("bob"));
    server.sign_in_as(&alice, json!("A0"), &[BANKING]).await;
    server.sign_in_as(&bob, json!("B0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-alice").mount().await;
    server.refresh("B0").access_token("of-bob").mount().await;
    for _ in 0..2 {
        assert_eq!(
            alice
                .client()
                .get_access_token(BANKING)
                .await
                .unwrap()
                .secret(),
            "of-alice"
        );
        assert_eq!(
            bob.client()
                .get_access_token(BANKING)
                .await
                .unwrap()
                .secret(),
            "of-bob"
        );
    }
    alice.sign_out().await.unwrap();
    bob.client().get_access_token(BANKING).await.unwrap();
    alice.client().get_access_token(BANKING).await.unwrap_err();
    assert_eq!(server.redemptions().await, ["A0", "B0"]);
}

#[tokio::test]
async fn where_nobody_is_named_a_second_sign_in_may_be_anybodys() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in_as(&session, json!("A0"), &[BANKING]).await;
    server.refresh("A0").access_token("of-a").mount().await;
    server.refresh("B0").access_token("of-b").mount().await;
    let first = session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(first.secret(), "of-a");
    server.sign_in_as(&session, json!("B0"), &[BANKING]).await;
    let second = session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(second.secret(), "of-b");
}

#[tokio::test]
async fn what_was_read_before_somebody_else_signed_in_is_not_handed_out_after_it() {
    let tenant = Tenant::start().await;
    let shared = MemoryStore::new();
    let store = HeldUp::new(shared.clone());
    let (here, elsewhere) = (tenant.session(store.clone()), tenant.session(shared));
    let both = [banking(), settings()];
    tenant.sign_in(&elsewhere, sample::ALICE, &both).await;
    elsewhere
        .client()
        .get_access_token(banking())
        .await
        .unwrap();
    // Its flight has read Alice's record and is held up, while Bob signs in elsewhere.
    store.hold_up_after(1);
    let early = tokio::spawn({
        let here = here.clone();
        async move { here.client().get_access_token(banking()).await }
    });
    store.arrived().await;
    elsewhere.sign_out().await.unwrap();
    tenant.sign_in(&elsewhere, sample::BOB, &both).await;
    let token = here.client().get_access_token(settings()).await.unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    store.go_on();
    let token = early.await.unwrap().unwrap();
    assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    for request in both {
        let token = here.client().get_access_token(request).await.unwrap();
        assert_eq!(subject(&token).as_deref(), Some(sample::BOB));
    }
}
