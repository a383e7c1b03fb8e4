//! `RefreshAhead`: who waits for a refresh, if anybody.

use std::time::Duration;

use intelliauth::{RefreshAhead, TokenRequest};

use crate::support::{Server, Source, ask, at_once, spawn_calls};

#[tokio::test]
async fn inline_lets_the_first_caller_in_the_window_wait_and_nobody_else() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().grants(300).mount().await;
    let client = server
        .client_of(source.clone())
        .refresh_ahead(RefreshAhead::Inline);
    let client = client.build().unwrap();
    ask(&client).await;
    server.advance(250.0);
    source.hold("api");
    let first = spawn_calls(&client, 1, &"api".into());
    source.arrived(2).await;
    for _ in 0..10 {
        let token = at_once(client.get_access_token("api")).expect("only one waits");
        assert_eq!(token.unwrap().secret(), "token-1");
    }
    source.release("api");
    assert_eq!(first.tokens().await, ["token-2"]);
    assert_eq!(ask(&client).await, "token-2");
    assert_eq!(client.stats().background_flights, 0);
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn inline_returns_the_old_token_when_the_refresh_fails_and_does_not_try_with_every_call() {
    let server = Server::start().await;
    server.token().grants(300).times(1).mount().await;
    server
        .token()
        .refuses(503, "temporarily_unavailable")
        .mount()
        .await;
    let client = server
        .client()
        .refresh_ahead(RefreshAhead::Inline)
        .build()
        .unwrap();
    ask(&client).await;
    server.advance(250.0);
    for _ in 0..10 {
        assert_eq!(ask(&client).await, "token-1");
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn inline_returns_the_old_token_when_the_caller_cannot_wait_longer() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server
        .client_of(source.clone())
        .refresh_ahead(RefreshAhead::Inline);
    let client = client.build().unwrap();
    ask(&client).await;
    server.advance(250.0);
    source.hold("api");
    let hasty = TokenRequest::new("api").timeout(Duration::from_millis(20));
    assert_eq!(
        client.get_access_token(&hasty).await.unwrap().secret(),
        "token-1"
    );
    source.release("api");
    client.close().await.unwrap();
    assert_eq!(ask(&client).await, "token-2");
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn inline_does_not_hide_a_usable_token_from_a_look_that_cannot_wait() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server
        .client()
        .refresh_ahead(RefreshAhead::Inline)
        .build()
        .unwrap();
    ask(&client).await;
    server.advance(250.0);
    assert!(client.current("api").is_some());
    assert!(client.audience("api").current().is_some());
}

#[tokio::test]
async fn off_uses_a_token_to_its_end_and_then_everybody_waits_for_one_request() {
    let server = Server::start().await;
    server
        .token()
        .grants(300)
        .delayed(Duration::from_millis(50))
        .mount()
        .await;
    let client = server
        .client()
        .refresh_ahead(RefreshAhead::Off)
        .build()
        .unwrap();
    ask(&client).await;
    server.advance(269.0);
    assert_eq!(ask(&client).await, "token-1");
    assert_eq!(server.count().await, 1);
    server.advance(2.0);
    assert_eq!(
        spawn_calls(&client, 20, &"api".into()).tokens().await,
        ["token-2"]
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn inline_renews_a_broader_token_in_its_window_and_makes_no_narrower_one() {
    let server = Server::start().await;
    server.token().granting("a b").grants(300).mount().await;
    let client = server.client().refresh_ahead(RefreshAhead::Inline);
    let client = client.build().unwrap();
    let (broad, narrow) = (
        TokenRequest::new("api").scope("a b"),
        TokenRequest::new("api").scope("a"),
    );
    client.get_access_token(&broad).await.unwrap();
    server.advance(250.0);
    for request in [&narrow, &broad, &narrow] {
        let token = client.get_access_token(request).await.unwrap();
        assert_eq!(token.secret(), "token-2");
    }
    let sent = server.token_requests().await;
    assert_eq!((sent.len(), sent[1].parameter("scope")), (2, "a b"));
}
