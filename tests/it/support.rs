//! The mock issuer as a language, and small things that every test needs.
//!
//! ```text
//! let server = Server::start().await;
//! server.token().grants(300).expect(1).named("the first").mount().await;
//! let client = server.client().build().unwrap();
//! ```

// Each test module uses a part of it.
#![allow(dead_code, reason = "every test module uses a part of it")]

pub(crate) mod api;
pub(crate) mod device;
mod flow;
pub(crate) mod keeper;
pub(crate) mod leak;
pub(crate) mod person;
pub(crate) mod planted;
pub(crate) mod raw;
mod reply;
#[cfg(unix)]
pub(crate) mod tap;

use std::{ops::Deref, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
pub(crate) use flow::{Source, ask, at_once, joined, spawn_calls};
use intelliauth::{Client, ClientBuilder, ManualClock};
pub(crate) use reply::TokenMock;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

pub(crate) const CLIENT_ID: &str = "app_test";
pub(crate) const CLIENT_SECRET: &str = "test-client-secret";
pub(crate) const TOKEN_PATH: &str = "/oauth2/token";
pub(crate) const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// What takes longer has failed: no machine is so slow, and no correct run waits for this.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A mock issuer whose metadata can be discovered, and a clock that only tests move.
pub(crate) struct Server {
    pub(crate) mock: VerifiedElsewhere,
    pub(crate) clock: ManualClock,
}

impl Server {
    /// A server with its discovery document and nothing else.
    pub(crate) async fn start() -> Self {
        let server = Self::bare().await;
        let document = server.metadata();
        server.json(DISCOVERY_PATH, 200, &document).await;
        server
    }

    /// A server that answers 404 to everything.
    pub(crate) async fn bare() -> Self {
        Self {
            mock: VerifiedElsewhere::new(MockServer::start().await),
            clock: ManualClock::new(),
        }
    }

    pub(crate) fn issuer(&self) -> String {
        self.mock.uri()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.mock.uri())
    }

    /// The discovery document, as a value to change.
    pub(crate) fn metadata(&self) -> Value {
        json!({
            "issuer": self.issuer(),
            "token_endpoint": self.url(TOKEN_PATH),
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "none"],
        })
    }

    /// Serves `body` at `path` for GET.
    pub(crate) async fn json(&self, path: &str, status: u16, body: &Value) {
        let reply = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(matchers::method("GET"))
            .and(matchers::path(path))
            .respond_with(reply)
            .mount(&self.mock)
            .await;
    }

    /// What the token endpoint answers: see [`TokenMock`].
    pub(crate) fn token(&self) -> TokenMock<'_> {
        TokenMock::new(&self.mock)
    }

    /// A client of this server, on this clock, that tries each request once.
    pub(crate) fn client(&self) -> ClientBuilder {
        Client::for_application(self.issuer(), CLIENT_ID)
            .client_secret(CLIENT_SECRET)
            .clock(self.clock.clone())
            .retries(0)
    }

    pub(crate) fn advance(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
    }

    /// The requests that the token endpoint got, in their order.
    pub(crate) async fn token_requests(&self) -> Vec<Seen> {
        let requests = self.mock.received_requests().await.unwrap_or_default();
        let at_token = requests
            .iter()
            .filter(|request| request.url.path() == TOKEN_PATH);
        at_token.map(Seen::read).collect()
    }

    /// How many requests the token endpoint got.
    pub(crate) async fn count(&self) -> usize {
        self.token_requests().await.len()
    }

    /// How many requests got to `path`.
    pub(crate) async fn count_at(&self, path: &str) -> usize {
        let requests = self.mock.received_requests().await.unwrap_or_default();
        requests
            .iter()
            .filter(|request| request.url.path() == path)
            .count()
    }

    /// Waits until the token endpoint got `count` requests: for those that nobody waits for.
    pub(crate) async fn arrived(&self, count: usize) {
        self.arrived_at(TOKEN_PATH, count).await;
    }

    /// Waits until `path` got `count` requests.
    pub(crate) async fn arrived_at(&self, path: &str, count: usize) {
        let arrived = async {
            while self.count_at(path).await < count {
                tokio::task::yield_now().await;
            }
        };
        let outcome = tokio::time::timeout(HANGS, arrived).await;
        assert!(outcome.is_ok(), "no {count} requests arrived");
    }
}

/// A mock server that checks its expectations on a thread of its own when it is dropped.
///
/// It blocks for that, and in a task that has used up its budget (after a hundred joins, say) the
/// block would never end.
pub(crate) struct VerifiedElsewhere(Option<MockServer>);

impl VerifiedElsewhere {
    pub(crate) fn new(mock: MockServer) -> Self {
        Self(Some(mock))
    }
}

impl Deref for VerifiedElsewhere {
    type Target = MockServer;

    fn deref(&self) -> &MockServer {
        self.0.as_ref().unwrap()
    }
}

impl Drop for VerifiedElsewhere {
    fn drop(&mut self) {
        let mock = self.0.take();
        let verified = std::thread::spawn(move || drop(mock)).join();
        if let Err(failure) = verified
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(failure);
        }
    }
}

/// A token request as the server saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) form: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    pub(crate) accept: Option<String>,
}

impl Seen {
    fn read(request: &wiremock::Request) -> Self {
        let header = |name: &str| request.headers.get(name)?.to_str().ok().map(str::to_owned);
        Self {
            form: url::form_urlencoded::parse(&request.body)
                .into_owned()
                .collect(),
            authorization: header("authorization"),
            accept: header("accept"),
        }
    }

    /// The value of a parameter, empty if there is none.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.form
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// A JWT with these claims; its signature is none.
pub(crate) fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.c2lnbmF0dXJl",
        part(&json!({"alg": "RS256"})),
        part(claims)
    )
}
