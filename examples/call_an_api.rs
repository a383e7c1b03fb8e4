//! Calls two APIs with reqwest, and what follows when one of them refuses.
//!
//! The APIs are its own: banking has forgotten the first token that it sees, as after a revocation, and
//! health wants a scope that the call has not named.
//!
//! ```console
//! $ cargo run --example call_an_api
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use intelliauth::{Api, Client, Error, TokenRequest};
use intelliauth_emulator::{Config, Emulator};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

const BANKING: &str = "api.banking.cymmetri.com";
const HEALTH: &str = "api.health.cymmetri.com";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let emulator = Emulator::start(Config::sample()).await?;
    let (banking, health) = (
        refusing_once(401, "Bearer error=\"invalid_token\"").await,
        refusing_once(
            403,
            "Bearer error=\"insufficient_scope\", scope=\"write:records\"",
        )
        .await,
    );
    let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
        .client_secret("sample-service-secret")
        .build()?;

    // Each origin gets the tokens of its audience, and no other origin gets any.
    let apis = client
        .middleware()
        .api(banking.uri(), BANKING)
        .api(health.uri(), HEALTH);
    let plain = reqwest::Client::builder().no_proxy().build()?;
    let http = reqwest_middleware::ClientBuilder::new(plain.clone())
        .with(apis)
        .build();

    let read = TokenRequest::new(BANKING).scope("read:transactions");
    let answer = http.get(banking.uri()).with_extension(read).send().await?;
    println!("banking: {} after a 401", answer.status());
    report(&emulator, &banking, &health).await;

    // A scope that was not listed for the API is never asked for: the error names it.
    let error = http.get(health.uri()).send().await.err();
    let error = error.as_ref().and_then(|error| Error::find(error));
    println!(
        "health: {}",
        error.map_or_else(String::new, Error::next_move)
    );
    report(&emulator, &banking, &health).await;

    // Without the middleware: the same decisions in one call.
    let api = Api::new(HEALTH);
    let answer = intelliauth::send(&client, &api, plain.get(health.uri())).await?;
    println!("health: {}", answer.status());
    report(&emulator, &banking, &health).await;
    Ok(())
}

/// What was asked of whom.
async fn report(emulator: &Emulator, banking: &MockServer, health: &MockServer) {
    let count = |got: Option<Vec<wiremock::Request>>| got.map_or(0, |requests| requests.len());
    println!(
        "  so far: issuer {} token requests, banking {} calls, health {} calls",
        emulator.token_requests(),
        count(banking.received_requests().await),
        count(health.received_requests().await),
    );
}

/// An API that challenges its first caller like this, and then answers.
async fn refusing_once(status: u16, challenge: &str) -> MockServer {
    let api = MockServer::start().await;
    let refusal = ResponseTemplate::new(status).insert_header("www-authenticate", challenge);
    let once = Mock::given(matchers::any()).respond_with(refusal);
    once.up_to_n_times(1).mount(&api).await;
    let answers = Mock::given(matchers::any()).respond_with(ResponseTemplate::new(200));
    answers.mount(&api).await;
    api
}
