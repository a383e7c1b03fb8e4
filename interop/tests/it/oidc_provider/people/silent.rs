//! Where no page is to be shown, and where another person is there than was expected.

use std::{sync::Arc, time::Duration};

use intelliauth::{AuthorizationCode, Error, Prompt, Session, Violation};

use super::{CALLBACK, banking, both, clock, health, loopback, redemptions, sign_in};
use crate::support::{BANKING, HEALTH, PORTAL_CALLBACK, Person, Server};

async fn asked_silently(session: &Session, person: &Person) -> Error {
    let login = AuthorizationCode::redirect_to(CALLBACK)
        .request(banking())
        .prompt(Prompt::None);
    let (page, pending) = session.begin_sign_in(login).await.unwrap();
    let visit = person.approve(&page).await;
    assert!(visit.pages.is_empty(), "{visit:#?}");
    session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn without_a_session_there_a_sign_in_is_what_is_needed() {
    let server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let error = asked_silently(&session, &Person::new("alice")).await;
    assert_eq!(error.answer().unwrap().code(), Some("login_required"));
    assert!(matches!(error, Error::Login(_)), "{error}");
}

/// The server shows every native client's request to the person, since anybody could have made it.
#[tokio::test]
async fn with_a_session_there_consent_is_what_is_needed() {
    let server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let alice = Person::new("alice");
    sign_in(&session, &alice, both()).await;
    let error = asked_silently(&session, &alice).await;
    assert_eq!(error.answer().unwrap().code(), Some("interaction_required"));
    assert!(matches!(error, Error::Consent(_)), "{error}");
    // What there was is there still.
    session.client().get_access_token(health()).await.unwrap();
}

#[tokio::test]
async fn a_hint_binds_nobody_there_so_another_person_is_refused_here() {
    let server = Server::for_people();
    let people = server.desktop().build().unwrap();
    let session = people.default_session();
    let (alice, bob) = (Person::new("alice"), Arc::new(Person::new("bob")));
    let one = AuthorizationCode::redirect_to(CALLBACK).request(banking());
    sign_in(&session, &alice, one).await;
    // Bob's browser has a session there, and it wins over the hint.
    sign_in(&people.session("bob"), &bob, both()).await;

    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let login = loopback(&bob).login_hint("alice");
    let error = session.resolve(error, login).await.unwrap_err();
    let Error::Protocol(violation) = error else {
        panic!("{error}")
    };
    assert_eq!(*violation.violation(), Violation::OtherAccount);
    let account = session.account().await.unwrap().unwrap();
    assert_eq!(account.subject(), Some("alice"));
    session.client().get_access_token(banking()).await.unwrap();
    // What bob has of his own is untouched by what was revoked.
    let token = people
        .session("bob")
        .client()
        .get_access_token(health())
        .await;
    server
        .verify(token.unwrap().secret(), HEALTH)
        .await
        .unwrap();
}

/// `offline_access` needs a consent page, so an answer without any page brings no refresh token.
#[tokio::test]
async fn a_back_end_that_asks_silently_keeps_the_refresh_token_it_had() {
    let mut server = Server::for_people();
    let alice = Person::new("alice");
    let clock = clock();
    let session = server
        .portal()
        .clock(clock.clone())
        .build()
        .unwrap()
        .default_session();
    let both = || {
        AuthorizationCode::redirect_to(PORTAL_CALLBACK)
            .request(banking())
            .request(health())
    };
    sign_in(&session, &alice, both()).await;
    let (account, visit) = sign_in(&session, &alice, both().prompt(Prompt::None)).await;
    assert_eq!(account.subject(), Some("alice"));
    assert!(visit.pages.is_empty(), "{visit:#?}");

    clock.advance(Duration::from_secs(600));
    for (request, audience) in [(banking(), BANKING), (health(), HEALTH)] {
        let token = session.client().get_access_token(request).await.unwrap();
        server.verify(token.secret(), audience).await.unwrap();
    }
    assert_eq!(redemptions(&mut server, 200), 2);
}

#[tokio::test]
async fn a_person_who_signed_in_too_long_ago_does_so_again() {
    let server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let alice = Person::new("alice");
    sign_in(&session, &alice, both()).await;
    for (age, headings) in [(3600, &["Authorize"][..]), (0, &["Sign-in", "Authorize"])] {
        let login = both().max_age(Duration::from_secs(age));
        let (_, visit) = sign_in(&session, &alice, login).await;
        assert_eq!(visit.headings(), headings, "{age} s");
    }
    // It also can be asked for whenever that was, beside the consent.
    let (_, visit) = sign_in(&session, &alice, both().prompt(Prompt::Login)).await;
    assert_eq!(visit.headings(), ["Sign-in", "Authorize"]);
}
