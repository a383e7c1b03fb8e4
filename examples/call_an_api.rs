//! Calls an API with reqwest, and what to do when it answers 401.
//!
//! The example brings an API of its own, which forgets what it accepts once, as one does whose issuer
//! has revoked a token.
//!
//! ```console
//! $ cargo run --example call_an_api
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use http::{StatusCode, header::AUTHORIZATION};
use intelliauth::{AudienceHandle, Client};
use intelliauth_emulator::{Config, Emulator};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let emulator = Emulator::start(Config::sample()).await?;
    let api = api_that_refuses_once().await;
    let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
        .client_secret("sample-service-secret")
        .build()?;
    let banking = client.audience("api.banking.cymmetri.com");
    let http = reqwest::Client::builder().no_proxy().build()?;

    let answer = call(&http, &banking, &format!("{}/transactions", api.uri())).await?;
    println!(
        "the API answered {} with {}",
        answer.status(),
        answer.text().await?
    );
    println!(
        "token requests: {} (the second one after the 401)",
        emulator.token_requests()
    );
    Ok(())
}

/// One API call: the token is asked for right before it, and a 401 is answered once.
async fn call(
    http: &reqwest::Client,
    audience: &AudienceHandle,
    url: &str,
) -> anyhow::Result<reqwest::Response> {
    let token = audience.get_access_token().await?;
    let answer = http
        .get(url)
        .header(AUTHORIZATION, token.header_value())
        .send()
        .await?;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    // Of many calls that fail together, one fetches the next token, and all get it.
    println!("the API answered 401: once more with the next token");
    let next = audience.after_unauthorized(&token).await?;
    Ok(http
        .get(url)
        .header(AUTHORIZATION, next.header_value())
        .send()
        .await?)
}

async fn api_that_refuses_once() -> MockServer {
    let api = MockServer::start().await;
    let refusal = ResponseTemplate::new(401)
        .insert_header("www-authenticate", "Bearer error=\"invalid_token\"");
    let route = || Mock::given(matchers::method("GET")).and(matchers::path("/transactions"));
    route()
        .respond_with(refusal)
        .up_to_n_times(1)
        .mount(&api)
        .await;
    route()
        .respond_with(ResponseTemplate::new(200).set_body_string("[]"))
        .mount(&api)
        .await;
    api
}
