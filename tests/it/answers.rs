//! What the token endpoint answers as bytes: tolerated shapes, unusable bodies, broken connections.

use intelliauth::{Client, Error, ManualClock, UnavailableReason, Violation};
use serde_json::{Value, json};

use crate::{
    errors::{refusal, trouble, violation},
    support::{
        Server,
        raw::{ClosedPort, RawServer, answer},
    },
};

#[tokio::test]
async fn a_success_that_is_no_token_is_told_apart() {
    let server = Server::start().await;
    for (body, kind) in [
        ("", "unavailable"),
        ("<html>portal</html>", "unavailable"),
        (r#"{"access_token":"torn","expires_i"#, "unavailable"),
        ("[]", "unavailable"),
        ("{}", "protocol"),
        (r#"{"access_token":null}"#, "protocol"),
        (r#"{"access_token":""}"#, "protocol"),
        (r#"{"access_token":["odd"]}"#, "protocol"),
        (r#"{"access_token":"line\nbreak"}"#, "protocol"),
        (r#"{"access_token":"a\ttab"}"#, "protocol"),
        (r#"{"access_token":"é"}"#, "protocol"),
        (r#"{"access_token":"t","token_type":"DPoP"}"#, "protocol"),
        (r#"{"access_token":"t","token_type":"mac"}"#, "protocol"),
        (r#"{"access_token":"t","expires_in":0}"#, "protocol"),
        (r#"{"access_token":"t","expires_in":-1}"#, "protocol"),
        (r#"{"access_token":"t","expires_in":"soon"}"#, "protocol"),
        (r#"{"error":"consent_required"}"#, "consent"),
        (r#"{"error":"invalid_grant"}"#, "login"),
    ] {
        let reply = server.token().audience(body);
        let reply = reply.raw(200, body, "application/json");
        // An empty audience would be refused before it is sent.
        let (audience, reply) = match body {
            "" => (
                "nothing",
                server.token().audience("nothing").raw(200, "", "text/html"),
            ),
            _ => (body, reply),
        };
        let error = refusal(&server, reply, audience).await;
        assert_eq!(error.kind(), kind, "{body}: {error:?}");
    }
}

#[tokio::test]
async fn odd_shapes_of_a_good_answer_are_taken() {
    let server = Server::start().await;
    let plain = json!({"access_token": "good", "token_type": "Bearer", "expires_in": 60});
    let with = |name: &str, value: Value| {
        let mut body = plain.clone();
        body[name] = value;
        body.to_string()
    };
    let rows = [
        ("201", 201, plain.to_string(), "application/json"),
        ("as a page", 200, plain.to_string(), "text/html"),
        ("without a type", 200, plain.to_string(), ""),
        (
            "BEARER",
            200,
            with("token_type", json!("BEARER")),
            "application/json",
        ),
        (
            "bearer",
            200,
            with("token_type", json!("bearer")),
            "application/json",
        ),
        (
            "bEaReR",
            200,
            with("token_type", json!("bEaReR")),
            "application/json",
        ),
        (
            "no token_type",
            200,
            with("token_type", Value::Null),
            "application/json",
        ),
        (
            "text",
            200,
            with("expires_in", json!("60")),
            "application/json",
        ),
        (
            "fraction",
            200,
            with("expires_in", json!(60.9)),
            "application/json",
        ),
        (
            "more",
            200,
            with("more", json!({"a": [1, null]})),
            "application/json",
        ),
        (
            "more data",
            200,
            with("data", json!({"plan": "free"})),
            "application/json",
        ),
        (
            "refresh",
            200,
            with("refresh_token", json!("unused")),
            "application/json",
        ),
        (
            "id token",
            200,
            with("id_token", json!("a.b.c")),
            "application/json",
        ),
        (
            "error null",
            200,
            with("error", Value::Null),
            "application/json",
        ),
        (
            "envelope",
            200,
            json!({"data": plain, "meta": {}}).to_string(),
            "application/json",
        ),
    ];
    let client = server.client().build().unwrap();
    for (audience, status, body, content_type) in rows {
        let reply = server
            .token()
            .audience(audience)
            .raw(status, body, content_type);
        reply.named(audience).expect(1).mount().await;
        for _ in 0..2 {
            let token = client.get_access_token(audience).await;
            let token = token.unwrap_or_else(|error| panic!("{audience}: {error:?}"));
            assert_eq!(token.secret(), "good", "{audience}");
            assert_eq!(token.lifetime().as_secs(), 60, "{audience}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    const LIMIT: usize = 64 * 1024;
    let body = |size: usize| {
        let empty = r#"{"access_token":"big","more":""}"#.len();
        json!({"access_token": "big", "more": "x".repeat(size - empty)}).to_string()
    };
    let server = Server::start().await;
    let fits = server.token().audience("fits");
    fits.raw(200, body(LIMIT), "application/json").mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("fits").await.unwrap();

    let reply = server.token().audience("too large");
    let reply = reply.raw(200, body(LIMIT + 1), "application/json");
    let error = refusal(&server, reply, "too large").await;
    assert_eq!(*violation(&error), Violation::TooLarge(LIMIT));
}

#[tokio::test]
async fn a_large_page_does_not_hide_what_its_status_says() {
    let server = Server::start().await;
    let page = "<html>".repeat(20_000);
    for (status, kind) in [(401, "denied"), (429, "unavailable"), (503, "unavailable")] {
        let audience = status.to_string();
        let reply = server.token().audience(&audience);
        let reply = reply.raw(status, page.clone(), "text/html");
        let reply = reply.header("retry-after", "7");
        let error = refusal(&server, reply, &audience).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        if let Error::Unavailable(unavailable) = &error {
            let said = unavailable.issuer_retry_after();
            assert_eq!(said.unwrap().as_secs(), 7);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start().await;
        let location = server.url("/elsewhere");
        let reply = server.token().raw(status, "", "text/html");
        let error = refusal(&server, reply.header("location", &location), "api").await;
        assert_eq!(*violation(&error), Violation::Redirect, "{status}");
        assert_eq!(server.count_at("/elsewhere").await, 0, "{status}");
    }
}

/// What a client gets from a server that answers so, and how many requests that took.
async fn from_raw(answer: impl Into<Vec<u8>>) -> (Error, usize) {
    let server = RawServer::answering(answer).await;
    let client = Client::for_application(server.url(), "app_test")
        .client_secret("test-client-secret")
        .token_endpoint(server.url())
        .clock(ManualClock::new())
        .retries(0)
        .build()
        .unwrap();
    let error = client.get_access_token("api").await.unwrap_err();
    client.get_access_token("api").await.unwrap_err();
    (error, server.requests())
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_no_refusal() {
    let body = r#"{"access_token":"torn","expires_in":60}"#;
    for (what, bytes) in [
        ("no answer", String::new()),
        ("half a status line", "HTTP/1.1 20".to_owned()),
        ("a torn success", answer("200 OK", "", body, body.len() + 1)),
        (
            "a torn refusal",
            answer("400 Bad Request", "", r#"{"error":"inv"#, 500),
        ),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
    ] {
        let (error, requests) = from_raw(bytes).await;
        assert_eq!(trouble(&error), UnavailableReason::Interrupted, "{what}");
        assert_eq!(requests, 1, "{what}");
    }
}

#[tokio::test]
async fn a_torn_answer_still_says_what_stands_in_its_head() {
    let head = |status| answer(status, "Retry-After: 30\r\n", "<html>", 500);
    for (status, expected) in [
        ("429 Too Many Requests", UnavailableReason::RateLimited),
        ("503 Service Unavailable", UnavailableReason::Issuer),
    ] {
        let (error, requests) = from_raw(head(status)).await;
        assert_eq!(trouble(&error), expected, "{status}");
        let Error::Unavailable(unavailable) = &error else {
            panic!("{error:?}")
        };
        let said = unavailable.issuer_retry_after();
        assert_eq!(said.map(|wait| wait.as_secs()), Some(30), "{status}");
        assert_eq!(requests, 1, "{status}");
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_said_to_be_unreachable() {
    let port = ClosedPort::new();
    let client = Client::for_application(port.url(), "app_test")
        .retries(0)
        .build()
        .unwrap();
    let error = client.get_access_token("api").await.unwrap_err();
    assert_eq!(trouble(&error), UnavailableReason::Connect);
    assert!(
        std::error::Error::source(&error).is_some(),
        "the cause is kept"
    );
    assert!(error.next_move().contains("address"));
}
