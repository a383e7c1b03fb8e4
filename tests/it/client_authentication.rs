//! How the client proves who it is, and what else a token request says.

use base64::{Engine, engine::general_purpose::STANDARD};
use intelliauth::{
    AudienceParameter, Client, ClientAuthentication, ClientBuilder, Dialect, TokenRequest,
};
use serde_json::json;

use crate::support::{CLIENT_ID, DISCOVERY_PATH, Seen, Server};

/// Every character that an encoding could trip over.
const ODD_SECRET: &str = "a+b%c&d=e:f/g h";

/// The one request that a client built so makes.
async fn request_of(server: &Server, client: ClientBuilder) -> Seen {
    server.token().grants(300).mount().await;
    let client = client.build().unwrap();
    client.get_access_token("api").await.unwrap();
    let mut requests = server.token_requests().await;
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

async fn server_offering(methods: &[&str]) -> Server {
    let server = Server::bare().await;
    let mut metadata = server.metadata();
    metadata["token_endpoint_auth_methods_supported"] = json!(methods);
    server.json(DISCOVERY_PATH, 200, &metadata).await;
    server
}

/// The id and secret in a Basic header, as they stand there.
fn basic(seen: &Seen) -> String {
    let value = seen.authorization.as_deref().unwrap();
    let encoded = value.strip_prefix("Basic ").unwrap();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

fn is_absent(seen: &Seen, name: &str) -> bool {
    seen.form.iter().all(|(known, _)| known != name)
}

#[tokio::test]
async fn basic_sends_id_and_secret_form_encoded_and_nothing_in_the_body() {
    let server = Server::start().await;
    let seen = request_of(&server, server.client().client_secret(ODD_SECRET)).await;
    assert_eq!(basic(&seen), "app_test:a%2Bb%25c%26d%3De%3Af%2Fg+h");
    assert!(is_absent(&seen, "client_secret"), "{seen:?}");
}

#[tokio::test]
async fn raw_basic_sends_them_as_they_are() {
    for by_dialect in [true, false] {
        let server = Server::start().await;
        let client = server.client().client_secret(ODD_SECRET);
        let client = if by_dialect {
            let mut dialect = Dialect::intelliauth();
            dialect.raw_basic = true;
            client.dialect(dialect)
        } else {
            client.client_authentication(ClientAuthentication::BasicRaw)
        };
        let seen = request_of(&server, client).await;
        assert_eq!(basic(&seen), format!("{CLIENT_ID}:{ODD_SECRET}"));
        assert!(is_absent(&seen, "client_secret"), "{seen:?}");
    }
}

#[tokio::test]
async fn post_sends_both_in_the_body_and_no_header() {
    let server = Server::start().await;
    let client = server
        .client()
        .client_secret(ODD_SECRET)
        .client_authentication(ClientAuthentication::Post);
    let seen = request_of(&server, client).await;
    assert_eq!(seen.authorization, None);
    assert_eq!(seen.parameter("client_id"), CLIENT_ID);
    assert_eq!(seen.parameter("client_secret"), ODD_SECRET);
}

#[tokio::test]
async fn a_public_client_only_names_itself() {
    let server = Server::start().await;
    let public = Client::for_application(server.issuer(), CLIENT_ID).retries(0);
    let seen = request_of(&server, public).await;
    assert_eq!(seen.authorization, None);
    assert_eq!(seen.parameter("client_id"), CLIENT_ID);
    assert!(is_absent(&seen, "client_secret"), "{seen:?}");
}

#[tokio::test]
async fn a_secret_that_is_not_to_be_used_is_not_sent() {
    let server = Server::start().await;
    let client = server
        .client()
        .client_authentication(ClientAuthentication::None);
    let seen = request_of(&server, client).await;
    assert_eq!(seen.authorization, None);
    assert!(is_absent(&seen, "client_secret"), "{seen:?}");
}

#[tokio::test]
async fn the_metadata_chooses_the_method() {
    for (offered, is_basic) in [
        (&["client_secret_basic"][..], true),
        (&["client_secret_post", "client_secret_basic"], true),
        (&["private_key_jwt", "client_secret_post"], false),
    ] {
        let server = server_offering(offered).await;
        let seen = request_of(&server, server.client()).await;
        assert_eq!(seen.authorization.is_some(), is_basic, "{offered:?}");
        assert_eq!(is_absent(&seen, "client_secret"), is_basic, "{offered:?}");
    }
}

#[tokio::test]
async fn metadata_without_a_word_means_basic() {
    let server = Server::bare().await;
    let mut metadata = server.metadata();
    let members = metadata.as_object_mut().unwrap();
    members.remove("token_endpoint_auth_methods_supported");
    server.json(DISCOVERY_PATH, 200, &metadata).await;
    let seen = request_of(&server, server.client()).await;
    assert_eq!(basic(&seen), "app_test:test-client-secret");
}

#[tokio::test]
async fn a_choice_by_hand_outweighs_the_metadata() {
    let server = server_offering(&["client_secret_basic"]).await;
    let client = server
        .client()
        .client_authentication(ClientAuthentication::Post);
    let seen = request_of(&server, client).await;
    assert_eq!(seen.authorization, None);
    assert!(!is_absent(&seen, "client_secret"));
}

#[tokio::test]
async fn an_issuer_that_takes_no_secret_is_asked_nothing() {
    let server = server_offering(&["private_key_jwt", "none"]).await;
    let client = server.client().build().unwrap();
    let error = client.get_access_token("api").await.unwrap_err();
    assert_eq!(error.kind(), "protocol");
    assert!(error.to_string().contains("private_key_jwt"), "{error}");
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn json_is_asked_for_at_every_endpoint() {
    let server = Server::start().await;
    let seen = request_of(&server, server.client()).await;
    assert_eq!(seen.accept.as_deref(), Some("application/json"));
    for request in server.mock.received_requests().await.unwrap() {
        assert_eq!(request.headers["accept"], "application/json");
    }
}

#[tokio::test]
async fn the_dialect_names_the_audience() {
    let mut both = Dialect::intelliauth();
    both.audience_parameter = AudienceParameter::Both;
    for (dialect, audience, resource) in [
        (Dialect::intelliauth(), "api", ""),
        (Dialect::resource_indicators(), "", "api"),
        (both, "api", "api"),
    ] {
        let server = Server::start().await;
        let seen = request_of(&server, server.client().dialect(dialect)).await;
        assert_eq!(seen.parameter("audience"), audience);
        assert_eq!(seen.parameter("resource"), resource);
        assert_eq!(is_absent(&seen, "audience"), audience.is_empty());
        assert_eq!(is_absent(&seen, "resource"), resource.is_empty());
    }
}

#[tokio::test]
async fn an_audience_goes_out_to_the_letter() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    let odd = ["API", "api", "https://api.example/", "a b+c%20&d=é", " api"];
    for audience in odd {
        client.get_access_token(audience).await.unwrap();
    }
    let requests = server.token_requests().await;
    let sent: Vec<&str> = requests.iter().map(|r| r.parameter("audience")).collect();
    assert_eq!(sent, odd);
}

#[tokio::test]
async fn scopes_go_out_sorted_and_not_at_all_if_none_is_named() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    let request = TokenRequest::new("api")
        .scope("write b:x")
        .scopes(["a", "write"]);
    client.get_access_token(request).await.unwrap();
    let requests = server.token_requests().await;
    assert!(is_absent(&requests[0], "scope"), "{requests:?}");
    assert_eq!(requests[1].parameter("scope"), "a b:x write");
    assert_eq!(requests[1].parameter("grant_type"), "client_credentials");
}

#[tokio::test]
async fn extra_parameters_go_out_beside_the_others() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    let request = TokenRequest::new("api").parameter("tenant", "a&b=c");
    client.get_access_token(request).await.unwrap();
    let requests = server.token_requests().await;
    assert_eq!(requests[0].parameter("tenant"), "a&b=c");
    assert_eq!(requests[0].parameter("audience"), "api");
}
