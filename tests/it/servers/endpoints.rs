//! Endpoints in the second metadata document, and by hand.

use intelliauth::{AuthorizationCode, Error, Revocation, Violation};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::{SECOND_PATH, answers, parameter, server_with};
use crate::support::{
    DISCOVERY_PATH, Server,
    person::{BANKING, REDIRECT},
};

/// django-oauth-toolkit, as recorded: the revocation endpoint stands in RFC 8414's document alone.
async fn split_server() -> Server {
    let server = server_with(json!({})).await;
    let second = json!({
        "issuer": server.issuer(),
        "token_endpoint": server.url("/elsewhere"),
        "revocation_endpoint": server.url("/oauth2/revoke"),
    });
    server.json(SECOND_PATH, 200, &second).await;
    answers(&server, "/oauth2/revoke", ResponseTemplate::new(200)).await;
    server
}

#[tokio::test]
async fn an_endpoint_that_the_first_document_lacks_is_found_in_the_second() {
    let server = split_server().await;
    let people = server.person().build().unwrap();
    for name in ["alice", "bob"] {
        let session = people.session(name);
        server.sign_in(&session).await;
        assert_eq!(
            server.count_at(SECOND_PATH).await,
            usize::from(name == "bob"),
            "it costs nothing before it is wanted"
        );
        let signed_out = session.sign_out().await.unwrap();
        assert!(matches!(signed_out.revocation(), Revocation::Revoked));
    }
    assert_eq!(server.revoked().await, ["R0", "R0"]);
    assert_eq!(server.count_at(SECOND_PATH).await, 1);
    assert_eq!(
        server.count_at("/elsewhere").await,
        0,
        "the first one is right"
    );
}

#[tokio::test]
async fn who_wants_a_token_alone_reads_one_document() {
    let server = split_server().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token(BANKING).await.unwrap();
    assert_eq!(server.count_at(SECOND_PATH).await, 0);
}

#[tokio::test]
async fn a_second_document_of_another_issuer_is_not_used_and_that_is_said() {
    let server = server_with(json!({})).await;
    let second = json!({
        "issuer": "https://other.example",
        "revocation_endpoint": server.url("/oauth2/revoke"),
    });
    server.json(SECOND_PATH, 200, &second).await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    let signed_out = session.sign_out().await.unwrap();
    let Revocation::Failed(Error::Protocol(violation)) = signed_out.revocation() else {
        panic!("{signed_out:?}")
    };
    assert!(matches!(
        violation.violation(),
        Violation::WrongIssuer { .. }
    ));
    assert!(server.revoked().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_by_hand_comes_before_the_metadata_and_leaves_the_rest_to_it() {
    let server = split_server().await;
    answers(&server, "/by-hand", ResponseTemplate::new(200)).await;
    let people = server.person().revocation_endpoint(server.url("/by-hand"));
    let session = people.build().unwrap().default_session();
    server.sign_in(&session).await;
    session.sign_out().await.unwrap();
    assert_eq!(server.count_at("/by-hand").await, 1);
    assert_eq!(server.count_at(SECOND_PATH).await, 0);

    // The token endpoint by hand does not cost the sign-in.
    let people = server.person();
    let people = people.token_endpoint(server.url(crate::support::TOKEN_PATH));
    let session = people.build().unwrap().session("bob");
    server.sign_in(&session).await;
}

#[tokio::test]
async fn an_issuer_without_metadata_is_used_by_hand() {
    let server = Server::bare().await;
    let people = server
        .person()
        .token_endpoint(server.url(crate::support::TOKEN_PATH))
        .authorization_endpoint(server.url("/authorize?tenant=1"));
    let session = people.build().unwrap().default_session();
    let login = AuthorizationCode::redirect_to(REDIRECT).request(BANKING);
    let (url, _) = session.begin_sign_in(login).await.unwrap();
    assert_eq!(url.path(), "/authorize");
    assert_eq!(parameter(&url, "tenant").as_deref(), Some("1"));
    server.sign_in(&session).await;
    assert!(server.count_at(DISCOVERY_PATH).await >= 1);
}

#[test]
fn an_endpoint_that_cannot_be_used_is_told_by_its_name() {
    let build = |set: fn(intelliauth::ClientBuilder) -> intelliauth::ClientBuilder| {
        let builder = intelliauth::Client::for_application("https://issuer.example", "app");
        set(builder).build().unwrap_err()
    };
    for (error, field) in [
        (
            build(|one| one.revocation_endpoint("nowhere")),
            "revocation_endpoint",
        ),
        (
            build(|one| one.userinfo_endpoint("http://x.example/u")),
            "userinfo_endpoint",
        ),
        (build(|one| one.jwks_uri("")), "jwks_uri"),
        (
            build(|one| one.end_session_endpoint("x")),
            "end_session_endpoint",
        ),
        (
            build(|one| one.authorization_endpoint("x")),
            "authorization_endpoint",
        ),
        (
            build(|one| one.device_authorization_endpoint("x")),
            "device_authorization_endpoint",
        ),
    ] {
        assert_eq!(error.field(), field);
    }
}
