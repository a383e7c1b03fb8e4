use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use super::*;
use crate::{
    endpoint::Proxy,
    jwt::signer::Signer,
    time::{Clock, ManualClock},
};

const METADATA: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/keys";

struct Fixture {
    server: MockServer,
    clock: ManualClock,
    source: KeySource,
}

impl Fixture {
    async fn start() -> Self {
        let fixture = Self::bare().await;
        let issuer = fixture.server.uri();
        fixture.metadata(&json!({
            "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}{KEYS}"),
        })).await;
        fixture
    }

    async fn bare() -> Self {
        // One of its own: those of the pool are handed on when a test ends.
        let server = MockServer::builder().start().await;
        let clock = ManualClock::new();
        let http = HttpSettings {
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(20),
            proxy: Proxy::None,
            root_certificates: Vec::new(),
        };
        let time = TimeSource::Other(Arc::new(clock.clone()));
        let source = KeySource::new(&server.uri(), &http, time).unwrap();
        Self {
            server,
            clock,
            source,
        }
    }

    async fn metadata(&self, document: &Value) {
        let reply = ResponseTemplate::new(200).set_body_json(document);
        Mock::given(path(METADATA))
            .respond_with(reply)
            .mount(&self.server)
            .await;
    }

    /// What the key set's address answers from now on.
    async fn answers(&self, reply: ResponseTemplate) {
        Mock::given(path(KEYS))
            .respond_with(reply)
            .with_priority(priority())
            .mount(&self.server)
            .await;
    }

    async fn publishes(&self, keys: &[Value]) {
        self.answers(ResponseTemplate::new(200).set_body_json(json!({ "keys": keys })))
            .await;
    }

    async fn count(&self, at: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.url.path() == at)
            .count()
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Lets a flight that is under way land.
    async fn settle(&self) {
        let flight = self.source.0.state().flight.clone();
        if let Some(flight) = flight {
            let _landed = flight.landed(Duration::from_secs(20)).await;
        }
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

#[tokio::test]
async fn old_keys_last_through_an_outage_of_a_day() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let first = fixture.source.current().await.unwrap();
    fixture.answers(ResponseTemplate::new(503)).await;
    fixture.advance(24 * 3600 - 1);
    let stale = fixture.source.current().await.unwrap();
    assert!(Arc::ptr_eq(&first, &stale));
    fixture.advance(60);
    assert!(fixture.source.current().await.is_err());
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    fixture.advance(30);
    assert!(
        fixture.source.current().await.is_ok(),
        "back within the longest pause"
    );
}

#[tokio::test]
async fn an_issuer_in_trouble_is_spared() {
    let fixture = Fixture::start().await;
    for (reply, kind) in [
        (ResponseTemplate::new(503), "unavailable"),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "3600"),
            "unavailable",
        ),
        (
            ResponseTemplate::new(200).set_body_string("<html></html>"),
            "unavailable",
        ),
        (ResponseTemplate::new(200), "unavailable"),
        (
            ResponseTemplate::new(200).set_body_json(json!({ "keys": [] })),
            "protocol",
        ),
        (
            ResponseTemplate::new(200).set_body_json(json!({})),
            "protocol",
        ),
        (ResponseTemplate::new(404), "protocol"),
        (
            ResponseTemplate::new(200).set_body_string(" ".repeat(256 * 1024 + 1)),
            "protocol",
        ),
        (
            ResponseTemplate::new(302).insert_header("location", "/elsewhere"),
            "protocol",
        ),
    ] {
        fixture.answers(reply).await;
        fixture.advance(30);
        let before = fixture.count(KEYS).await;
        for _ in 0..20 {
            let error = fixture.source.current().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        assert_eq!(fixture.count(KEYS).await - before, 1);
    }
    assert_eq!(fixture.count("/elsewhere").await, 0);
}

#[tokio::test]
async fn an_issuer_that_hangs_delays_known_keys_for_two_seconds_at_most() {
    let fixture = Fixture::start().await;
    fixture.publishes(&[Signer::ed25519().jwk("a")]).await;
    let used = fixture.source.current().await.unwrap();
    let hang = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    fixture.answers(hang).await;
    fixture.advance(3600);
    let start = tokio::time::Instant::now();
    let stale = fixture.source.current().await.unwrap();
    assert!(Arc::ptr_eq(&used, &stale));
    let again = fixture.source.current().await.unwrap();
    assert!(Arc::ptr_eq(&used, &again));
    assert!(
        start.elapsed() < Duration::from_millis(2500),
        "the second waits no more"
    );
    assert_eq!(fixture.count(KEYS).await, 2);
}

#[tokio::test]
async fn keys_that_have_moved_are_found_again() {
    let fixture = Fixture::start().await;
    fixture.answers(ResponseTemplate::new(404)).await;
    assert!(fixture.source.current().await.is_err());
    let issuer = fixture.server.uri();
    let moved = json!({
        "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/moved"),
    });
    let reply = ResponseTemplate::new(200).set_body_json(moved);
    Mock::given(path(METADATA))
        .respond_with(reply)
        .with_priority(1)
        .mount(&fixture.server)
        .await;
    let keys = json!({ "keys": [Signer::ed25519().jwk("a")] });
    let reply = ResponseTemplate::new(200).set_body_json(keys);
    Mock::given(path("/moved"))
        .respond_with(reply)
        .mount(&fixture.server)
        .await;
    fixture.advance(30);
    assert!(fixture.source.current().await.is_ok());
}

#[tokio::test]
async fn another_issuers_metadata_is_not_used() {
    for document in [
        json!({ "issuer": "https://another.example", "token_endpoint": "https://another.example/t", "jwks_uri": "https://another.example/k" }),
        json!({ "issuer": "ISSUER", "token_endpoint": "ISSUER/t" }),
        json!({ "issuer": "ISSUER", "token_endpoint": "ISSUER/t", "jwks_uri": "http://192.0.2.1/keys" }),
        json!({ "issuer": "ISSUER", "token_endpoint": "ISSUER/t", "jwks_uri": "keys" }),
    ] {
        let fixture = Fixture::bare().await;
        let document = document
            .to_string()
            .replace("ISSUER", &fixture.server.uri());
        fixture
            .metadata(&serde_json::from_str(&document).unwrap())
            .await;
        assert_eq!(
            fixture.source.current().await.unwrap_err().kind(),
            "protocol",
            "{document}"
        );
    }
}

#[test]
fn pauses_grow_to_half_a_minute() {
    let error = Error::unavailable(UnavailableReason::Connect);
    let seconds = |failures| pause(failures, &error).as_secs_f64();
    assert!((0.66..=1.0).contains(&seconds(0)));
    assert!((5.3..=8.0).contains(&seconds(3)));
    assert!((20.0..=30.0).contains(&seconds(99)));
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let http = HttpSettings {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        proxy: Proxy::None,
        root_certificates: Vec::new(),
    };
    let clock = ManualClock::new();
    let time = TimeSource::Other(Arc::new(clock.clone()));
    let source = KeySource::new("http://127.0.0.1:9", &http, time).unwrap();
    assert!(source.fresh(clock.now()).is_none());
    assert!(source.join(clock.now(), Reason::Life).is_err());
}
