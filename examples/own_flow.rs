//! A flow of your own: the JWT bearer grant (RFC 7523) of a workload that has a signed assertion.
//!
//! Everything else stays as it is: one request for all who ask, each audience cached apart, refreshed
//! ahead. The local issuer does not offer this grant, so the last lines show its refusal and a flow
//! that needs no issuer at all.
//!
//! ```console
//! $ cargo run --example own_flow
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Duration;

use intelliauth::{Client, Error, Flow, FlowContext, Secret, TokenResponse};
use intelliauth_emulator::{Config, Emulator};

/// Trades the assertion that the workload's platform renews for an access token.
#[derive(Debug)]
struct JwtBearer;

impl Flow for JwtBearer {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        // A real workload reads it from the file or socket where its platform puts a fresh one.
        let assertion = Secret::from("an.assertion.of-the-platform");
        cx.extension_grant("urn:ietf:params:oauth:grant-type:jwt-bearer")
            .secret_parameter("assertion", assertion)
            // An assertion is not used up, so an answer that was lost can be asked for again.
            .can_be_repeated()
            .send()
            .await
    }
}

/// Hands out what somebody else has minted: a side car, a metadata server, a test.
#[derive(Debug)]
struct SideCar;

impl Flow for SideCar {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let token = format!("opaque-token-for-{}", cx.audience());
        Ok(TokenResponse::new(token).lifetime(Duration::from_secs(600)))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let emulator = Emulator::start(Config::sample()).await?;
    let client = Client::builder(emulator.issuer(), "app_01HZX0SERVICE", JwtBearer)
        .client_secret("sample-service-secret")
        .build()?;
    match client.get_access_token("api.banking.cymmetri.com").await {
        Ok(token) => println!("got {token:?}"),
        Err(error) => println!("{error}\n  what to do: {}", error.next_move()),
    }

    let client = Client::builder(emulator.issuer(), "app_01HZX0SERVICE", SideCar).build()?;
    let token = client.get_access_token("api.banking.cymmetri.com").await?;
    let again = client.get_access_token("api.banking.cymmetri.com").await?;
    println!(
        "{token:?} from the {}, then from the {}",
        token.source(),
        again.source()
    );
    println!(
        "whether it is for that API cannot be seen: {}",
        !token.audience_is_checked()
    );
    Ok(())
}
