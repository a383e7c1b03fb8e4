//! npm's `better-auth`: names at userinfo alone, and a grace period for the identical request.

use std::time::Duration;

use intelliauth::{Dialect, Revocation};

use crate::support::{BANKING, Foreign, HEALTH, accounts, login, records};

/// Its access tokens live for an hour.
const HOUR: Duration = Duration::from_secs(3600);

fn dialect() -> Dialect {
    let mut dialect = Dialect::resource_indicators();
    dialect.refresh_grace = Some(Duration::from_secs(20));
    dialect
}

#[tokio::test]
async fn a_person_signs_in_once_for_two_apis_and_their_tokens_are_refreshed() {
    let mut server = Foreign::better_auth(30);
    let session = server.session(dialect());
    let both = login()
        .request(accounts())
        .request(records())
        .scope("profile email");
    let account = server.sign_in(&session, both).await.unwrap();
    assert_eq!(account.name(), Some("Alice Doe"), "from userinfo");
    assert_eq!(account.email(), Some("alice@example.com"));
    assert_eq!(server.count("/oauth2/userinfo"), 1);
    for round in 0..3 {
        for (request, audience) in [(accounts(), BANKING), (records(), HEALTH)] {
            let token = session.client().get_access_token(request).await.unwrap();
            let claims = token.danger_unverified_claims().unwrap();
            assert!(
                claims.audiences().contains(&audience),
                "{round}: {claims:?}"
            );
        }
        server.clock.advance(HOUR);
    }
    // The code, the second API, and twice both.
    assert_eq!(server.count("/oauth2/token"), 6);
}

#[tokio::test]
async fn a_person_who_cancels_is_denied_and_not_suspected() {
    let mut server = Foreign::better_auth(0);
    let session = server.session(dialect());
    let error = server.cancel(&session, login().request(accounts())).await;
    assert_eq!(error.kind(), "denied", "{error}");
    assert_eq!(session.account().await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_answer_within_the_grace_period_is_survived() {
    let mut server = Foreign::better_auth(30);
    let session = server.session(dialect());
    let both = login().request(accounts()).request(records());
    server.sign_in(&session, both).await.unwrap();
    for (lost, next) in [(accounts(), records()), (records(), accounts())] {
        server.clock.advance(HOUR);
        server.tear(1);
        let error = session.client().get_access_token(lost.clone()).await;
        assert_eq!(error.unwrap_err().kind(), "unavailable");
        // Whatever is asked for next: the lost request is repeated as it was, and then that.
        server.clock.advance(Duration::from_secs(5));
        session.client().get_access_token(next).await.unwrap();
        session.client().get_access_token(lost).await.unwrap();
    }
}

#[tokio::test]
async fn a_stolen_refresh_token_is_refused_after_the_sign_out() {
    let mut server = Foreign::better_auth(0);
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
    let (status, error) = server.redeem("/oauth2/token", &stolen, BANKING).await;
    assert_eq!((status, error.as_str()), (400, Some("invalid_grant")));
}
