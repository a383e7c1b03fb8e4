//! What is tried again inside a flight, and what never is.

use std::time::Duration;

use intelliauth::{Client, ClientBuilder, ManualClock, UnavailableReason};
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::{
    flows::{reason, with_assertion},
    support::{
        CLIENT_ID, CLIENT_SECRET, DISCOVERY_PATH, HANGS, Server,
        leak::Recorder,
        raw::{ClosedPort, RawServer, answer},
    },
};

const GOOD: &str = r#"{"access_token":"good","expires_in":60}"#;

/// As the platform's applications are, with every default but the clock.
fn with_credentials(issuer: &str) -> ClientBuilder {
    Client::for_application(issuer, CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .clock(ManualClock::new())
}

#[tokio::test]
async fn client_credentials_are_tried_three_times_when_the_issuer_is_in_trouble() {
    for status in [500, 503] {
        let server = Server::start().await;
        let trouble = server.token().raw(status, "<html>", "text/html");
        trouble.times(2).mount().await;
        server.token().grants(300).expect(1).mount().await;
        let client = with_credentials(&server.issuer()).build().unwrap();
        client.get_access_token("api").await.unwrap();
        assert_eq!(server.count().await, 3, "{status}");
    }
    let server = Server::start().await;
    server.token().raw(503, "", "").expect(3).mount().await;
    let client = with_credentials(&server.issuer()).build().unwrap();
    let error = client.get_access_token("api").await.unwrap_err();
    assert_eq!(reason(&error), UnavailableReason::Issuer);
    assert_eq!(client.stats().flights, 1);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_if_that_is_harmless() {
    let torn = answer("200 OK", "", GOOD, GOOD.len() + 9);
    for bytes in [String::new(), torn] {
        for (client, requests) in [
            (with_credentials as fn(&str) -> ClientBuilder, 3),
            (|issuer| with_assertion(issuer, true), 3),
            (|issuer| with_assertion(issuer, false), 1),
        ] {
            let server = RawServer::answering(bytes.clone()).await;
            let client = client(&server.url()).token_endpoint(server.url());
            let client = client.build().unwrap();
            let error = client.get_access_token("api").await.unwrap_err();
            assert_eq!(reason(&error), UnavailableReason::Interrupted);
            assert_eq!(server.requests(), requests, "{bytes:?}");
        }
    }
}

#[tokio::test]
async fn a_grant_that_uses_itself_up_is_not_sent_again_after_any_answer() {
    for (status, body) in [(503, ""), (200, "<html>")] {
        let server = Server::start().await;
        server.token().raw(status, body, "text/html").mount().await;
        let client = with_assertion(&server.issuer(), false).build().unwrap();
        client.get_access_token("api").await.unwrap_err();
        assert_eq!(server.count().await, 1, "{status} {body}");

        let client = with_assertion(&server.issuer(), true).build().unwrap();
        client.get_access_token("api").await.unwrap_err();
        assert_eq!(server.count().await, 1 + 3, "{status} {body}");
    }
}

#[tokio::test]
async fn what_never_left_is_sent_again_whatever_it_is() {
    let recorder = Recorder::running();
    let port = ClosedPort::new();
    let client = with_assertion(&port.url(), false).token_endpoint(port.url());
    // Enough tries that the port is open before the last.
    let client = client.retries(8).build().unwrap();
    let audience = "api-behind-a-closed-port";
    let call = tokio::spawn(async move {
        let token = client.get_access_token(audience).await;
        token.map(|token| token.secret().to_owned())
    });
    let was_refused = async {
        while recorder.count("trying again", audience) == 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(HANGS, was_refused).await.is_ok());
    let server = port.open(answer("200 OK", "", GOOD, GOOD.len()));
    assert_eq!(call.await.unwrap().unwrap(), "good");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn refusals_and_requests_for_patience_are_never_tried_again() {
    for (status, header) in [
        (400, None),
        (401, None),
        (403, None),
        (418, None),
        (429, None),
        (429, Some("1")),
        (503, Some("1")),
        (503, Some("0")),
    ] {
        let server = Server::start().await;
        let mut reply = server.token().raw(status, "", "text/html");
        if let Some(seconds) = header {
            reply = reply.header("retry-after", seconds);
        }
        reply.mount().await;
        let client = with_credentials(&server.issuer()).build().unwrap();
        client.get_access_token("api").await.unwrap_err();
        assert_eq!(server.count().await, 1, "{status} {header:?}");
    }
}

#[tokio::test]
async fn a_request_that_timed_out_is_not_tried_again() {
    let server = Server::start().await;
    let slow = server.token().grants(300).delayed(Duration::from_secs(60));
    slow.mount().await;
    let client = with_credentials(&server.issuer()).request_timeout(Duration::from_secs(3));
    let error = client.build().unwrap().get_access_token("api").await;
    assert_eq!(reason(&error.unwrap_err()), UnavailableReason::Timeout);
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn a_background_refresh_is_tried_once_and_reads_metadata_once() {
    let server = Server::start().await;
    server.token().grants(3600).times(2).mount().await;
    server.token().raw(503, "", "text/html").mount().await;
    let client = server.client().retries(2).build().unwrap();
    client.get_access_token("other").await.unwrap();
    // The metadata is a day old when the token comes into its window.
    server.advance(24.0 * 3600.0 - 600.0);
    client.get_access_token("api").await.unwrap();
    server.advance(3400.0);
    Mock::given(matchers::method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .with_priority(1)
        .mount(&server.mock)
        .await;
    let token = client.get_access_token("api").await.unwrap();
    assert_eq!(token.source().to_string(), "cache");
    client.close().await.unwrap();
    assert_eq!(client.stats().background_flights, 1);
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
    assert_eq!(server.count().await, 3);
}
