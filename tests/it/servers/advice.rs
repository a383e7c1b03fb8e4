//! Errors name what it takes.

use intelliauth::{AuthorizationCode, Client, DeniedReason, Error};
use serde_json::json;

use super::{back_with, server_with, token_requests};
use crate::support::person::{BANKING, HEALTH, REDIRECT, callback};

#[tokio::test]
async fn a_refusal_with_the_right_state_is_no_attack_where_it_names_no_issuer() {
    let metadata = json!({"authorization_response_iss_parameter_supported": true});
    let server = server_with(metadata).await;
    let session = server.person().build().unwrap().default_session();
    let login = || AuthorizationCode::redirect_to(REDIRECT).request(BANKING);
    let (url, pending) = session.begin_sign_in(login()).await.unwrap();
    let kind = async |query: &str| {
        let back = back_with(&url, query);
        session
            .finish_sign_in(&pending, &back)
            .await
            .unwrap_err()
            .kind()
    };
    assert_eq!(
        kind("error=access_denied").await,
        "denied",
        "they clicked Cancel"
    );
    assert_eq!(kind("error=login_required").await, "login");
    assert_eq!(
        kind("error=access_denied&iss=https://other.example").await,
        "protocol"
    );
    assert_eq!(
        kind("code=c").await,
        "protocol",
        "a success still has to name it"
    );
    assert_eq!(kind("code=c&error=access_denied").await, "protocol");
    let other = format!("{REDIRECT}?error=access_denied&state=other");
    let error = session.finish_sign_in(&pending, &other).await.unwrap_err();
    assert_eq!(error.kind(), "protocol");
    assert_eq!(token_requests(&server).await, 0);
}

#[tokio::test]
async fn a_secret_that_the_issuer_does_not_take_is_told_before_anybody_is_asked() {
    let metadata = json!({"token_endpoint_auth_methods_supported": ["none"]});
    let server = server_with(metadata).await;
    let people = server.person().client_secret("a-secret");
    let session = people.build().unwrap().default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT).request(BANKING);
    let error = session.begin_sign_in(login).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("client_authentication") && text.contains("none"),
        "{text}"
    );
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_named() {
    let client = Client::for_application("http://127.0.0.1:9", "app")
        .client_secret("x")
        .retries(0)
        .build()
        .unwrap();
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(
        error.to_string().contains("`http://127.0.0.1:9`"),
        "{error}"
    );
}

#[tokio::test]
async fn of_two_apis_the_one_that_was_granted_is_kept() {
    let server = server_with(json!({})).await;
    let refused = server.token().audience(BANKING);
    refused.refuses(400, "invalid_scope").times(1).mount().await;
    let granted = server.token().audience(HEALTH);
    granted.member("refresh_token", json!("R0")).mount().await;
    let session = server.person().build().unwrap().default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT)
        .request(BANKING)
        .request(HEALTH);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let back = callback(&url, "code");
    session.finish_sign_in(&pending, &back).await.unwrap();
    let client = session.client();
    assert_eq!(
        client
            .get_access_token(HEALTH)
            .await
            .unwrap()
            .audience()
            .as_str(),
        HEALTH
    );
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert_eq!(error.kind(), "consent", "nothing is sent for it: {error}");
    assert_eq!(token_requests(&server).await, 2);
}

#[tokio::test]
async fn a_code_that_no_api_is_granted_for_ends_with_the_first_refusal() {
    let server = server_with(json!({})).await;
    server.token().refuses(400, "invalid_target").mount().await;
    let session = server.person().build().unwrap().default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT)
        .request(BANKING)
        .request(HEALTH);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let back = callback(&url, "code");
    let error = session.finish_sign_in(&pending, &back).await.unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::AudienceNotAllowed);
    assert_eq!(denied.audience().as_str(), BANKING);
    assert_eq!(session.account().await.unwrap(), None);
}
