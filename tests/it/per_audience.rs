//! Issuers at which each API has a refresh token of its own.

use intelliauth::{
    AudienceParameter, AuthorizationCode, Client, Dialect, Error, TokenFamily, TokenRequest,
};
use serde_json::json;

use crate::support::{
    Server,
    person::{BANKING, HEALTH, REDIRECT, callback},
};

fn apart() -> Dialect {
    let mut dialect = Dialect::intelliauth();
    dialect.token_family = TokenFamily::PerAudience;
    dialect
}

/// Signs in for one audience, with a refresh token that is named after it.
async fn sign_in(server: &Server, client: &Client, audience: &str) {
    let code = format!("code-for-{audience}");
    server
        .token()
        .with_parameter("code", &code)
        .member("refresh_token", json!(format!("R-{audience}")))
        .grants(1)
        .mount()
        .await;
    let login =
        AuthorizationCode::redirect_to(REDIRECT).request(TokenRequest::new(audience).scope("read"));
    let (url, pending) = client.start(login).await.unwrap();
    client
        .finish(&pending, &callback(&url, &code))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_api_has_a_sign_in_and_a_refresh_token_of_its_own() {
    let server = Server::for_people().await;
    let client = server.person().dialect(apart()).build().unwrap();
    sign_in(&server, &client, BANKING).await;
    let Error::Consent(consent) = client.get_access_token(HEALTH).await.unwrap_err() else {
        panic!("the other API has no sign-in yet")
    };
    let (url, _) = consent.authorization_url(REDIRECT).unwrap();
    let audiences = url.query_pairs().filter(|(name, _)| name == "audience");
    assert_eq!(audiences.count(), 1, "a prompt is for one API there");
    sign_in(&server, &client, HEALTH).await;
    for audience in [BANKING, HEALTH] {
        server
            .refresh(&format!("R-{audience}"))
            .expect(1)
            .mount()
            .await;
        client.get_access_token(audience).await.unwrap();
    }
}

#[tokio::test]
async fn one_refused_refresh_token_leaves_the_other_alone() {
    let server = Server::for_people().await;
    let client = server.person().dialect(apart()).build().unwrap();
    sign_in(&server, &client, BANKING).await;
    sign_in(&server, &client, HEALTH).await;
    server
        .refresh(&format!("R-{BANKING}"))
        .refuses(400, "invalid_grant")
        .expect(1)
        .mount()
        .await;
    server
        .refresh(&format!("R-{HEALTH}"))
        .expect(1)
        .mount()
        .await;
    let error = client.get_access_token(BANKING).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    client.get_access_token(HEALTH).await.unwrap();
}

#[tokio::test]
async fn signing_out_revokes_them_all() {
    let server = Server::for_people().await;
    let client = server.person().dialect(apart()).build().unwrap();
    sign_in(&server, &client, BANKING).await;
    sign_in(&server, &client, HEALTH).await;
    client.sign_out().await.unwrap();
    assert_eq!(server.count_at("/oauth2/revoke").await, 2);
}

#[tokio::test]
async fn the_audience_goes_out_on_every_leg_as_the_dialect_says() {
    for (parameter, names) in [
        (AudienceParameter::Audience, &["audience"][..]),
        (AudienceParameter::Resource, &["resource"][..]),
        (AudienceParameter::Both, &["audience", "resource"][..]),
    ] {
        let server = Server::for_people().await;
        let mut dialect = Dialect::intelliauth();
        dialect.audience_parameter = parameter;
        let client = server.person().dialect(dialect).build().unwrap();
        sign_in(&server, &client, BANKING).await;
        server.refresh(&format!("R-{BANKING}")).mount().await;
        client.get_access_token(BANKING).await.unwrap();
        let seen = server.token_requests().await;
        assert_eq!(seen.len(), 2);
        for request in &seen {
            for name in ["audience", "resource"] {
                let expected = if names.contains(&name) { BANKING } else { "" };
                assert_eq!(request.parameter(name), expected, "{parameter:?}");
            }
        }
    }
}

#[tokio::test]
async fn where_asking_is_harmless_the_issuer_is_asked() {
    let server = Server::for_people().await;
    let mut dialect = Dialect::intelliauth();
    dialect.refresh_may_exceed = true;
    dialect.narrows_per_token = true;
    let client = server.person().dialect(dialect).build().unwrap();
    sign_in(&server, &client, BANKING).await;
    server
        .refresh(&format!("R-{BANKING}"))
        .audience(HEALTH)
        .scope("write")
        .expect(1)
        .mount()
        .await;
    let asked = TokenRequest::new(HEALTH).scope("write");
    client.get_access_token(&asked).await.unwrap();
}
