//! One sign-in, a token for each API from it, and a second run that asks nobody.

use std::{sync::Arc, time::Duration};

use intelliauth::{AuthorizationCode, Dialect, Error, FileStore, ManualClock, Violation};
use serde_json::json;
use url::Url;

use super::{CALLBACK, all, banking, both, clock, health, loopback, sign_in};
use crate::support::{BANKING, DESKTOP, Folder, HEALTH, Person, Server};

#[tokio::test]
async fn one_sign_in_yields_a_token_for_each_api() {
    let mut server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let alice = Person::new("alice");
    let (account, visit) = sign_in(&session, &alice, both()).await;
    assert_eq!(account.subject(), Some("alice"));
    assert_eq!(visit.headings(), ["Sign-in", "Authorize"]);
    let consent = visit.consent();
    for asked in [
        &format!("{BANKING}: read:transactions"),
        &format!("{HEALTH}: read:records"),
        "offline access",
    ] {
        assert!(consent.contains(asked), "{consent}");
    }

    for (request, audience, scope) in [
        (banking(), BANKING, "read:transactions"),
        (health(), HEALTH, "read:records"),
    ] {
        let token = session.client().get_access_token(request).await.unwrap();
        assert!(token.audience_is_checked());
        let verified = server.verify(token.secret(), audience).await.unwrap();
        assert_eq!(verified.claims["sub"], "alice");
        assert_eq!(verified.claims["client_id"], DESKTOP);
        assert_eq!(verified.claims["scope"], scope);
    }
    let redemption = json!({"grant": "refresh_token", "resource": HEALTH, "status": 200});
    assert_eq!(server.count("/token", &redemption), 1);
    assert_eq!(
        server.token_requests(),
        2,
        "the code brought the first token, one refresh the second"
    );
}

#[tokio::test]
async fn what_is_sent_and_what_comes_back_keep_to_the_rules() {
    let server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let (page, pending) = session.begin_sign_in(both()).await.unwrap();
    assert_eq!(all(&page, "resource"), [BANKING, HEALTH]);
    assert_eq!(all(&page, "code_challenge_method"), ["S256"]);
    assert_eq!(all(&page, "prompt"), ["consent"], "for offline_access");
    let visit = Person::new("alice").approve(&page).await;
    let callback = Url::parse(visit.callback()).unwrap();
    assert_eq!(all(&callback, "iss"), [server.issuer.as_str()]);

    // The server announces `iss`, so an answer without it is none, nor is another's.
    for iss in [None, Some("https://elsewhere.example")] {
        let mut altered = callback.clone();
        let kept = callback.query_pairs().filter(|(name, _)| name != "iss");
        altered.query_pairs_mut().clear().extend_pairs(kept);
        if let Some(iss) = iss {
            altered.query_pairs_mut().append_pair("iss", iss);
        }
        let error = session
            .finish_sign_in(&pending, altered.as_str())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{error}");
    }
    // Nothing was sent for those, so the code is good still.
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_person_without_consent_for_offline_access_has_no_refresh_token() {
    let server = Server::for_people();
    let mut dialect = Dialect::resource_indicators();
    dialect.offline_needs_consent = false;
    let session = server
        .desktop()
        .dialect(dialect)
        .build()
        .unwrap()
        .default_session();
    sign_in(&session, &Person::new("alice"), both()).await;
    session.client().get_access_token(banking()).await.unwrap();
    // `offline_access` was dropped without a word.
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn a_second_run_finds_the_session_on_disk_and_asks_nobody() {
    let mut server = Server::for_people();
    let (folder, alice) = (Folder::new(), Arc::new(Person::new("alice")));
    let build = |clock: &ManualClock| {
        let people = server.desktop().clock(clock.clone());
        let store = FileStore::in_directory(folder.path());
        people.store(store).build().unwrap().default_session()
    };
    let now = clock();
    let first = build(&now);
    let login = loopback(&alice).request(banking()).request(health());
    let account = first.sign_in(login).await.unwrap();
    assert_eq!(account.subject(), Some("alice"));
    let before = first.client().get_access_token(health()).await.unwrap();
    first.client().close().await.unwrap();
    drop(first);

    let second = build(&now);
    let after = second.client().get_access_token(health()).await.unwrap();
    assert_eq!(before.secret(), after.secret(), "it was still valid");

    // Later: the access tokens have ended, the session has not.
    now.advance(Duration::from_secs(3600));
    let third = build(&now);
    let banking = third.client().get_access_token(banking()).await.unwrap();
    let health = third.client().get_access_token(health()).await.unwrap();
    assert_ne!(before.secret(), health.secret());
    server.verify(banking.secret(), BANKING).await.unwrap();
    server.verify(health.secret(), HEALTH).await.unwrap();
    assert_eq!(server.count("/auth", &json!({})), 1, "one sign-in ever");
    let redemptions = json!({"grant": "refresh_token", "status": 200});
    assert_eq!(server.count("/token", &redemptions), 3);
    assert_eq!(server.token_requests(), 4, "and the code");
}

#[tokio::test]
async fn keys_that_rotate_between_two_sign_ins_are_fetched_again() {
    let mut server = Server::for_people();
    let people = server.desktop().build().unwrap();
    sign_in(&people.session("alice"), &Person::new("alice"), both()).await;
    server.rotate_keys();
    let (account, _) = sign_in(&people.session("bob"), &Person::new("bob"), both()).await;
    assert_eq!(account.subject(), Some("bob"));
}

#[tokio::test]
async fn a_code_counts_once_and_its_second_use_ends_what_it_brought() {
    let mut server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let (page, pending) = session.begin_sign_in(both()).await.unwrap();
    let visit = Person::new("alice").approve(&page).await;
    session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap();
    let error = session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert_eq!(server.token_requests(), 1, "not sent a second time");

    // Another process does not know that it was.
    let elsewhere = server.desktop().build().unwrap().default_session();
    let again = elsewhere.finish_sign_in(&pending, visit.callback()).await;
    assert!(matches!(again, Err(Error::Login(_))), "{again:?}");
    // RFC 6749 section 4.1.2: the server revokes all that the code has led to.
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
}

#[tokio::test]
async fn an_answer_to_another_sign_in_is_refused_before_its_code_is_used() {
    let mut server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let (page, _) = session.begin_sign_in(both()).await.unwrap();
    let (_, other) = session
        .begin_sign_in(AuthorizationCode::redirect_to(CALLBACK))
        .await
        .unwrap();
    let visit = Person::new("alice").approve(&page).await;
    let error = session
        .finish_sign_in(&other, visit.callback())
        .await
        .unwrap_err();
    let Error::Protocol(violation) = error else {
        panic!("{error}")
    };
    assert!(matches!(violation.violation(), Violation::Callback(_)));
    assert_eq!(server.token_requests(), 0);
}

#[tokio::test]
async fn a_sign_in_for_no_api_says_who_it_is_and_consent_follows() {
    let mut server = Server::for_people();
    let session = server.desktop().build().unwrap().default_session();
    let alice = Person::new("alice");
    let nothing = AuthorizationCode::redirect_to(CALLBACK);
    let (account, _) = sign_in(&session, &alice, nothing).await;
    assert_eq!(account.subject(), Some("alice"));
    let error = session
        .client()
        .get_access_token(banking())
        .await
        .unwrap_err();
    assert_eq!(server.token_requests(), 1);
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    let (page, pending) = consent.authorization_url(CALLBACK).unwrap();
    let visit = alice.approve(&page).await;
    session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap();
    session.client().get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn an_id_token_may_be_signed_with_whatever_the_metadata_names() {
    let server = Server::for_people();
    let session = server.person("elliptic").build().unwrap().default_session();
    let (account, _) = sign_in(&session, &Person::new("alice"), both()).await;
    assert_eq!(account.subject(), Some("alice"));
    session.client().get_access_token(health()).await.unwrap();
}
