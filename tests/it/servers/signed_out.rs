//! A sign-out says what became of the refresh token.

use intelliauth::{DeniedReason, Error, Revocation};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::{answers, server_with};
use crate::support::{Server, person::BANKING};

/// What a sign-out says where the revocation endpoint answers so.
async fn revocation(status: u16, body: Value) -> Revocation {
    let server = Server::for_people().await;
    let template = ResponseTemplate::new(status).set_body_json(body);
    answers(&server, "/oauth2/revoke", template).await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    let signed_out = session.sign_out().await.unwrap();
    assert_eq!(
        session.account().await.unwrap(),
        None,
        "gone here in any case"
    );
    signed_out.revocation().clone()
}

#[tokio::test]
async fn a_sign_out_says_whether_the_refresh_token_was_revoked() {
    for (status, body) in [
        (200, json!({})),
        (204, json!(null)),
        // RFC 7009 section 2.2 has none for a token that is unknown; some have one.
        (400, json!({"error": "invalid_grant"})),
        (400, json!({"error": "invalid_token"})),
    ] {
        let found = revocation(status, body.clone()).await;
        assert!(
            matches!(found, Revocation::Revoked),
            "{status} {body} {found:?}"
        );
        assert!(found.is_complete());
    }
}

#[tokio::test]
async fn a_sign_out_says_why_the_refresh_token_was_not_revoked() {
    let found = revocation(503, json!({})).await;
    let Revocation::Failed(error) = &found else {
        panic!("{found:?}")
    };
    assert!(matches!(error, Error::Unavailable(_)) && !found.is_complete());
    assert!(
        error.to_string().contains("http://127.0.0.1"),
        "it names the issuer: {error}"
    );

    let found = revocation(401, json!({"error": "invalid_client"})).await;
    let Revocation::Failed(Error::Denied(denied)) = &found else {
        panic!("{found:?}")
    };
    assert_eq!(denied.reason(), DeniedReason::CredentialsRejected);

    let server = server_with(json!({})).await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    let signed_out = session.sign_out().await.unwrap();
    assert!(matches!(signed_out.revocation(), Revocation::NotOffered));
    assert!(!signed_out.revocation().is_complete());
}

#[tokio::test]
async fn where_there_was_no_refresh_token_there_is_nothing_to_revoke() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    let signed_out = session.sign_out().await.unwrap();
    assert!(matches!(
        signed_out.revocation(),
        Revocation::NothingToRevoke
    ));
    server.sign_in_as(&session, json!(null), &[BANKING]).await;
    let signed_out = session.sign_out().await.unwrap();
    assert!(matches!(
        signed_out.revocation(),
        Revocation::NothingToRevoke
    ));
}
