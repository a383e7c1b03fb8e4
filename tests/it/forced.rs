//! A forced call makes a request that starts after it, and results keep the order of departures.

use intelliauth::{CacheMode, TokenRequest};

use crate::support::{Server, Source, at_once, joined, spawn_calls};

fn forced() -> TokenRequest<'static> {
    TokenRequest::new("api").cache_mode(CacheMode::Refresh)
}

#[tokio::test]
async fn a_forced_call_makes_its_own_request_and_the_result_is_for_all() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    let token = client.get_access_token(forced()).await.unwrap();
    assert_eq!(
        (token.secret(), token.source().to_string().as_str()),
        ("token-2", "issuer")
    );
    assert_eq!(
        client.get_access_token("api").await.unwrap().secret(),
        "token-2"
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_forced_call_does_not_join_a_flight_that_started_before_it() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("#1");
    let normal = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    assert_eq!(
        client.get_access_token(forced()).await.unwrap().secret(),
        "token-2"
    );
    source.release("#1");
    assert_eq!(normal.tokens().await, ["token-1"]);
}

#[tokio::test]
async fn an_older_flight_never_overwrites_what_a_newer_one_brought() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("#1");
    let older = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    client.get_access_token(forced()).await.unwrap();
    source.release("#1");
    older.tokens().await;
    client.close().await.unwrap();
    assert_eq!(client.current("api").unwrap().secret(), "token-2");
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn the_failure_of_an_older_flight_does_not_count_against_a_newer_token() {
    let (server, source) = (Server::start().await, Source::posts());
    // The second to depart is the first to arrive.
    server.token().times(1).mount().await;
    server.token().refuses(400, "invalid_scope").mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("#1");
    let older = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    client.get_access_token(forced()).await.unwrap();
    source.release("#1");
    assert!(older.results().await[0].is_err());
    assert!(at_once(client.get_access_token("api")).unwrap().is_ok());
    server.advance(3599.0);
    server.mock.reset().await;
    server
        .json(crate::support::DISCOVERY_PATH, 200, &server.metadata())
        .await;
    server.token().expect(1).mount().await;
    client.get_access_token("api").await.unwrap();
}

#[tokio::test]
async fn what_a_newer_flight_was_told_outlives_an_older_one() {
    let (server, source) = (Server::start().await, Source::posts());
    // The second to depart is the first to arrive, and is asked for patience.
    let patience = server.token().refuses(429, "rate_limited").times(1);
    patience.header("retry-after", "60").mount().await;
    server.token().refuses(503, "server_error").mount().await;
    let client = server.client_of(source.clone()).retries(0).build().unwrap();
    source.hold("#1");
    let older = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    assert!(client.get_access_token(forced()).await.is_err());
    source.release("#1");
    assert!(older.results().await[0].is_err());
    assert!(client.get_access_token(forced()).await.is_err());
    assert_eq!(server.count().await, 2, "a minute is a minute");
    server.advance(61.0);
    assert!(client.get_access_token(forced()).await.is_err());
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn a_hundred_forced_calls_at_once_cost_a_few_requests() {
    for cached in [false, true] {
        let (server, source) = (Server::bare().await, Source::tokens(300));
        let client = server.client_of(source.clone()).build().unwrap();
        if cached {
            client.get_access_token("api").await.unwrap();
        }
        let before = source.count();
        source.hold("api");
        let calls = spawn_calls(&client, 100, &forced());
        source.arrived(before + 1).await;
        joined(&client, 98).await;
        source.release("api");
        assert!(calls.tokens().await.len() <= 3);
        assert!(source.count() - before <= 3, "{} requests", source.count());
        let newest = format!("token-{}", source.count());
        assert_eq!(client.current("api").unwrap().secret(), newest);
    }
}

#[tokio::test]
async fn a_forced_call_in_the_middle_of_a_forced_flight_gets_a_later_one() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("*");
    let first = spawn_calls(&client, 1, &forced());
    source.arrived(1).await;
    let later = spawn_calls(&client, 10, &forced());
    joined(&client, 9).await;
    // A normal call takes what is in the air.
    let normal = spawn_calls(&client, 1, &"api".into());
    joined(&client, 10).await;
    source.release("*");
    assert_eq!(first.tokens().await, ["token-1"]);
    assert_eq!(normal.tokens().await, ["token-1"]);
    assert_eq!(later.tokens().await, ["token-2"]);
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn a_forced_call_that_fails_leaves_the_token_in_use() {
    let server = Server::start().await;
    server.token().times(1).mount().await;
    server.token().refuses(400, "invalid_scope").mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token("api").await.unwrap();
    assert_eq!(
        client.get_access_token(forced()).await.unwrap_err().kind(),
        "denied"
    );
    assert_eq!(
        client.get_access_token("api").await.unwrap().secret(),
        "token-1"
    );
    // It passes remembered failures as well.
    assert!(client.get_access_token(forced()).await.is_err());
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn a_forced_handle_makes_a_request_with_every_call() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let handle = client.audience(forced());
    for number in 1..=3 {
        let token = handle.get_access_token().await.unwrap();
        assert_eq!(token.secret(), format!("token-{number}"));
    }
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn forced_calls_for_other_keys_do_not_queue() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("api");
    let stuck = spawn_calls(&client, 2, &forced());
    source.arrived(1).await;
    let other = TokenRequest::new("other").cache_mode(CacheMode::Refresh);
    client.get_access_token(other).await.unwrap();
    source.release("api");
    stuck.tokens().await;
}
