//! Where the endpoints are: read once for all, kept for a day, read again when one has moved.

use std::time::Duration;

use intelliauth::{
    CacheMode, Client, ClientBuilder, Error, ProtocolViolation, TokenRequest, Violation,
};
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::support::{CLIENT_ID, CLIENT_SECRET, DISCOVERY_PATH, Server, TOKEN_PATH};

const RFC8414_PATH: &str = "/.well-known/oauth-authorization-server";

/// A day and a bit: the metadata is old, and so is every token.
const A_DAY: f64 = 24.0 * 3600.0 + 1.0;

fn client_of(server: &Server, issuer: &str) -> ClientBuilder {
    Client::for_application(issuer, CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .clock(server.clock.clone())
        .retries(0)
}

fn violation(error: &Error) -> &Violation {
    let Error::Protocol(violation) = error else {
        panic!("{error:?}")
    };
    ProtocolViolation::violation(violation)
}

/// The next `times` reads of the metadata get this.
async fn serve_at_first(server: &Server, times: u64, reply: ResponseTemplate) {
    Mock::given(matchers::method("GET"))
        .and(matchers::path(DISCOVERY_PATH))
        .respond_with(reply)
        .up_to_n_times(times)
        .with_priority(1)
        .mount(&server.mock)
        .await;
}

async fn serve_from_now_on(server: &Server, body: &Value) {
    Mock::given(matchers::method("GET"))
        .and(matchers::path(DISCOVERY_PATH))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .with_priority(1)
        .mount(&server.mock)
        .await;
}

async fn grant_at(server: &Server, path: &str) {
    let body = json!({"access_token": "moved", "token_type": "Bearer", "expires_in": 300});
    Mock::given(matchers::method("POST"))
        .and(matchers::path(path))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server.mock)
        .await;
}

#[tokio::test]
async fn openid_metadata_is_read_first_and_is_enough() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
    assert_eq!(server.count_at(RFC8414_PATH).await, 0);
}

#[tokio::test]
async fn an_issuer_with_oauth_metadata_alone_is_found() {
    let server = Server::bare().await;
    server.json(RFC8414_PATH, 200, &server.metadata()).await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    assert_eq!(server.count_at(RFC8414_PATH).await, 1);
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_at_either_place() {
    for place in [
        "/tenants/one/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenants/one",
    ] {
        let server = Server::bare().await;
        let issuer = server.url("/tenants/one");
        let mut metadata = server.metadata();
        metadata["issuer"] = json!(issuer);
        server.json(place, 200, &metadata).await;
        server.token().grants(300).mount().await;
        let client = client_of(&server, &issuer).build().unwrap();
        let token = client.get_access_token("api").await;
        assert!(token.is_ok(), "{place}: {token:?}");
    }
}

#[tokio::test]
async fn the_issuer_is_compared_to_the_letter_and_both_are_named() {
    let server = Server::bare().await;
    let with_slash = server.url("/");
    let without = server.issuer();
    for (configured, found) in [
        (with_slash.clone(), without.clone()),
        (without.clone(), with_slash),
        (without.clone(), without.to_uppercase()),
        (without.clone(), String::new()),
        (without, "https://other.example".to_owned()),
    ] {
        server.mock.reset().await;
        let mut metadata = server.metadata();
        metadata["issuer"] = json!(found);
        server.json(DISCOVERY_PATH, 200, &metadata).await;
        let client = client_of(&server, &configured).build().unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        let Violation::WrongIssuer {
            expected, found: f, ..
        } = violation(&error)
        else {
            panic!("{error:?}")
        };
        assert_eq!((expected, f), (&configured, &found));
        let text = error.to_string();
        assert!(text.contains(&format!("`{configured}`")), "{text}");
        assert!(text.contains(&format!("{found:?}")), "{text}");
        assert_eq!(server.count().await, 0);
    }
}

#[tokio::test]
async fn an_issuer_that_ends_in_a_slash_is_taken_if_it_calls_itself_so() {
    let server = Server::bare().await;
    let issuer = server.url("/");
    let mut metadata = server.metadata();
    metadata["issuer"] = json!(issuer);
    server.json(DISCOVERY_PATH, 200, &metadata).await;
    server.token().grants(300).mount().await;
    let client = client_of(&server, &issuer).build().unwrap();
    client.get_access_token("api").await.unwrap();
}

#[tokio::test]
async fn endpoints_are_used_as_they_are_written() {
    for endpoint in ["/token/", "/token?tenant=one&x=a%2Fb", "/a//b/%7Etoken/?"] {
        let server = Server::bare().await;
        let mut metadata = server.metadata();
        metadata["token_endpoint"] = json!(server.url(endpoint));
        server.json(DISCOVERY_PATH, 200, &metadata).await;
        Mock::given(matchers::method("POST"))
            .respond_with(
                ResponseTemplate::new(200).set_body_json(json!({"access_token": "verbatim"})),
            )
            .mount(&server.mock)
            .await;
        let client = server.client().build().unwrap();
        client.get_access_token("api").await.unwrap();
        let requests = server.mock.received_requests().await.unwrap();
        let used = requests[1].url.as_str();
        assert!(used.ends_with(&format!("localhost{endpoint}")), "{used}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_cold_audiences_share_one_read() {
    let server = Server::bare().await;
    let slow = ResponseTemplate::new(200)
        .set_body_json(server.metadata())
        .set_delay(Duration::from_millis(100));
    serve_at_first(&server, 50, slow).await;
    server.token().grants(300).expect(50).mount().await;
    let client = server.client().build().unwrap();
    let audiences: Vec<String> = (0..50).map(|n| format!("api-{n}")).collect();
    for token in client.warm(&audiences).await {
        token.unwrap();
    }
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
}

#[tokio::test]
async fn metadata_is_kept_for_a_day() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("one").await.unwrap();
    server.advance(24.0 * 3600.0 - 1.0);
    client.get_access_token("two").await.unwrap();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
    server.advance(1.0);
    client.get_access_token("three").await.unwrap();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
}

#[tokio::test]
async fn an_endpoint_that_has_moved_costs_one_more_round_trip_and_no_failure() {
    for status in [404, 410] {
        let server = Server::start().await;
        let old = server.token().grants(300).times(1).named("the old address");
        old.mount().await;
        let client = server.client().build().unwrap();
        client.get_access_token("one").await.unwrap();

        server.token().raw(status, "", "text/html").mount().await;
        let mut metadata = server.metadata();
        metadata["token_endpoint"] = json!(server.url("/new"));
        serve_from_now_on(&server, &metadata).await;
        grant_at(&server, "/new").await;
        let token = client.get_access_token("two").await.unwrap();
        assert_eq!(token.secret(), "moved");
        assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
        assert_eq!(
            (server.count().await, server.count_at("/new").await),
            (2, 1)
        );

        client.get_access_token("three").await.unwrap();
        assert_eq!(
            (server.count().await, server.count_at("/new").await),
            (2, 2)
        );
    }
}

#[tokio::test]
async fn renewed_metadata_of_another_issuer_is_not_used() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("one").await.unwrap();
    server.advance(A_DAY);
    serve_from_now_on(&server, &taken_over(&server)).await;
    grant_at(&server, "/new").await;
    for audience in ["one", "two"] {
        // Neither there nor at the address that was known: who answers for the issuer is in doubt.
        let error = client.get_access_token(audience).await.unwrap_err();
        let is_told = matches!(violation(&error), Violation::WrongIssuer { .. });
        assert!(is_told, "{error}");
    }
    assert_eq!(server.count_at("/new").await, 0);
}

#[tokio::test]
async fn nor_is_it_where_an_endpoint_is_gone() {
    let server = Server::start().await;
    server
        .token()
        .raw(404, "", "text/html")
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    // The endpoints are read once with nothing wrong.
    let own = ResponseTemplate::new(200).set_body_json(server.metadata());
    serve_at_first(&server, 1, own).await;
    serve_from_now_on(&server, &taken_over(&server)).await;
    grant_at(&server, "/new").await;
    let error = client.get_access_token("one").await.unwrap_err();
    let is_told = matches!(violation(&error), Violation::WrongIssuer { .. });
    assert!(is_told, "{error}");
    assert_eq!(server.count_at("/new").await, 0);
}

/// What another issuer says at this one's address.
fn taken_over(server: &Server) -> Value {
    let mut metadata = server.metadata();
    metadata["issuer"] = json!("https://other.example");
    metadata["token_endpoint"] = json!(server.url("/new"));
    metadata
}

#[tokio::test]
async fn an_endpoint_that_is_gone_for_good_is_asked_once() {
    let server = Server::start().await;
    server
        .token()
        .raw(404, "", "text/html")
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    for _ in 0..3 {
        let error = client.get_access_token("api").await.unwrap_err();
        assert_eq!(error.kind(), "protocol");
    }
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
}

#[tokio::test]
async fn old_metadata_is_used_while_the_issuer_cannot_be_read() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("one").await.unwrap();
    server.advance(A_DAY);
    serve_at_first(&server, 1, ResponseTemplate::new(503)).await;
    client.get_access_token("one").await.unwrap();
    client.get_access_token("two").await.unwrap();
    assert_eq!(
        server.count_at(DISCOVERY_PATH).await,
        2,
        "the failed read is remembered"
    );
    server.advance(1.0);
    client.get_access_token("three").await.unwrap();
    client.get_access_token("four").await.unwrap();
    assert_eq!(
        server.count_at(DISCOVERY_PATH).await,
        3,
        "and then repeated"
    );
}

#[tokio::test]
async fn a_renewal_that_hangs_delays_nobody_but_the_one_who_tries() {
    let server = Server::start().await;
    server.token().grants(60).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("a").await.unwrap();
    server.advance(A_DAY);
    let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(3600));
    serve_at_first(&server, 1, never).await;
    let trying = client.clone();
    let trying = tokio::spawn(async move { trying.get_access_token("b").await });
    server.arrived_at(DISCOVERY_PATH, 2).await;
    client.get_access_token("c").await.unwrap();
    assert!(!trying.is_finished(), "it is still trying");
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
}

#[tokio::test]
async fn a_page_instead_of_old_metadata_is_passed_over() {
    let server = Server::start().await;
    server.token().grants(60).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    server.advance(A_DAY);
    let page = ResponseTemplate::new(200).set_body_raw("<html>maintenance", "text/html");
    serve_at_first(&server, 9, page).await;
    for audience in ["api", "other", "third"] {
        client.get_access_token(audience).await.unwrap();
    }
}

#[tokio::test]
async fn a_forced_call_reads_the_metadata_again() {
    let server = Server::bare().await;
    serve_at_first(&server, 1, ResponseTemplate::new(503)).await;
    let client = server.client().build().unwrap();
    assert!(client.get_access_token("api").await.is_err());
    serve_from_now_on(&server, &server.metadata()).await;
    server.token().mount().await;
    assert!(client.get_access_token("api").await.is_err(), "remembered");
    let forced = TokenRequest::new("api").cache_mode(CacheMode::Refresh);
    assert!(client.get_access_token(forced).await.is_ok());
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
}

#[tokio::test]
async fn an_issuer_s_text_is_fit_for_a_terminal() {
    let server = Server::bare().await;
    let hostile = format!("https://\u{1b}[2J{}", "x".repeat(30_000));
    let document = json!({"issuer": hostile, "token_endpoint": server.url(TOKEN_PATH)});
    serve_from_now_on(&server, &document).await;
    let client = server.client().build().unwrap();
    let error = client.get_access_token("api").await.unwrap_err();
    let shown = format!("{error} {}", error.next_move());
    assert!(!shown.contains('\u{1b}') && shown.len() < 600, "{shown}");
}

#[tokio::test]
async fn an_open_endpoint_spoils_the_whole_document() {
    let server = Server::bare().await;
    for member in ["token_endpoint", "jwks_uri", "authorization_endpoint"] {
        server.mock.reset().await;
        let mut metadata = server.metadata();
        metadata[member] = json!("http://other.example/x");
        server.json(DISCOVERY_PATH, 200, &metadata).await;
        let client = server.client().build().unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        assert!(
            matches!(violation(&error), Violation::Metadata(_)),
            "{error:?}"
        );
        assert!(error.to_string().contains(member), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = Server::bare().await;
        let reply = ResponseTemplate::new(status).append_header("location", server.url("/else"));
        serve_at_first(&server, 9, reply).await;
        server.json("/else", 200, &server.metadata()).await;
        let client = server.client().build().unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        assert_eq!(*violation(&error), Violation::Redirect, "{status}");
        assert_eq!(server.count_at("/else").await, 0, "{status}");
    }
}

#[tokio::test]
async fn unusable_documents_are_told_apart() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>portal</html>", "text/html");
    let big = format!("{{\"issuer\":\"{}\"}}", "x".repeat(64 * 1024));
    let oversized = ResponseTemplate::new(200).set_body_raw(big, "application/json");
    let without_endpoint = |server: &Server| {
        let body = json!({"issuer": server.issuer()});
        ResponseTemplate::new(200).set_body_json(body)
    };
    let no_url = |server: &Server| {
        let body = json!({"issuer": server.issuer(), "token_endpoint": "/oauth2/token"});
        ResponseTemplate::new(200).set_body_json(body)
    };
    let server = Server::bare().await;
    for (what, reply, kind) in [
        ("HTML", page, "unavailable"),
        ("oversized", oversized, "protocol"),
        ("no token endpoint", without_endpoint(&server), "protocol"),
        ("no URL", no_url(&server), "protocol"),
        (
            "torn",
            ResponseTemplate::new(200).set_body_string("{\"iss"),
            "unavailable",
        ),
        (
            "an array",
            ResponseTemplate::new(200).set_body_string("[]"),
            "unavailable",
        ),
        ("forbidden", ResponseTemplate::new(403), "protocol"),
        ("in trouble", ResponseTemplate::new(502), "unavailable"),
        ("too often", ResponseTemplate::new(429), "unavailable"),
    ] {
        server.mock.reset().await;
        serve_at_first(&server, 9, reply).await;
        let client = server.client().build().unwrap();
        let error = client.get_access_token("api").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error:?}");
        assert!(!error.next_move().is_empty(), "{what}");
        assert_eq!(server.count_at(DISCOVERY_PATH).await, 1, "{what}");
        assert_eq!(server.count().await, 0, "{what}");
    }
}

#[tokio::test]
async fn metadata_labelled_as_a_page_is_read_all_the_same() {
    let server = Server::bare().await;
    let text = server.metadata().to_string();
    let reply = ResponseTemplate::new(200).set_body_raw(text, "text/html");
    serve_at_first(&server, 1, reply).await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
}

#[tokio::test]
async fn an_endpoint_given_by_hand_is_never_discovered() {
    let server = Server::start().await;
    server.token().grants(300).times(1).mount().await;
    server.token().raw(404, "", "text/html").mount().await;
    let client = server
        .client()
        .token_endpoint(server.url(TOKEN_PATH))
        .build()
        .unwrap();
    client.get_access_token("one").await.unwrap();
    client.get_access_token("two").await.unwrap_err();
    assert_eq!(server.count().await, 2);
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_read_is_shared_and_remembered() {
    let server = Server::bare().await;
    let slow = ResponseTemplate::new(503).set_delay(Duration::from_millis(100));
    serve_at_first(&server, 99, slow).await;
    let client = server.client().build().unwrap();
    let audiences: Vec<String> = (0..50).map(|n| format!("api-{n}")).collect();
    for outcome in client.warm(&audiences).await {
        assert_eq!(outcome.unwrap_err().kind(), "unavailable");
    }
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
    client.get_access_token("another").await.unwrap_err();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
    // 1, 2, 4 … seconds, whoever asks.
    for (read, pause) in [(2, 1.0), (3, 2.0), (4, 4.0)] {
        server.advance(pause - 0.01);
        let early = format!("early-{read}");
        client.get_access_token(&early).await.unwrap_err();
        assert_eq!(server.count_at(DISCOVERY_PATH).await, read - 1);
        server.advance(0.01);
        let late = format!("late-{read}");
        client.get_access_token(&late).await.unwrap_err();
        assert_eq!(server.count_at(DISCOVERY_PATH).await, read);
    }
}

#[tokio::test]
async fn a_read_that_is_to_wait_waits_for_every_audience() {
    let server = Server::bare().await;
    let later = ResponseTemplate::new(429).append_header("retry-after", "30");
    serve_at_first(&server, 1, later).await;
    server.json(DISCOVERY_PATH, 200, &server.metadata()).await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("one").await.unwrap_err();
    server.advance(29.9);
    client.get_access_token("two").await.unwrap_err();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 1);
    server.advance(0.1);
    client.get_access_token("three").await.unwrap();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 2);
}

#[tokio::test]
async fn a_read_that_failed_is_tried_again_at_once_like_any_safe_request() {
    let server = Server::bare().await;
    serve_at_first(&server, 2, ResponseTemplate::new(502)).await;
    server.json(DISCOVERY_PATH, 200, &server.metadata()).await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().retries(2).build().unwrap();
    client.get_access_token("api").await.unwrap();
    assert_eq!(server.count_at(DISCOVERY_PATH).await, 3);
}
