//! Each preset sends what the servers it is for take.

use intelliauth::{
    AudienceParameter, AuthorizationCode, DeniedReason, DeviceCode, Dialect, Error, TokenFamily,
    TokenRequest,
};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{answers, audiences, back_with, parameter, server_with};
use crate::support::{
    Server,
    person::{BANKING, HEALTH, REDIRECT, callback},
};

fn login() -> AuthorizationCode {
    AuthorizationCode::redirect_to(REDIRECT).request(TokenRequest::new(BANKING).scope("read"))
}

#[tokio::test]
async fn a_sign_in_asks_for_the_scopes_that_the_dialect_names() {
    for (dialect, expected) in [
        (Dialect::intelliauth(), "offline_access openid read"),
        (Dialect::resource_indicators(), "offline_access openid read"),
        (Dialect::family_per_audience(), "offline_access openid read"),
        (
            Dialect::intelliauth().without_offline_access(),
            "openid read",
        ),
        (Dialect::intelliauth().oauth_only(), "read"),
    ] {
        let server = server_with(json!({})).await;
        let people = server.person().dialect(dialect.clone()).build().unwrap();
        let session = people.default_session();
        let (url, _) = session.begin_sign_in(login()).await.unwrap();
        assert_eq!(
            parameter(&url, "scope").as_deref(),
            Some(expected),
            "{dialect:?}"
        );
        // Whoever names one gets it all the same.
        let named = login().scope("offline_access");
        let (url, _) = session.begin_sign_in(named).await.unwrap();
        let scopes = parameter(&url, "scope").unwrap();
        assert!(scopes.contains("offline_access"), "{scopes}");
    }
}

#[tokio::test]
async fn an_error_goes_on_with_the_scopes_that_the_dialect_names() {
    let server = server_with(json!({})).await;
    let dialect = Dialect::resource_indicators().without_offline_access();
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    let error = session
        .client()
        .get_access_token(BANKING)
        .await
        .unwrap_err();
    let Error::Login(login) = &error else {
        panic!("{error}")
    };
    let (url, _) = login.authorization_url(REDIRECT).unwrap();
    assert_eq!(parameter(&url, "scope").as_deref(), Some("openid"));
    assert_eq!(
        parameter(&url, "prompt"),
        None,
        "no page for what is not asked for"
    );
}

#[tokio::test]
async fn a_refused_scope_names_all_that_were_sent() {
    let server = server_with(json!({})).await;
    let people = server.person().build().unwrap();
    let session = people.default_session();
    let login = login().request(TokenRequest::new(HEALTH).scope("records"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let back = back_with(&url, "error=invalid_scope");
    let error = session.finish_sign_in(&pending, &back).await.unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotAllowed);
    let all = "offline_access openid read records";
    assert_eq!(denied.missing().to_string(), all);
    assert!(error.to_string().contains(all), "{error}");
    let advice = error.next_move();
    assert!(advice.contains("asks_offline_access"), "{advice}");

    let metadata = json!({"device_authorization_endpoint": server.url("/device")});
    let server = server_with(metadata).await;
    answers(
        &server,
        "/device",
        ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_scope"})),
    )
    .await;
    let people = server.person();
    let people = people.device_authorization_endpoint(server.url("/device"));
    let session = people.build().unwrap().default_session();
    let login = DeviceCode::new(|_| ()).request(TokenRequest::new(BANKING).scope("read"));
    let error = session.sign_in(login).await.unwrap_err();
    assert!(
        error.to_string().contains("offline_access openid read"),
        "{error}"
    );
}

/// django-oauth-toolkit and glewlwyd, as recorded: a refresh token yields tokens for the `resource` that it
/// came with, and for any other `invalid_target`.
async fn binding_server() -> Server {
    let server = server_with(json!({})).await;
    for (audience, token) in [(BANKING, "RB"), (HEALTH, "RH")] {
        server
            .token()
            .with_parameter("resource", audience)
            .with_parameter("grant_type", "authorization_code")
            .member("refresh_token", json!(token))
            .grants(1)
            .mount()
            .await;
        server
            .refresh(token)
            .with_parameter("resource", audience)
            .member("refresh_token", json!(token))
            .mount()
            .await;
    }
    let refused = server.token().with_parameter("grant_type", "refresh_token");
    let refused = refused.refuses(400, "invalid_target");
    refused.mount().await;
    server
}

#[tokio::test]
async fn one_family_for_each_api_serves_a_server_that_binds_its_refresh_tokens() {
    let server = binding_server().await;
    let dialect = Dialect::family_per_audience();
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    for audience in [BANKING, HEALTH] {
        let login = AuthorizationCode::redirect_to(REDIRECT).request(audience);
        let (url, pending) = session.begin_sign_in(login).await.unwrap();
        let back = callback(&url, audience);
        session.finish_sign_in(&pending, &back).await.unwrap();
    }
    // The access tokens that came with the sign-ins have ended.
    server.advance(2.0);
    for audience in [BANKING, HEALTH] {
        session.client().get_access_token(audience).await.unwrap();
    }
    let sent = audiences(&server, "resource").await;
    assert_eq!(sent, [BANKING, HEALTH, BANKING, HEALTH]);
}

#[tokio::test]
async fn a_refresh_token_that_serves_one_api_is_told_with_the_setting() {
    let server = binding_server().await;
    let dialect = Dialect::resource_indicators();
    let people = server.person().dialect(dialect).build().unwrap();
    let session = people.default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT)
        .request(BANKING)
        .request(HEALTH);
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let back = callback(&url, "code");
    session.finish_sign_in(&pending, &back).await.unwrap();
    let error = session.client().get_access_token(HEALTH).await.unwrap_err();
    let Error::Denied(denied) = &error else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::AudienceNotInFamily);
    let advice = error.next_move();
    assert!(advice.contains("TokenFamily::PerAudience"), "{advice}");
}

#[test]
fn the_presets_are_what_the_guide_says() {
    let guide = include_str!("../../../src/guide/servers.rs");
    for preset in [
        "intelliauth",
        "resource_indicators",
        "family_per_audience",
        "without_offline_access",
        "oauth_only",
    ] {
        assert!(
            guide.contains(&format!("[`{preset}`](crate::Dialect::{preset})"))
                || guide.contains(&format!("(crate::Dialect::{preset})")),
            "{preset}"
        );
    }
    let [default, resource, family] = [
        Dialect::intelliauth(),
        Dialect::resource_indicators(),
        Dialect::family_per_audience(),
    ];
    assert_eq!(default, Dialect::default());
    assert_eq!(default.audience_parameter, AudienceParameter::Audience);
    assert_eq!(default.token_family, TokenFamily::One);
    assert!(default.asks_openid && default.asks_offline_access);
    assert!(!default.offline_needs_consent && resource.offline_needs_consent);
    for dialect in [&resource, &family] {
        assert_eq!(dialect.audience_parameter, AudienceParameter::Resource);
    }
    assert_eq!(family.token_family, TokenFamily::PerAudience);
    assert!(!family.offline_needs_consent);
}
