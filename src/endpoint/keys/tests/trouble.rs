//! An issuer that is down, slow, elsewhere or not the right one.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};
use wiremock::{Mock, ResponseTemplate, matchers::path};

use super::{super::*, Fixture, KEYS, METADATA, settings};
use crate::{jwt::signer::Signer, time::ManualClock};

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
    for _ in 0..2 {
        let stale = fixture.source.current().await.unwrap();
        assert!(Arc::ptr_eq(&used, &stale));
    }
    let is_waited_for = fixture.source.0.state().flight.is_none();
    assert!(!is_waited_for, "it has ten seconds, and is still under way");
    assert_eq!(fixture.count(KEYS).await, 2);
}

#[test]
fn a_fetch_on_a_runtime_that_stands_still_is_replaced_by_others() {
    let worker = || Builder::new_current_thread().enable_all().build().unwrap();
    let (stuck, other) = (worker(), worker());
    let fixture = other.block_on(Fixture::start());
    other.block_on(fixture.publishes(&[Signer::ed25519().jwk("a")]));
    stuck.block_on(async {
        let source = fixture.source.clone();
        tokio::spawn(async move { source.current().await });
        while fixture.source.0.state().flight.is_none() {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(other.block_on(fixture.source.current()).unwrap().len(), 1);
}

#[tokio::test]
async fn keys_that_have_moved_are_found_again() {
    let nobody = "http://127.0.0.1:9/keys";
    for (old, reply) in [
        (None, ResponseTemplate::new(404)),
        (None, ResponseTemplate::new(503)),
        (Some(nobody), ResponseTemplate::new(200)),
    ] {
        let fixture = Fixture::bare().await;
        let issuer = fixture.server().uri();
        let metadata = |keys: &str| json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": keys });
        let old = old.map_or(format!("{issuer}{KEYS}"), str::to_owned);
        fixture.metadata(&metadata(&old)).await;
        fixture.answers(reply).await;
        assert!(fixture.source.current().await.is_err());
        let moved = metadata(&format!("{issuer}/moved"));
        let reply = ResponseTemplate::new(200).set_body_json(moved);
        Mock::given(path(METADATA))
            .respond_with(reply)
            .with_priority(1)
            .mount(fixture.server())
            .await;
        let keys = json!({ "keys": [Signer::ed25519().jwk("a")] });
        let reply = ResponseTemplate::new(200).set_body_json(keys);
        Mock::given(path("/moved"))
            .respond_with(reply)
            .mount(fixture.server())
            .await;
        fixture.advance(30);
        assert!(fixture.source.current().await.is_ok(), "{old}");
    }
}

#[tokio::test]
async fn each_request_has_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({
        "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}{KEYS}"),
    });
    let replies = [metadata, json!({ "keys": [Signer::ed25519().jwk("a")] })];
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, replies.clone()));
        }
    });
    let clock = ManualClock::new();
    let time = TimeSource::Other(Arc::new(clock.clone()));
    let source = KeySource::new(&issuer, &settings(), &Connections::new(), time).unwrap();
    source.current().await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    clock.advance(LIFE);
    source.current().await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// Answers one request after the other, for as long as the connection is kept.
async fn serve(stream: TcpStream, [metadata, keys]: [Value; 2]) {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    let mut reply = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        if line.starts_with("GET ") {
            reply = if line.contains(KEYS) {
                &keys
            } else {
                &metadata
            }
            .to_string();
        }
        if line == "\r\n" {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", reply.len());
            stream.write_all((head + &reply).as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        line.clear();
    }
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
            .replace("ISSUER", &fixture.server().uri());
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
