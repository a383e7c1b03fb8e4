//! PyPI's `django-oauth-toolkit`: unknown scopes are refused, a refresh token serves one API, and the
//! revocation endpoint stands in the second metadata document alone.

use std::time::Duration;

use intelliauth::{DeniedReason, Dialect, Error, Revocation};

use crate::support::{BANKING, Foreign, accounts, login, records};

/// Longer than its access tokens live.
const TEN_HOURS: Duration = Duration::from_secs(36_000);

fn dialect() -> Dialect {
    Dialect::family_per_audience().without_offline_access()
}

#[tokio::test]
async fn each_api_has_a_sign_in_and_is_refreshed_by_its_own() {
    let mut server = Foreign::django_oauth_toolkit();
    let session = server.session(dialect());
    for request in [accounts(), records()] {
        let account = server
            .sign_in(&session, login().request(request))
            .await
            .unwrap();
        assert!(account.subject().is_some());
    }
    let client = session.client();
    for request in [accounts(), records()] {
        let first = client.get_access_token(request.clone()).await.unwrap();
        server.clock.advance(TEN_HOURS);
        let second = client.get_access_token(request).await.unwrap();
        assert_ne!(first.secret(), second.secret());
    }
    assert_eq!(server.refresh_tokens().len(), 2);
}

#[tokio::test]
async fn a_scope_that_it_does_not_know_is_told_with_the_setting() {
    let mut server = Foreign::django_oauth_toolkit();
    let session = server.session(Dialect::family_per_audience());
    let outcome = server.sign_in(&session, login().request(accounts())).await;
    let error = outcome.unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotAllowed);
    assert!(denied.missing().contains("offline_access"), "{error}");
    assert!(error.next_move().contains("asks_offline_access"));
}

#[tokio::test]
async fn one_family_for_two_apis_is_refused_with_the_setting() {
    let mut server = Foreign::django_oauth_toolkit();
    let session = server.session(Dialect::resource_indicators().without_offline_access());
    let both = login().request(accounts()).request(records());
    server.sign_in(&session, both).await.unwrap();
    let outcome = session.client().get_access_token(records()).await;
    let error = outcome.unwrap_err();
    assert!(
        error.next_move().contains("TokenFamily::PerAudience"),
        "{error}"
    );
}

#[tokio::test]
async fn a_person_who_cancels_is_denied() {
    let mut server = Foreign::django_oauth_toolkit();
    let session = server.session(dialect());
    let error = server.cancel(&session, login().request(accounts())).await;
    assert_eq!(error.kind(), "denied", "{error}");
}

#[tokio::test]
async fn a_stolen_refresh_token_is_refused_after_the_sign_out() {
    let mut server = Foreign::django_oauth_toolkit();
    let session = server.session(dialect());
    server
        .sign_in(&session, login().request(accounts()))
        .await
        .unwrap();
    let stolen = server.refresh_tokens().pop().unwrap();
    let signed_out = session.sign_out().await.unwrap();
    assert!(
        matches!(signed_out.revocation(), Revocation::Revoked),
        "{signed_out:?}"
    );
    assert_eq!(server.count("/revoke_token/"), 1);
    let (status, error) = server.redeem("/token/", &stolen, BANKING).await;
    assert_eq!((status, error.as_str()), (400, Some("invalid_grant")));
}
