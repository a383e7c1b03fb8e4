//! APIs that refuse in their own words: npm's `express-oauth2-jwt-bearer`, `PyPI`'s `authlib`.

use intelliauth::{Api, Client, DeniedReason, Error, TokenRequest};
use intelliauth_emulator::{Config, Emulator, sample};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::{Value, json};

use crate::support::{Part, http};

/// An API for banking, its issuer, and a client that calls it through the middleware.
struct Banking {
    emulator: Emulator,
    part: Part,
    url: String,
    http: ClientWithMiddleware,
}

type Start = fn(&'static str, &str, &Value) -> (Part, Value);

impl Banking {
    async fn express() -> Self {
        Self::start(Part::node, "express-oauth2-jwt-bearer", "api.mjs").await
    }

    async fn authlib() -> Self {
        Self::start(Part::python, "authlib", "api.py").await
    }

    async fn start(start: Start, name: &'static str, program: &str) -> Self {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        let settings = json!({"issuer": emulator.issuer(), "audience": sample::BANKING});
        let (part, first) = start(name, program, &settings);
        let url = first["url"].as_str().unwrap().to_owned();
        let client = Client::for_application(emulator.issuer(), sample::SERVICE)
            .client_secret(sample::SERVICE_SECRET)
            .build()
            .unwrap();
        let transactions = TokenRequest::new(sample::BANKING).scope("read:transactions");
        let api = Api::new(transactions).allow_scopes("read:accounts");
        let middleware = client.middleware().api(&url, api);
        let http = ClientBuilder::new(http()).with(middleware).build();
        Self {
            emulator,
            part,
            url,
            http,
        }
    }

    async fn call(&self, path: &str) -> Result<u16, Error> {
        let request = self.http.get(format!("{}{path}", self.url));
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(Error::find(&error).unwrap().clone()),
        }
    }

    /// How often it gave each of these answers.
    fn answered(&mut self, statuses: [&str; 3]) -> [u64; 3] {
        let said = self.part.ask(&json!({"do": "count"}));
        statuses.map(|status| said["answered"][status].as_u64().unwrap_or_default())
    }

    fn withdraw(&mut self) {
        self.part.ask(&json!({"do": "withdraw"}));
    }
}

const STATUSES: [&str; 3] = ["200", "401", "403"];

#[tokio::test]
async fn express_is_understood() {
    let mut banking = Banking::express().await;
    assert_eq!(banking.call("/transactions").await.unwrap(), 200);
    banking.withdraw();
    assert_eq!(banking.call("/transactions").await.unwrap(), 200);
    assert_eq!(banking.answered(STATUSES), [2, 1, 0]);
    assert_eq!(banking.emulator.token_requests(), 2);
    // It names the scopes, and both may be asked for.
    assert_eq!(banking.call("/accounts").await.unwrap(), 200);
    assert_eq!(banking.answered(STATUSES), [3, 1, 1]);
    assert_eq!(banking.emulator.token_requests(), 3);
}

#[tokio::test]
async fn authlib_is_understood() {
    let mut banking = Banking::authlib().await;
    assert_eq!(banking.call("/transactions").await.unwrap(), 200);
    banking.withdraw();
    assert_eq!(banking.call("/transactions").await.unwrap(), 200);
    assert_eq!(banking.answered(STATUSES), [2, 1, 0]);
    assert_eq!(banking.emulator.token_requests(), 2);
    // It says in its body alone that a scope is missing, and never which: then nothing can be asked for.
    let Err(Error::Denied(denied)) = banking.call("/accounts").await else {
        panic!("it named no scope")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotNamed);
    assert_eq!(banking.answered(STATUSES), [2, 1, 1]);
    assert_eq!(banking.emulator.token_requests(), 2);
}
