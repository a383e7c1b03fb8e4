//! The whole journey in five seconds, against a local issuer: no account, no configuration.
//!
//! ```console
//! $ cargo run --example quickstart
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Duration;

use axum::{Router, routing};
use intelliauth::{
    AccessToken, Client, Error, ManualClock, TokenRequest,
    resource_server::{Claims, ProtectedRouter, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator};
use jiff::{Timestamp, Unit};
use tokio::net::TcpListener;

const BANKING: &str = "api.banking.cymmetri.com";
const HEALTH: &str = "api.health.cymmetri.com";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The platform, in this process. Its counts show what really went over the wire.
    let emulator = Emulator::start(Config::sample()).await?;
    // A clock that only this program moves, set to the issuer's time.
    let clock = ManualClock::at(emulator.now());
    let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
        .client_secret("sample-service-secret")
        .clock(clock.clone())
        .build()?;
    println!(
        "An issuer runs at {}; nothing was asked of it yet.",
        emulator.issuer()
    );

    println!("\n1. A token for each API");
    let banking = client.get_access_token(BANKING).await?;
    let health = client.get_access_token(HEALTH).await?;
    explain(&banking)?;
    explain(&health)?;
    println!("   That took {}.", requests(&emulator));

    println!("\n2. Asking again");
    let again = client.get_access_token(BANKING).await?;
    println!(
        "   The token for {BANKING} came from the {}: still {}.",
        again.source(),
        requests(&emulator)
    );

    println!("\n3. Two audiences are cached apart");
    client.clear(BANKING);
    println!("   The token for {BANKING} is forgotten. The one for {HEALTH} is still there:");
    let health_again = client.get_access_token(HEALTH).await?;
    anyhow::ensure!(
        health_again.secret() == health.secret(),
        "it should be the same token"
    );
    println!(
        "   it came from the {}, and it is still {}.",
        health_again.source(),
        requests(&emulator)
    );

    refusal(&client, &emulator).await?;
    refresh_ahead(&client, &emulator, &clock).await?;
    stampede(&client, &emulator).await?;
    whole_circle(&client, &emulator, &clock).await?;
    println!("\nNext: examples/README.md says which example to read for what.");
    Ok(())
}

async fn refusal(client: &Client, emulator: &Emulator) -> anyhow::Result<()> {
    println!("\n4. A scope that the application may not have");
    let greedy = TokenRequest::new(BANKING).scope("write:transactions");
    match client.get_access_token(&greedy).await {
        Ok(_) => anyhow::bail!("the allowlist should have stopped this"),
        Err(Error::Denied(denied)) => {
            println!("   Refused: {denied}.");
            println!("   What to do: {}.", Error::Denied(denied).next_move());
        }
        Err(other) => return Err(other.into()),
    }
    let before = emulator.token_requests();
    let repeated = client.get_access_token(&greedy).await;
    anyhow::ensure!(repeated.is_err() && emulator.token_requests() == before);
    println!("   Asking again at once is answered from memory, without a request.");
    Ok(())
}

async fn refresh_ahead(
    client: &Client,
    emulator: &Emulator,
    clock: &ManualClock,
) -> anyhow::Result<()> {
    println!("\n5. A token is refreshed before it ends");
    let token = client.get_access_token(BANKING).await?;
    let before = emulator.token_requests();
    let to_the_window = token.lifetime().mul_f64(0.95);
    // Both clocks are moved, so that nobody has to wait.
    clock.advance(to_the_window);
    emulator.advance(to_the_window);
    let old = client.get_access_token(BANKING).await?;
    anyhow::ensure!(
        old.secret() == token.secret(),
        "nobody waits for a refresh ahead"
    );
    println!(
        "   After 95 % of its life it was handed out at once ({}),",
        old.source()
    );
    client.close().await?;
    let new = client.get_access_token(BANKING).await?;
    anyhow::ensure!(
        new.secret() != token.secret(),
        "the next token should be there"
    );
    println!(
        "   and the next one was fetched behind it by {} request: it ends {}.",
        emulator.token_requests() - before,
        Timestamp::try_from(new.expires_at())?.round(Unit::Second)?
    );
    Ok(())
}

async fn stampede(client: &Client, emulator: &Emulator) -> anyhow::Result<()> {
    println!("\n6. Hammering it");
    let before = emulator.token_requests();
    client.clear(BANKING);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get_access_token(BANKING).await })
        })
        .collect();
    for call in calls {
        call.await??;
    }
    println!(
        "   1000 callers at once, none with a token: {} request.",
        emulator.token_requests() - before
    );
    Ok(())
}

async fn whole_circle(
    client: &Client,
    emulator: &Emulator,
    clock: &ManualClock,
) -> anyhow::Result<()> {
    println!("\n7. The other end: two APIs that enforce audience and scope");
    let banking = serve(api(emulator, clock, BANKING)?).await?;
    let health = serve(api(emulator, clock, HEALTH)?).await?;
    let request = TokenRequest::new(BANKING).scope("read:transactions");
    let token = client.get_access_token(&request).await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    for (what, url, expected) in [
        (
            "The banking API, for its transactions",
            format!("{banking}/transactions"),
            200,
        ),
        (
            "The health API, though the token is valid",
            format!("{health}/transactions"),
            401,
        ),
        (
            "The banking API, for its settings",
            format!("{banking}/settings"),
            403,
        ),
    ] {
        let call = http.get(url).header("authorization", token.header_value());
        let response = call.send().await?;
        let status = response.status();
        let challenge = response.headers().get("www-authenticate");
        let said = challenge
            .and_then(|value| value.to_str().ok())
            .unwrap_or("the token is accepted");
        println!("   {what}: {status}\n     {said}");
        anyhow::ensure!(status == expected, "that should have been {expected}");
    }
    Ok(())
}

/// An API in which every route says what it needs; a route that does not is no route.
fn api(emulator: &Emulator, clock: &ManualClock, audience: &str) -> anyhow::Result<Router> {
    let verifier = Verifier::builder(emulator.issuer(), audience)
        .clock(clock.clone())
        .build()?;
    let subject = async |claims: Claims| claims.subject().unwrap_or_default().to_owned();
    let router = ProtectedRouter::new(verifier)
        .get(
            "/transactions",
            require_scope("read:transactions")?,
            subject,
        )
        .get("/settings", require_scope("write:settings")?, subject)
        .open("/healthz", routing::get(async || "ok"));
    Ok(router.into_router()?)
}

/// Serves it on a free port of this machine until the program ends.
async fn serve(router: Router) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// Says what a token is for, in plain sentences.
fn explain(token: &AccessToken) -> anyhow::Result<()> {
    // Unverified claims are for showing things. The API checks the signature, this program cannot.
    let claims = token.danger_unverified_claims();
    let aud = claims
        .as_ref()
        .map(|claims| claims.audiences().join(", "))
        .unwrap_or_default();
    println!("   A token for {aud}, and for no other API (aud).");
    println!("     It allows {} (scope).", token.scopes());
    println!(
        "     It ends {} (exp), {} after it was asked for.",
        Timestamp::try_from(token.expires_at())?.round(Unit::Second)?,
        minutes(token.lifetime())
    );
    Ok(())
}

fn minutes(duration: Duration) -> String {
    format!("{} minutes", duration.as_secs() / 60)
}

fn requests(emulator: &Emulator) -> String {
    match emulator.token_requests() {
        1 => "1 token request in all, by the issuer's own count".to_owned(),
        n => format!("{n} token requests in all, by the issuer's own count"),
    }
}
