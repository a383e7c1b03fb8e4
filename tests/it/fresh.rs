//! When a token is refreshed, who waits for it, and what the clocks say.

use std::time::Duration;

use intelliauth::{RefreshAhead, Source as From, TokenRequest, TokenResponse};

use crate::support::{Server, Source, ask, at_once};

#[tokio::test]
async fn in_the_window_a_hundred_callers_start_one_refresh_and_nobody_waits() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().grants(300).mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    ask(&client).await;
    server.advance(250.0);
    source.hold("api");
    for _ in 0..100 {
        let token = at_once(client.get_access_token("api"))
            .expect("nobody waits")
            .unwrap();
        assert_eq!((token.secret(), token.source()), ("token-1", From::Cache));
    }
    source.arrived(2).await;
    assert!(source.calls()[1].is_background);
    assert!(
        at_once(client.get_access_token("api")).unwrap().is_ok(),
        "not later either"
    );
    source.release("api");
    client.close().await.unwrap();
    assert_eq!(ask(&client).await, "token-2");
    assert_eq!(server.count().await, 2);
    assert_eq!(client.stats().background_flights, 1);
}

#[tokio::test]
async fn a_token_that_nobody_asks_for_is_not_refreshed() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().build().unwrap();
    ask(&client).await;
    for _ in 0..30 {
        server.advance(10.0);
        client.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_handle_starts_the_refresh_too() {
    for scope in ["", "read"] {
        let server = Server::start().await;
        server.token().grants(300).expect(2).mount().await;
        let client = server.client().build().unwrap();
        let mut request = TokenRequest::new("api");
        if !scope.is_empty() {
            request = request.scope(scope);
        }
        let handle = client.audience(&request);
        handle.get_access_token().await.unwrap();
        server.advance(250.0);
        assert_eq!(handle.current().unwrap().secret(), "token-1");
        client.close().await.unwrap();
        assert_eq!(handle.current().unwrap().secret(), "token-2");
    }
}

#[tokio::test]
async fn a_broad_token_that_answers_for_less_is_refreshed_as_itself() {
    let server = Server::start().await;
    server.token().granting("a b").grants(300).mount().await;
    let client = server.client().build().unwrap();
    client
        .get_access_token(TokenRequest::new("api").scope("a b"))
        .await
        .unwrap();
    let narrow = TokenRequest::new("api").scope("a");
    server.advance(250.0);
    client.get_access_token(&narrow).await.unwrap();
    client.close().await.unwrap();
    let sent = server.token_requests().await;
    assert_eq!((sent.len(), sent[1].parameter("scope")), (2, "a b"));
    let broad = TokenRequest::new("api").scope("a b");
    assert_eq!(
        client.get_access_token(&broad).await.unwrap().secret(),
        "token-2"
    );
    assert_eq!(
        client.get_access_token(&narrow).await.unwrap().secret(),
        "token-2"
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_token_inside_its_reserve_is_not_handed_out() {
    for (lifetime, reserve) in [(3600, 30.0), (300, 30.0), (60, 6.0), (20, 2.0), (5, 0.5)] {
        let server = Server::start().await;
        server.token().grants(lifetime).mount().await;
        let client = server
            .client()
            .refresh_ahead(RefreshAhead::Off)
            .build()
            .unwrap();
        assert_eq!(ask(&client).await, "token-1");
        #[expect(clippy::cast_precision_loss, reason = "an hour is a small number")]
        let end = lifetime as f64 - reserve;
        server.advance(end - 0.05);
        assert_eq!(ask(&client).await, "token-1", "{lifetime}");
        server.advance(0.06);
        assert_eq!(ask(&client).await, "token-2", "{lifetime}");
    }
}

#[tokio::test]
async fn lifetime_counts_from_before_the_request_was_sent() {
    let server = Server::start().await;
    let clock = server.clock.clone();
    let source = Source::new(move |call| {
        clock.advance(Duration::from_secs(100));
        let text = format!("token-{}", call.number);
        Some(TokenResponse::new(text.as_str()).lifetime(Duration::from_secs(300)))
    });
    let client = server
        .client_of(source.clone())
        .refresh_ahead(RefreshAhead::Off);
    let client = client.build().unwrap();
    let before = server.clock.clone();
    let start = intelliauth::Clock::now(&before).wall();
    let token = client.get_access_token("api").await.unwrap();
    assert_eq!(token.expires_at(), start + Duration::from_secs(300));
    server.advance(169.9);
    assert_eq!(ask(&client).await, "token-1");
    server.advance(0.2);
    assert_eq!(
        ask(&client).await,
        "token-2",
        "170 s after it came, it is 270 s old"
    );
}

#[tokio::test]
async fn a_token_that_takes_longer_than_it_lives_is_not_handed_out_and_not_asked_for_in_a_loop() {
    let server = Server::start().await;
    let clock = server.clock.clone();
    let source = Source::new(move |_| {
        clock.advance(Duration::from_secs(290));
        Some(TokenResponse::new("late").lifetime(Duration::from_secs(300)))
    });
    let client = server.client_of(source.clone()).build().unwrap();
    for _ in 0..20 {
        assert_eq!(
            client.get_access_token("api").await.unwrap_err().kind(),
            "unavailable"
        );
    }
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn after_a_suspend_the_next_call_refreshes() {
    let server = Server::start().await;
    server.token().grants(3600).expect(2).mount().await;
    let client = server.client().build().unwrap();
    ask(&client).await;
    server.clock.suspend(Duration::from_secs(6 * 3600));
    assert!(client.current("api").is_none());
    assert_eq!(ask(&client).await, "token-2");
    assert_eq!(ask(&client).await, "token-2");
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_token_live_longer() {
    let server = Server::start().await;
    server.token().grants(3600).mount().await;
    let client = server
        .client()
        .refresh_ahead(RefreshAhead::Off)
        .build()
        .unwrap();
    ask(&client).await;
    server.clock.set_wall_back(Duration::from_secs(24 * 3600));
    assert_eq!(ask(&client).await, "token-1", "and none shorter");
    server.advance(3569.0);
    assert_eq!(ask(&client).await, "token-1");
    server.advance(2.0);
    assert_eq!(ask(&client).await, "token-2");
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn what_has_ended_by_a_wrong_clock_stays_replaced_when_the_clock_is_put_right() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    ask(&client).await;
    server.clock.suspend(Duration::from_secs(3600));
    assert_eq!(ask(&client).await, "token-2");
    server.clock.set_wall_back(Duration::from_secs(3600));
    assert_eq!(ask(&client).await, "token-2");
    server.advance(271.0);
    assert_eq!(ask(&client).await, "token-3", "the monotonic clock counts");
}

#[tokio::test]
async fn a_failed_refresh_shows_nobody_an_error_while_the_token_lives() {
    let unusable = [
        (400, r#"{"error":"invalid_scope"}"#),
        (400, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"consent_required"}"#),
        (429, "{}"),
        (500, "<html>"),
        (200, "{\"acc"),
        (200, r#"{"access_token":"x","expires_in":0}"#),
        (302, ""),
    ];
    for (status, body) in unusable {
        let server = Server::start().await;
        server.token().grants(300).times(1).mount().await;
        server
            .token()
            .raw(status, body, "application/json")
            .mount()
            .await;
        let client = server.client().build().unwrap();
        ask(&client).await;
        server.advance(250.0);
        for _ in 0..10 {
            assert_eq!(ask(&client).await, "token-1", "{status} {body}");
        }
        assert_eq!(
            server.count().await,
            2,
            "{status} {body}: it waits before the next try"
        );
        server.advance(21.0);
        assert!(client.current("api").is_none());
    }
}
