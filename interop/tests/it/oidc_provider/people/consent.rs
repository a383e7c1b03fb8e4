//! What was never consented to: noticed here, asked for there, and then it works.

use intelliauth::{AuthorizationCode, DeniedReason, Dialect, Error, Session, TokenRequest};
use serde_json::json;

use super::{CALLBACK, all, banking, health, redemptions, sign_in};
use crate::support::{BANKING, HEALTH, Person, Server};

fn transfers() -> TokenRequest<'static> {
    TokenRequest::new(BANKING).scope("write:transactions")
}

fn banking_alone() -> AuthorizationCode {
    AuthorizationCode::redirect_to(CALLBACK).request(banking())
}

/// Signs in for one API, and holds its refresh token although its access token serves.
async fn signed_in(server: &Server, alice: &Person) -> Session {
    let session = server.desktop().build().unwrap().default_session();
    sign_in(&session, alice, banking_alone()).await;
    session
}

#[tokio::test]
async fn a_new_scope_and_then_a_new_api_are_consented_to_when_they_are_needed() {
    let mut server = Server::for_people();
    let alice = Person::new("alice");
    let session = signed_in(&server, &alice).await;
    for (request, new) in [
        (transfers(), format!("{BANKING}: write:transactions")),
        (health(), format!("{HEALTH}: read:records")),
    ] {
        let sent = server.token_requests();
        let error = session
            .client()
            .get_access_token(&request)
            .await
            .unwrap_err();
        assert_eq!(server.token_requests(), sent, "nothing is tried there");
        let Error::Consent(consent) = error else {
            panic!("{error}")
        };
        assert!(consent.answer().is_none());
        assert_eq!(consent.missing(), consent.scopes());
        let (page, pending) = consent.authorization_url(CALLBACK).unwrap();
        assert_eq!(all(&page, "prompt"), ["consent"], "for offline_access");
        let visit = alice.approve(&page).await;
        assert_eq!(visit.headings(), ["Authorize"], "signed in already");
        // What is new stands there, and nothing that was allowed before.
        let shown = visit.consent();
        assert!(shown.contains(&new), "{shown}");
        assert!(!shown.contains("read:transactions"), "{shown}");
        session
            .finish_sign_in(&pending, visit.callback())
            .await
            .unwrap();

        let token = session.client().get_access_token(&request).await.unwrap();
        let audience = token.audience().as_str();
        let verified = server.verify(token.secret(), audience).await.unwrap();
        let granted = verified.claims["scope"].as_str().unwrap().to_owned();
        let is_granted = |scope: &&str| granted.split(' ').any(|one| one == *scope);
        let asked: Vec<String> = token.scopes().iter().map(ToString::to_string).collect();
        assert!(asked.iter().all(|scope| is_granted(&scope.as_str())));
    }
    // And the new refresh token serves what the first sign-in was for.
    session.client().get_access_token(banking()).await.unwrap();
    session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(redemptions(&mut server, 400), 0);
}

#[tokio::test]
async fn resolve_goes_on_by_itself() {
    let server = Server::for_people();
    let alice = std::sync::Arc::new(Person::new("alice"));
    let session = signed_in(&server, &alice).await;
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let login = super::loopback(&alice);
    let token = session.resolve(error, login).await.unwrap();
    server.verify(token.secret(), HEALTH).await.unwrap();
    session.client().get_access_token(banking()).await.unwrap();
}

#[tokio::test]
async fn a_denial_is_typed_and_costs_nothing_of_what_there_was() {
    let mut server = Server::for_people();
    let alice = Person::new("alice");
    let session = signed_in(&server, &alice).await;
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    let Error::Consent(consent) = error else {
        panic!("{error}")
    };
    let (page, pending) = consent.authorization_url(CALLBACK).unwrap();
    let visit = alice.deny(&page).await;
    let error = session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::AccessDenied);
    assert_eq!(error.answer().unwrap().code(), Some("access_denied"));
    // The person may think again, and the rest works on.
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    session.client().get_access_token(banking()).await.unwrap();
    session.client().get_access_token(BANKING).await.unwrap();
    assert_eq!(redemptions(&mut server, 400), 0);
}

/// Why [`Dialect::refresh_may_exceed`] is off: this server consumes the token that it refuses.
#[tokio::test]
async fn a_refused_refresh_costs_the_session_there_so_it_is_not_sent_unless_told_to() {
    let mut server = Server::for_people();
    let alice = Person::new("alice");
    let session = signed_in(&server, &alice).await;
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Consent(_)), "{error}");
    let attempts = json!({"grant": "refresh_token"});
    assert_eq!(server.count("/token", &attempts), 0);

    let mut dialect = Dialect::resource_indicators();
    dialect.refresh_may_exceed = true;
    let session = server
        .desktop()
        .dialect(dialect)
        .build()
        .unwrap()
        .default_session();
    sign_in(&session, &alice, banking_alone()).await;
    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert_eq!(error.answer().unwrap().code(), Some("invalid_target"));
    assert!(matches!(error, Error::Denied(_)), "{error}");
    assert_eq!(redemptions(&mut server, 400), 1);
    // Refused, and used up all the same.
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    assert_eq!(error.answer().unwrap().code(), Some("invalid_grant"));
    assert!(matches!(error, Error::Login(_)), "{error}");
}
