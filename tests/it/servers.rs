//! Servers that nobody here wrote, as recorded: what they want, what they answer, what is said about it.

mod advice;
mod endpoints;
mod presets;
mod rotated_secret;
mod signed_out;
mod who;

use serde_json::{Value, json};
use url::Url;
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::support::{DISCOVERY_PATH, Server, TOKEN_PATH, person::REDIRECT};

/// RFC 8414's document, of an issuer without a path.
const SECOND_PATH: &str = "/.well-known/oauth-authorization-server";

/// An issuer with this metadata beside what every one has.
async fn server_with(members: Value) -> Server {
    let server = Server::bare().await;
    let mut document = server.metadata();
    document["authorization_endpoint"] = json!(server.url("/oauth2/authorize"));
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    server.json(DISCOVERY_PATH, 200, &document).await;
    server
}

/// What `POST path` answers.
async fn answers(server: &Server, path: &str, template: ResponseTemplate) {
    Mock::given(matchers::method("POST"))
        .and(matchers::path(path))
        .respond_with(template)
        .mount(&server.mock)
        .await;
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// The person comes back with this instead of a code.
fn back_with(url: &Url, query: &str) -> String {
    let state = parameter(url, "state").unwrap();
    format!("{REDIRECT}?{query}&state={state}")
}

/// The audiences of the token requests, by this parameter.
async fn audiences(server: &Server, name: &str) -> Vec<String> {
    let requests = server.token_requests().await;
    let values = requests.iter().map(|seen| seen.parameter(name).to_owned());
    values.collect()
}

/// How often the token endpoint's path, and no other, was asked for.
async fn token_requests(server: &Server) -> usize {
    server.count_at(TOKEN_PATH).await
}
