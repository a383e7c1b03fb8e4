//! An API that enforces audience and scopes on every route.
//!
//! ```console
//! $ cargo run --example protected_api --features axum
//! ```
//!
//! Without variables it starts an issuer of its own and prints requests to try. With them it trusts a
//! real tenant:
//!
//! ```console
//! $ export INTELLIAUTH_TENANT_URL=https://banking-cymmetri.intelliauth.local
//! $ export INTELLIAUTH_API_AUDIENCE=api.banking.cymmetri.com
//! $ PORT=3000 cargo run --example protected_api --features axum
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::env;

use anyhow::{Context, bail};
use axum::{Json, routing};
use intelliauth::{
    AccessToken, Client, TokenRequest,
    resource_server::{Algorithm, Claims, ProtectedRouter, Verifier, require_all, require_scope},
};
use intelliauth_emulator::{Api, Application, Config, Emulator};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let port: u16 = match variable("PORT")? {
        Some(port) => port.parse().context("PORT is no port number")?,
        None => 3000,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let base = format!("http://{}", listener.local_addr()?);

    let tenant = (
        variable("INTELLIAUTH_TENANT_URL")?,
        variable("INTELLIAUTH_API_AUDIENCE")?,
    );
    let (issuer, audience, _emulator) = match tenant {
        (Some(issuer), Some(audience)) => (issuer, audience, None),
        (None, None) => {
            let emulator = Emulator::start(tenant_to_try()).await?;
            print_requests(&emulator, &base).await?;
            (
                emulator.issuer().to_owned(),
                AUDIENCE.to_owned(),
                Some(emulator),
            )
        }
        _ => bail!("set both INTELLIAUTH_TENANT_URL and INTELLIAUTH_API_AUDIENCE, or neither"),
    };

    // Nothing is sent yet: this API starts while its issuer is down.
    let verifier = Verifier::builder(issuer, audience)
        .algorithms([Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])
        .build()?;
    let router = routes(verifier)?;
    println!("Listening on {base}:");
    for route in router.routes() {
        println!("  {route}");
    }
    axum::serve(listener, router.into_router()?).await?;
    Ok(())
}

/// Every route says what it needs; one that does not is no route.
fn routes(verifier: Verifier) -> anyhow::Result<ProtectedRouter> {
    let router = ProtectedRouter::new(verifier)
        .get(
            "/transactions",
            require_scope("read:transactions")?,
            transactions,
        )
        .post("/settings", require_scope("write:settings")?, settings)
        .post(
            "/applications",
            require_all(["manage:applications", "write:settings"])?,
            applications,
        )
        .open("/healthz", routing::get(async || "ok\n"));
    Ok(router)
}

async fn transactions(claims: Claims) -> Json<Value> {
    Json(
        json!({ "of": claims.subject(), "transactions": [{ "amount": "-12.50", "for": "coffee beans" }] }),
    )
}

async fn settings(claims: Claims) -> Json<Value> {
    Json(json!({ "changed_by": claims.subject() }))
}

async fn applications(claims: Claims) -> Json<Value> {
    Json(json!({ "registered_by": claims.client_id() }))
}

/// A tenant with this API, an application that may do all of it and one that may only read.
fn tenant_to_try() -> Config {
    let api = Api::new(AUDIENCE)
        .scope(
            "read:transactions",
            "Read transactions",
            "See your transactions",
        )
        .scope("write:settings", "Change settings", "Change your settings")
        .scope(
            "manage:applications",
            "Manage applications",
            "Register applications",
        );
    let reader = Application::service(READER, "sample-reader-secret")
        .allow_audiences([AUDIENCE])
        .allow_scopes(["read:transactions"]);
    let admin = Application::service(ADMIN, "sample-admin-secret")
        .allow_audiences([AUDIENCE])
        .allow_scopes(["read:transactions", "write:settings", "manage:applications"]);
    Config::new("banking", "cymmetri")
        .api(api)
        .application(reader)
        .application(admin)
}

/// Prints requests with real tokens, and what they are answered.
async fn print_requests(emulator: &Emulator, base: &str) -> anyhow::Result<()> {
    let reader = token(
        emulator,
        READER,
        "sample-reader-secret",
        &["read:transactions"],
    )
    .await?;
    let all = ["manage:applications", "write:settings"];
    let admin = token(emulator, ADMIN, "sample-admin-secret", &all).await?;
    println!(
        "An issuer runs at {}. Its tokens last an hour; try them:\n",
        emulator.issuer()
    );
    println!("READER={}\nADMIN={}\n", reader.secret(), admin.secret());
    for (arguments, answer) in [
        ("/healthz", "200, it is open"),
        ("/transactions", "401, there is no token"),
        ("/transactions -H \"Authorization: Bearer $READER\"", "200"),
        (
            "/settings -X POST -H \"Authorization: Bearer $READER\"",
            "403, the scope is missing",
        ),
        (
            "/settings -X POST -H \"Authorization: Bearer $ADMIN\"",
            "200",
        ),
        (
            "/applications -X POST -H \"Authorization: Bearer $ADMIN\"",
            "200, it has both scopes",
        ),
    ] {
        println!("curl -i {base}{arguments}   # {answer}");
    }
    println!();
    Ok(())
}

async fn token(
    emulator: &Emulator,
    id: &str,
    secret: &str,
    scopes: &[&str],
) -> anyhow::Result<AccessToken> {
    let client = Client::for_application(emulator.issuer(), id)
        .client_secret(secret)
        .build()?;
    let request = TokenRequest::new(AUDIENCE).scopes(scopes.iter().copied());
    Ok(client.get_access_token(&request).await?)
}

/// A variable of the environment; one that is empty counts as none.
fn variable(name: &str) -> anyhow::Result<Option<String>> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).context(name.to_owned()),
    }
}

const AUDIENCE: &str = "api.banking.cymmetri.com";
const READER: &str = "app_01HZX0READER";
const ADMIN: &str = "app_01HZX0ADMIN";
