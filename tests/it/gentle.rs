//! Failures are remembered, and an issuer that asks to be left alone is left alone.

use std::time::Duration;

use intelliauth::{AccessToken, CacheMode, Client, Error, TokenRequest, Unavailable};
use serde_json::json;

use crate::support::{Server, leak::Recorder};

/// Just before a line in time.
const ALMOST: f64 = 0.001;

fn unavailable(outcome: Result<AccessToken, Error>) -> Unavailable {
    match outcome {
        Err(Error::Unavailable(unavailable)) => unavailable,
        other => panic!("{other:?}"),
    }
}

fn forced(audience: &str) -> TokenRequest<'_> {
    TokenRequest::new(audience).cache_mode(CacheMode::Refresh)
}

async fn limited(server: &Server, audience: &str, retry_after: &str) {
    let refusal = server
        .token()
        .audience(audience)
        .refuses(429, "rate_limited");
    refusal.header("retry-after", retry_after).mount().await;
}

#[tokio::test]
async fn a_missing_answer_is_remembered_for_one_two_four_seconds_up_to_a_minute() {
    let server = Server::start().await;
    server.token().refuses(503, "server_error").mount().await;
    let client = server.client().build().unwrap();
    for (tries, base) in (1..).zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
        let wait = unavailable(client.get_access_token("api").await).retry_after();
        assert_eq!(server.count().await, tries);
        let wait = wait.as_secs_f64();
        assert!((base * 0.5..=base * 1.5).contains(&wait), "{base}: {wait}");
        server.advance(wait - ALMOST);
        let left = unavailable(client.get_access_token("api").await).retry_after();
        assert!(left <= Duration::from_millis(2), "{left:?}");
        assert_eq!(server.count().await, tries);
        server.advance(2.0 * ALMOST);
    }
}

#[tokio::test]
async fn refusals_are_remembered_for_half_a_minute_and_people_for_two() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    for (code, kind, seconds) in [
        ("invalid_scope", "denied", 30.0),
        ("invalid_client", "denied", 30.0),
        ("no_such_code", "protocol", 30.0),
        ("consent_required", "consent", 120.0),
        ("login_required", "login", 120.0),
        ("step_up_required", "step_up", 120.0),
    ] {
        let refusal = server.token().audience(code).refuses(400, code);
        refusal.named(code).expect(2).mount().await;
        let ask = || async { client.get_access_token(code).await.unwrap_err().kind() };
        assert_eq!(ask().await, kind, "{code}");
        server.advance(seconds - ALMOST);
        let before = server.count().await;
        assert_eq!(ask().await, kind, "{code}");
        assert_eq!(server.count().await, before, "{code}");
        server.advance(ALMOST);
        assert_eq!(ask().await, kind, "{code}");
        assert_eq!(server.count().await, before + 1, "{code}");
    }
}

#[tokio::test]
async fn a_narrowed_grant_is_remembered_for_half_a_minute() {
    let server = Server::start().await;
    server.token().grants(3600).granting("read").mount().await;
    let client = server.client().build().unwrap();
    let both = || TokenRequest::new("api").scope("read write");
    for (seconds, requests) in [(0.0, 1), (30.0 - ALMOST, 1), (ALMOST, 2)] {
        server.advance(seconds);
        let error = client.get_access_token(both()).await.unwrap_err();
        let Error::Denied(denied) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(denied.missing().to_string(), "write");
        assert_eq!(denied.granted().unwrap().to_string(), "read");
        assert_eq!(server.count().await, requests);
    }
    let narrow = TokenRequest::new("api").scope("read");
    client.get_access_token(narrow).await.unwrap();
    assert_eq!(server.count().await, 2, "the token does for what it grants");
}

#[tokio::test]
async fn retry_after_is_kept_to_the_second() {
    let (date, later) = (
        "Sun, 06 Nov 1994 08:49:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    );
    for (said, seconds) in [
        ("30", 30.0),
        (later, 37.0),
        ("1000000000", 3600.0),
        ("99999999999999999999999", 3600.0),
    ] {
        let server = Server::start().await;
        let refusal = server.token().refuses(429, "rate_limited").times(1);
        let refusal = refusal.header("retry-after", said).header("date", date);
        refusal.mount().await;
        server.token().grants(300).mount().await;
        let client = server.client().build().unwrap();
        let first = unavailable(client.get_access_token("api").await);
        assert!((first.retry_after().as_secs_f64() - seconds).abs() < ALMOST);
        server.advance(seconds - ALMOST);
        unavailable(client.get_access_token("api").await);
        unavailable(client.get_access_token(forced("api")).await);
        assert_eq!(server.count().await, 1, "{said}");
        server.advance(ALMOST);
        client.get_access_token("api").await.unwrap();
        assert_eq!(server.count().await, 2, "{said}");
    }
}

#[tokio::test]
async fn what_the_issuer_asked_for_holds_whatever_is_cleared() {
    let server = Server::start().await;
    limited(&server, "api", "30").await;
    let client = server.client().build().unwrap();
    for _ in 0..5 {
        unavailable(client.get_access_token("api").await);
        client.clear("api");
    }
    assert_eq!(server.count().await, 1);
    server.advance(30.0);
    unavailable(client.get_access_token("api").await);
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_retry_after_of_nothing_is_no_invitation_to_hammer() {
    let server = Server::start().await;
    limited(&server, "api", "0").await;
    let client = server.client().build().unwrap();
    let first = unavailable(client.get_access_token("api").await);
    assert!(first.retry_after() >= Duration::from_millis(500));
    unavailable(client.get_access_token("api").await);
    assert_eq!(server.count().await, 1);
    unavailable(client.get_access_token(forced("api")).await);
    assert_eq!(
        server.count().await,
        2,
        "nobody asked a forced call to wait"
    );
}

#[tokio::test]
async fn a_retry_after_counts_with_any_status_that_asks_for_patience() {
    for status in [408, 425, 500, 502, 503, 504] {
        let server = Server::start().await;
        let refusal = server.token().raw(status, "<html>", "text/html");
        refusal.header("retry-after", "30").expect(1).mount().await;
        let client = server.client().retries(2).build().unwrap();
        let error = unavailable(client.get_access_token("api").await);
        assert_eq!(error.issuer_retry_after(), Some(Duration::from_secs(30)));
        server.advance(29.0);
        unavailable(client.get_access_token(forced("api")).await);
    }
}

#[tokio::test]
async fn the_wait_in_the_body_of_a_locked_account_counts_too() {
    let server = Server::start().await;
    let body = json!({
        "error": "account_locked", "message": "Locked.", "request_id": "req_01",
        "details": {"retry_after_s": 90},
    });
    server.token().json(403, body).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let error = unavailable(client.get_access_token("api").await);
    assert_eq!(error.issuer_retry_after(), Some(Duration::from_secs(90)));
    server.advance(89.0);
    unavailable(client.get_access_token("api").await);
}

#[tokio::test]
async fn one_limited_audience_holds_no_other() {
    let server = Server::start().await;
    limited(&server, "a", "600").await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    unavailable(client.get_access_token("a").await);
    client.get_access_token("b").await.unwrap();
    server.advance(61.0);
    limited(&server, "c", "10").await;
    unavailable(client.get_access_token("c").await);
    client.get_access_token("d").await.unwrap();
    assert_eq!(server.count().await, 4, "the two met it a minute apart");
}

#[tokio::test]
async fn two_limited_audiences_within_a_minute_hold_the_whole_issuer() {
    let server = Server::start().await;
    limited(&server, "a", "30").await;
    limited(&server, "b", "30").await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("c").await.unwrap();
    server.advance(215.0);
    unavailable(client.get_access_token("a").await);
    server.advance(20.0);
    unavailable(client.get_access_token("b").await);
    let before = server.count().await;
    server.advance(30.0 - ALMOST);

    let held = unavailable(client.get_access_token("cold").await);
    assert!(held.retry_after() <= Duration::from_millis(2));
    unavailable(client.get_access_token(forced("c")).await);
    // "c" is in its window: it is handed out, and nothing is started behind anybody's back.
    client.get_access_token("c").await.unwrap();
    client.close().await.unwrap();
    assert_eq!(client.stats().background_flights, 0);
    assert_eq!(server.count().await, before);

    server.advance(ALMOST);
    client.get_access_token("cold").await.unwrap();
    client.get_access_token("c").await.unwrap();
    server.arrived(before + 2).await;
    client.close().await.unwrap();
    assert_eq!(client.stats().background_flights, 1);
}

#[tokio::test]
async fn a_scope_set_is_a_key_of_its_own() {
    let server = Server::start().await;
    limited(&server, "api", "30").await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    unavailable(client.get_access_token("api").await);
    unavailable(
        client
            .get_access_token(TokenRequest::new("api").scope("read"))
            .await,
    );
    unavailable(client.get_access_token("other").await);
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_forced_call_passes_a_remembered_failure() {
    let server = Server::start().await;
    server
        .token()
        .refuses(400, "invalid_scope")
        .times(1)
        .mount()
        .await;
    server
        .token()
        .refuses(503, "server_error")
        .times(1)
        .mount()
        .await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap_err();
    unavailable(client.get_access_token(forced("api")).await);
    client.get_access_token(forced("api")).await.unwrap();
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn a_forced_call_that_waits_for_another_heeds_what_that_one_was_told() {
    let server = Server::start().await;
    let refusal = server.token().refuses(429, "rate_limited");
    let refusal = refusal
        .header("retry-after", "30")
        .delayed(Duration::from_millis(200));
    refusal.expect(1).mount().await;
    let client = server.client().build().unwrap();
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.get_access_token(forced("api")).await })
    };
    server.arrived(1).await;
    let second = client.get_access_token(forced("api")).await;
    assert_eq!(
        unavailable(second).issuer_retry_after(),
        Some(Duration::from_secs(30))
    );
    unavailable(first.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shared_by_all_who_waited_for_it() {
    let server = Server::start().await;
    let refusal = server.token().refuses(400, "invalid_target");
    let refusal = refusal.delayed(Duration::from_millis(100));
    refusal.expect(1).mount().await;
    let client = server.client().build().unwrap();
    let outcomes = client.warm(vec!["api"; 200]).await;
    assert_eq!(outcomes.len(), 200);
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        let answer = error.answer().unwrap();
        assert_eq!(answer.code(), Some("invalid_target"));
    }
    let counts = client.stats();
    assert_eq!((counts.flights, counts.failures), (1, 1));
    client.get_access_token("api").await.unwrap_err();
    assert_eq!(client.stats().remembered, counts.remembered + 1);
}

#[tokio::test]
async fn a_success_ends_the_streak() {
    let server = Server::start().await;
    server
        .token()
        .refuses(503, "server_error")
        .times(4)
        .mount()
        .await;
    server.token().grants(60).times(1).mount().await;
    server.token().refuses(503, "server_error").mount().await;
    let client = server.client().build().unwrap();
    for _ in 0..4 {
        let wait = unavailable(client.get_access_token("api").await).retry_after();
        server.advance(wait.as_secs_f64() + ALMOST);
    }
    client.get_access_token("api").await.unwrap();
    server.advance(60.0);
    let wait = unavailable(client.get_access_token("api").await).retry_after();
    assert!(wait <= Duration::from_millis(1500), "{wait:?}");
}

/// A client whose token for `audience` has come into its window.
async fn in_window(server: &Server, audience: &str) -> Client {
    server.token().grants(300).times(1).mount().await;
    let client = server.client().retries(2).build().unwrap();
    client.get_access_token(audience).await.unwrap();
    server.advance(215.0);
    client
}

#[tokio::test]
async fn a_failed_background_refresh_keeps_the_old_token_and_says_so_once() {
    let recorder = Recorder::running();
    let server = Server::start().await;
    let audience = "api-with-one-warning";
    let client = in_window(&server, audience).await;
    server.token().refuses(503, "server_error").mount().await;
    for _ in 0..3 {
        for _ in 0..20 {
            let token = client.get_access_token(audience).await.unwrap();
            assert_eq!(token.secret(), "token-1");
        }
        client.close().await.unwrap();
    }
    assert_eq!(server.count().await, 2, "one try, and none inside of it");
    assert_eq!(recorder.count("WARN intelliauth", audience), 1);
    assert_eq!(recorder.count("the old token stays in use", audience), 1);
}

#[tokio::test]
async fn a_background_refresh_heeds_retry_after() {
    let server = Server::start().await;
    let client = in_window(&server, "api").await;
    limited(&server, "api", "40").await;
    client.get_access_token("api").await.unwrap();
    client.close().await.unwrap();
    server.advance(39.0);
    client.get_access_token("api").await.unwrap();
    unavailable(client.get_access_token(forced("api")).await);
    client.close().await.unwrap();
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_refused_background_refresh_keeps_the_old_token_too() {
    let server = Server::start().await;
    let client = in_window(&server, "api").await;
    server.token().refuses(400, "invalid_scope").mount().await;
    client.get_access_token("api").await.unwrap();
    client.close().await.unwrap();
    let token = client.get_access_token("api").await.unwrap();
    assert_eq!(token.secret(), "token-1");
    server.advance(60.0);
    let error = client.get_access_token("api").await.unwrap_err();
    assert_eq!(error.kind(), "denied");
}

#[tokio::test]
async fn many_refused_scope_sets_are_each_asked_for_once() {
    let server = Server::start().await;
    server.token().refuses(400, "invalid_scope").mount().await;
    let client = server.client().build().unwrap();
    for _ in 0..5 {
        for n in 0..30 {
            let request = TokenRequest::new("api").scope(format!("s{n}"));
            assert!(client.get_access_token(request).await.is_err());
        }
    }
    assert_eq!(server.count().await, 30);
}
