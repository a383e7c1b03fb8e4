//! The platform's emulator as the issuer, and this crate's client as the caller.

use intelliauth::{
    Client, TokenRequest,
    resource_server::{ProtectedRouter, Verifier, VerifyError, require_scope},
};
use intelliauth_emulator::{Config, Emulator, Fault, sample};

use super::issuer::Api;

const JWKS: &str = "/.well-known/jwks.json";

async fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let client = Client::for_application(emulator.issuer(), sample::SERVICE)
        .client_secret(sample::SERVICE_SECRET)
        .build()
        .unwrap();
    (emulator, client)
}

fn verifier(emulator: &Emulator, audience: &str) -> Verifier {
    Verifier::builder(emulator.issuer(), audience)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_token_is_good_for_its_own_api_and_its_own_scopes() {
    let (emulator, client) = start().await;
    let serve = async |audience, path: &'static str, scope| {
        let requirement = require_scope(scope).unwrap();
        let router = ProtectedRouter::new(verifier(&emulator, audience)).get(
            path,
            requirement,
            async || "ok",
        );
        Api::serve(router.into_router().unwrap()).await
    };
    let banking = serve(sample::BANKING, "/transactions", "read:transactions").await;
    let accounts = serve(sample::BANKING, "/accounts", "read:accounts").await;
    let health = serve(sample::HEALTH, "/transactions", "read:transactions").await;
    let request = TokenRequest::new(sample::BANKING).scope("read:transactions");
    let token = client.get_access_token(&request).await.unwrap();
    assert_eq!(
        banking.get("/transactions", token.secret()).await.status,
        200
    );
    assert_eq!(accounts.get("/accounts", token.secret()).await.status, 403);
    let answer = health.get("/transactions", token.secret()).await;
    assert_eq!(
        (answer.status, answer.error()),
        (401, Some("invalid_token"))
    );
    assert_eq!(emulator.count(JWKS), 3, "once for each API");
}

#[tokio::test]
async fn keys_rotate_while_requests_come() {
    let (emulator, client) = start().await;
    let banking = verifier(&emulator, sample::BANKING);
    let old = client.get_access_token(sample::BANKING).await.unwrap();
    banking.verify(old.secret()).await.unwrap();
    emulator.rotate_keys().unwrap();
    client.clear(sample::BANKING);
    let new = client.get_access_token(sample::BANKING).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let banking = banking.clone();
            let token = if n % 2 == 0 { old.clone() } else { new.clone() };
            tokio::spawn(async move { banking.verify(token.secret()).await.map(|_| ()) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(emulator.count(JWKS), 2);
}

#[tokio::test]
async fn an_outage_is_no_reason_to_refuse_a_token() {
    let (emulator, client) = start().await;
    let token = client.get_access_token(sample::BANKING).await.unwrap();
    let known = verifier(&emulator, sample::BANKING);
    known.verify(token.secret()).await.unwrap();
    emulator.fault(Fault::status(503));
    known.verify(token.secret()).await.unwrap();
    let fresh = verifier(&emulator, sample::BANKING);
    let before = emulator.requests().len();
    for _ in 0..50 {
        let error = fresh.verify(token.secret()).await.unwrap_err();
        assert!(matches!(error, VerifyError::Unavailable(_)), "{error}");
    }
    assert_eq!(emulator.requests().len() - before, 1, "it is spared");
}

#[tokio::test]
async fn an_issuer_whose_clock_is_wrong_is_noticed() {
    let (emulator, client) = start().await;
    let banking = verifier(&emulator, sample::BANKING);
    emulator.advance(std::time::Duration::from_secs(25));
    let near = client.get_access_token(sample::BANKING).await.unwrap();
    banking.verify(near.secret()).await.unwrap();
    emulator.advance(std::time::Duration::from_secs(25));
    client.clear(sample::BANKING);
    let far = client.get_access_token(sample::BANKING).await.unwrap();
    let error = banking.verify(far.secret()).await.unwrap_err();
    assert_eq!(error.to_string(), "the token is not valid yet");
}
