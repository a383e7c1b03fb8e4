//! A program without a browser, and the person who lets it in on another screen.
//!
//! The server names no interval, so each poll comes 5 s after the one before (RFC 8628 section 3.2).

use std::sync::Arc;

use intelliauth::{Clock, DeniedReason, DeviceCode, Error, SystemClock};
use serde_json::json;
use url::Url;

use super::{banking, health, redemptions};
use crate::support::{BANKING, HEALTH, Person, Server, Visit};

/// What the person says on the other screen.
#[derive(Clone, Copy)]
enum Word {
    Allow,
    Deny,
    TurnAway,
}

/// The person goes to the page with the code in it; what they saw comes through the channel.
fn device(person: &Arc<Person>, word: Word) -> (DeviceCode, tokio::sync::mpsc::Receiver<Visit>) {
    let (sender, visits) = tokio::sync::mpsc::channel(1);
    let person = Arc::clone(person);
    let login = DeviceCode::new(move |prompt| {
        let page = Url::parse(prompt.verification_uri_complete().unwrap()).unwrap();
        let (person, sender) = (Arc::clone(&person), sender.clone());
        tokio::spawn(async move {
            let visit = match word {
                Word::Allow => person.approve(&page).await,
                Word::Deny => person.deny(&page).await,
                Word::TurnAway => person.turn_away(&page).await,
            };
            sender.send(visit).await.unwrap();
        });
    });
    (login.request(banking()).request(health()), visits)
}

#[tokio::test]
async fn a_device_is_let_in_for_both_apis_and_keeps_to_the_pace() {
    let mut server = Server::for_people();
    // The server itself never says it; the error is its own all the same.
    server.slow_down(1);
    let session = server.desktop().build().unwrap().default_session();
    let (login, mut visits) = device(&Arc::new(Person::new("alice")), Word::Allow);
    let begun = SystemClock::new().now();
    let account = session.sign_in(login).await.unwrap();
    let waited = SystemClock::new().now().since(begun);
    assert!(waited.as_secs() >= 15, "5 s, and then 10 s");
    assert_eq!(account.subject(), Some("alice"));
    let visit = visits.recv().await.unwrap();
    assert_eq!(
        visit.headings(),
        ["Confirm Device", "Sign-in", "Authorize", "Sign-in Success"]
    );
    let consent = visit.consent();
    assert!(consent.contains(BANKING) && consent.contains(HEALTH));
    for (request, audience) in [(banking(), BANKING), (health(), HEALTH)] {
        let token = session.client().get_access_token(request).await.unwrap();
        server.verify(token.secret(), audience).await.unwrap();
    }
    let polls = json!({"grant": "urn:ietf:params:oauth:grant-type:device_code", "status": 200});
    assert_eq!(server.count("/token", &polls), 1);
    assert_eq!(redemptions(&mut server, 200), 1, "for the second API");
    assert_eq!(server.token_requests(), 3);
}

#[tokio::test]
async fn a_device_waits_until_the_person_has_answered() {
    let mut server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let alice = Arc::new(Person::new("alice"));
    let (pages, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let login = DeviceCode::new(move |prompt| {
        assert_eq!(prompt.expires_in().as_secs(), 600);
        let page = prompt.verification_uri_complete().unwrap();
        pages.send(Url::parse(page).unwrap()).unwrap();
    });
    let login = login.request(banking());
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.sign_in(login).await }
    });
    let page = shown.recv().await.unwrap();
    let pending = json!({"error": "authorization_pending"});
    while server.count("/token", &pending) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    alice.approve(&page).await;
    waiting.await.unwrap().unwrap();
    session.client().get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_turned_away_is_told_so_whenever_the_person_decides() {
    let server = Server::for_people();
    let turned_away = async |word, headings: &[&str]| {
        let session = server.desktop().build().unwrap().default_session();
        let (login, mut visits) = device(&Arc::new(Person::new("alice")), word);
        let error = session.sign_in(login).await.unwrap_err();
        let Error::Denied(denied) = &error else {
            panic!("{error}")
        };
        assert_eq!(denied.reason(), DeniedReason::AccessDenied);
        assert_eq!(visits.recv().await.unwrap().headings(), headings);
        assert_eq!(session.account().await.unwrap(), None);
    };
    // At the page that shows the code, and at the one that asks for consent. Both end where they began.
    tokio::join!(
        turned_away(Word::TurnAway, &["Confirm Device", "Sign-in"]),
        turned_away(
            Word::Deny,
            &["Confirm Device", "Sign-in", "Authorize", "Sign-in"]
        ),
    );
}
