//! Where no page is to be shown, and where another person is there than was expected.

use std::sync::Arc;

use intelliauth::{AuthorizationCode, Client, Error, Prompt, Violation};

use super::{CALLBACK, banking, both, health, loopback, sign_in};
use crate::support::{HEALTH, Person, Server};

async fn asked_silently(client: &Client, person: &Person) -> Error {
    let login = AuthorizationCode::redirect_to(CALLBACK)
        .request(banking())
        .prompt(Prompt::None);
    let (page, pending) = client.start(login).await.unwrap();
    let visit = person.approve(&page).await;
    assert!(visit.pages.is_empty(), "{visit:#?}");
    client.finish(&pending, visit.callback()).await.unwrap_err()
}

#[tokio::test]
async fn without_a_session_there_a_sign_in_is_what_is_needed() {
    let server = Server::for_people();
    let client = server.desktop().build().unwrap();
    let error = asked_silently(&client, &Person::new("alice")).await;
    assert_eq!(error.answer().unwrap().code(), Some("login_required"));
    assert!(matches!(error, Error::Login(_)), "{error}");
}

/// The server shows every native client's request to the person, since anybody could have made it.
#[tokio::test]
async fn with_a_session_there_consent_is_what_is_needed() {
    let server = Server::for_people();
    let client = server.desktop().build().unwrap();
    let alice = Person::new("alice");
    sign_in(&client, &alice, both()).await;
    let error = asked_silently(&client, &alice).await;
    assert_eq!(error.answer().unwrap().code(), Some("interaction_required"));
    assert!(matches!(error, Error::Consent(_)), "{error}");
    // What there was is there still.
    client.get_access_token(health()).await.unwrap();
}

#[tokio::test]
async fn a_hint_binds_nobody_there_so_another_person_is_refused_here() {
    let server = Server::for_people();
    let client = server.desktop().build().unwrap();
    let (alice, bob) = (Person::new("alice"), Arc::new(Person::new("bob")));
    let one = AuthorizationCode::redirect_to(CALLBACK).request(banking());
    sign_in(&client, &alice, one).await;
    // Bob's browser has a session there, and it wins over the hint.
    sign_in(&client.session("bob"), &bob, both()).await;

    let error = client.get_access_token(health()).await.unwrap_err();
    let login = loopback(&bob).login_hint("alice");
    let error = client.resolve(error, login).await.unwrap_err();
    let Error::Protocol(violation) = error else {
        panic!("{error}")
    };
    assert_eq!(*violation.violation(), Violation::OtherAccount);
    let account = client.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some("alice"));
    client.get_access_token(banking()).await.unwrap();
    // What bob has of his own is untouched by what was revoked.
    let token = client.session("bob").get_access_token(health()).await;
    server
        .verify(token.unwrap().secret(), HEALTH)
        .await
        .unwrap();
}
