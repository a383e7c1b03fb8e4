use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use super::*;
use crate::{
    endpoint::Proxy,
    jwt::signer::Signer,
    time::{Clock, ManualClock},
};

mod trouble;

const METADATA: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";

struct Fixture {
    server: Option<MockServer>,
    clock: ManualClock,
    source: KeySource,
}

impl Drop for Fixture {
    /// The server is dropped on a thread of its own: it blocks until its lock is free, and in a task
    /// that has used up tokio's budget that never happens.
    fn drop(&mut self) {
        let server = self.server.take();
        let _ended = std::thread::spawn(|| drop(server)).join();
    }
}

impl Fixture {
    async fn start() -> Self {
        let fixture = Self::bare().await;
        let issuer = fixture.server().uri();
        fixture.metadata(&json!({
            "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}{KEYS}"),
        })).await;
        fixture
    }

    async fn bare() -> Self {
        // One of its own: those of the pool are handed on when a test ends.
        let server = MockServer::builder().start().await;
        let clock = ManualClock::new();
        let time = TimeSource::Other(Arc::new(clock.clone()));
        let source = KeySource::new(&server.uri(), &settings(), &Connections::new(), time).unwrap();
        Self {
            server: Some(server),
            clock,
            source,
        }
    }

    fn server(&self) -> &MockServer {
        self.server.as_ref().unwrap()
    }

    async fn metadata(&self, document: &Value) {
        let reply = ResponseTemplate::new(200).set_body_json(document);
        Mock::given(path(METADATA))
            .respond_with(reply)
            .mount(self.server())
            .await;
    }

    /// What the key set's address answers from now on.
    async fn answers(&self, reply: ResponseTemplate) {
        Mock::given(path(KEYS))
            .respond_with(reply)
            .with_priority(priority())
            .mount(self.server())
            .await;
    }

    async fn publishes(&self, keys: &[Value]) {
        self.answers(ResponseTemplate::new(200).set_body_json(json!({ "keys": keys })))
            .await;
    }

    async fn count(&self, at: &str) -> usize {
        let requests = self.server().received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.url.path() == at)
            .count()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Lets a flight that is under way end.
    async fn settle(&self) {
        let flight = self.source.0.state().flight.clone();
        if let Some(flight) = flight {
            let _outcome = flight.outcome().await;
        }
    }
}

fn settings() -> HttpSettings {
    HttpSettings {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(20),
        proxy: Proxy::None,
        root_certificates: Vec::new(),
    }
}

/// The newest mock wins.
fn priority() -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(250);
    NEXT.fetch_sub(1, Ordering::SeqCst)
}

#[tokio::test]
async fn keys_are_fetched_once_for_all() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let source = fixture.source.clone();
            tokio::spawn(async move { source.current().await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().len(), 1);
    }
    assert_eq!(
        (fixture.count(METADATA).await, fixture.count(KEYS).await),
        (1, 1)
    );
}

#[tokio::test]
async fn keys_are_refreshed_ahead_and_nobody_waits() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let first = fixture.source.current().await.unwrap();
    fixture.advance(479);
    fixture.source.current().await.unwrap();
    assert_eq!(fixture.count(KEYS).await, 1);
    fixture.advance(1);
    fixture.publishes(&[Signer::ed25519().jwk("b")]).await;
    let at_once = fixture.source.current().await.unwrap();
    assert!(Arc::ptr_eq(&first, &at_once), "the old ones, at once");
    fixture.settle().await;
    let newer = fixture.source.current().await.unwrap();
    assert!(!Arc::ptr_eq(&first, &newer));
    assert_eq!(
        (fixture.count(METADATA).await, fixture.count(KEYS).await),
        (1, 2)
    );
}

#[tokio::test]
async fn the_same_keys_stay_the_same() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let first = fixture.source.current().await.unwrap();
    fixture.advance(700);
    let second = fixture.source.current().await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(fixture.count(KEYS).await, 2);
}

#[tokio::test]
async fn an_unknown_key_costs_one_fetch_in_half_a_minute() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let used = fixture.source.current().await.unwrap();
    for _ in 0..50 {
        assert!(fixture.source.newer(&used).await.unwrap().is_none());
    }
    assert_eq!(fixture.count(KEYS).await, 2);
    fixture.advance(29);
    assert!(fixture.source.newer(&used).await.unwrap().is_none());
    assert_eq!(fixture.count(KEYS).await, 2);
    fixture.advance(1);
    fixture.publishes(&[Signer::ed25519().jwk("b")]).await;
    let newer = fixture.source.newer(&used).await.unwrap().unwrap();
    assert!(
        fixture.source.newer(&used).await.unwrap().is_some(),
        "already there"
    );
    assert!(fixture.source.newer(&newer).await.unwrap().is_none());
    assert_eq!(fixture.count(KEYS).await, 3);
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let clock = ManualClock::new();
    let time = TimeSource::Other(Arc::new(clock.clone()));
    let source =
        KeySource::new("http://127.0.0.1:9", &settings(), &Connections::new(), time).unwrap();
    assert!(source.fresh(clock.now()).is_none());
    assert!(source.join(clock.now(), Reason::Life).is_err());
}
