//! Any number of callers of the same key cause one request.

use std::time::Duration;

use intelliauth::{CacheMode, Error, TokenRequest, UnavailableReason};

use crate::support::{Server, Source, at_once, joined, spawn_calls};

const SLOW: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_second_call_is_answered_from_the_cache() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let first = client.get_access_token("api").await.unwrap();
    let second = client.get_access_token("api").await.unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_eq!(first.source().to_string(), "issuer");
    assert_eq!(second.source().to_string(), "cache");
}

#[tokio::test]
async fn a_hundred_cold_callers_get_the_same_token() {
    let server = Server::start().await;
    server.token().delayed(SLOW).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let calls = spawn_calls(&client, 100, &"api".into());
    assert_eq!(calls.tokens().await, ["token-1"]);
    let counts = client.stats();
    assert_eq!((counts.flights, counts.joined, counts.failures), (1, 99, 0));
}

#[tokio::test]
async fn a_failure_is_shared_by_all_who_waited_and_tried_once() {
    let server = Server::start().await;
    server
        .token()
        .refuses(400, "invalid_scope")
        .delayed(SLOW)
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let results = spawn_calls(&client, 100, &"api".into()).results().await;
    assert_eq!(results.len(), 100);
    for result in results {
        assert_eq!(result.unwrap_err().kind(), "denied");
    }
}

#[tokio::test]
async fn handles_names_and_requests_join_the_same_flight() {
    let server = Server::start().await;
    server.token().delayed(SLOW).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let handle = client.audience("api");
    let request = TokenRequest::new("api");
    let (a, b, c, d) = tokio::join!(
        handle.get_access_token(),
        client.get_access_token("api"),
        client.get_access_token(&request),
        client.get_access_token(request.clone().exact_scopes()),
    );
    for token in [a, b, c, d] {
        assert_eq!(token.unwrap().secret(), "token-1");
    }
}

#[tokio::test]
async fn warming_fetches_each_audience_once_and_keeps_their_order() {
    let server = Server::start().await;
    for name in ["a", "b"] {
        server
            .token()
            .audience(name)
            .access_token(name)
            .delayed(SLOW)
            .expect(1)
            .mount()
            .await;
    }
    server
        .token()
        .audience("bad")
        .refuses(400, "invalid_target")
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let results = client.warm(["a", "bad", "b", "a"]).await;
    let shown: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(token) => token.secret(),
            Err(error) => error.kind(),
        })
        .collect();
    assert_eq!(shown, ["a", "denied", "b", "a"]);
    for name in ["a", "b"] {
        assert!(at_once(client.get_access_token(name)).unwrap().is_ok());
    }
    assert!(client.warm(Vec::<&str>::new()).await.is_empty());
}

#[tokio::test]
async fn only_what_is_cached_is_asked_of_the_cache() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let only = TokenRequest::new("api").cache_mode(CacheMode::Only);
    let Err(Error::NotCached(nothing)) = client.get_access_token(&only).await else {
        panic!()
    };
    assert_eq!(nothing.audience().as_str(), "api");
    assert_eq!(server.count().await, 0);
    client.get_access_token("api").await.unwrap();
    assert!(client.get_access_token(&only).await.is_ok());
    server.advance(299.0);
    assert_eq!(
        client.get_access_token(&only).await.unwrap_err().kind(),
        "not_cached"
    );
    client.close().await.unwrap();
}

#[tokio::test]
async fn only_what_is_cached_never_makes_a_request_in_the_window_either() {
    use intelliauth::RefreshAhead::{Background, Inline, Off};
    for mode in [Background, Inline, Off] {
        let server = Server::start().await;
        server.token().grants(300).mount().await;
        let client = server.client().refresh_ahead(mode).build().unwrap();
        let only = TokenRequest::new("api").cache_mode(CacheMode::Only);
        client.get_access_token("api").await.unwrap();
        server.advance(250.0);
        let token = client.get_access_token(&only).await;
        assert_eq!(token.unwrap().secret(), "token-1", "{mode:?}");
        assert!(client.audience(only).current().is_some(), "{mode:?}");
        client.close().await.unwrap();
        assert_eq!(server.count().await, 1, "{mode:?}");
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_in_time_leaves_the_request_to_end_and_be_cached() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().expect(1).mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("api");
    let hasty = TokenRequest::new("api").timeout(Duration::from_millis(20));
    let Err(Error::Unavailable(error)) = client.get_access_token(&hasty).await else {
        panic!()
    };
    assert_eq!(error.reason(), UnavailableReason::Timeout);
    // Its own haste is no failure of the flight: the next one joins it.
    let patient = spawn_calls(&client, 3, &"api".into());
    source.release("api");
    assert_eq!(patient.tokens().await, ["token-1"]);
    assert!(at_once(client.get_access_token(&hasty)).unwrap().is_ok());
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_flight_has_a_limit_of_its_own_and_its_slot_is_free_after_it() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let limit = Duration::from_millis(50);
    let client = server
        .client_of(source.clone())
        .flight_timeout(limit)
        .build()
        .unwrap();
    source.hold("#1");
    let results = spawn_calls(&client, 5, &"api".into()).results().await;
    for result in results {
        assert_eq!(result.unwrap_err().kind(), "unavailable");
    }
    assert_eq!(
        client.get_access_token("api").await.unwrap_err().kind(),
        "unavailable"
    );
    assert_eq!(source.count(), 1, "the failure is remembered");
    server.advance(2.0);
    assert_eq!(
        client.get_access_token("api").await.unwrap().secret(),
        "token-2"
    );
}

#[tokio::test]
async fn a_dropped_first_caller_leaves_the_others_their_token() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().expect(1).mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("api");
    let leader = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    let followers = spawn_calls(&client, 5, &"api".into());
    joined(&client, 5).await;
    leader.abort();
    assert!(leader.results().await.is_empty(), "it was aborted");
    source.release("api");
    assert_eq!(followers.tokens().await, ["token-1"]);
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_request_whose_callers_are_all_gone_is_cached_all_the_same() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().expect(1).mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("api");
    let calls = spawn_calls(&client, 5, &"api".into());
    source.arrived(1).await;
    calls.abort();
    assert!(calls.results().await.is_empty());
    source.release("api");
    client.close().await.unwrap();
    assert!(at_once(client.get_access_token("api")).unwrap().is_ok());
}

#[tokio::test]
async fn closing_waits_for_refreshes_that_nobody_else_waits_for() {
    let (server, source) = (Server::start().await, Source::posts());
    server.token().grants(300).mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    client.close().await.unwrap();
    client.get_access_token("api").await.unwrap();
    server.advance(250.0);
    source.hold("api");
    client.get_access_token("api").await.unwrap();
    source.arrived(2).await;
    let mut closing = Box::pin(client.close());
    assert!(at_once(&mut closing).is_none(), "it waits");
    source.release("api");
    closing.await.unwrap();
    assert_eq!(server.count().await, 2);
    assert_eq!(client.current("api").unwrap().secret(), "token-2");
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_not_for_what_comes_later() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("early");
    let early = spawn_calls(&client, 1, &"early".into());
    source.arrived(1).await;
    let mut closing = Box::pin(client.close());
    assert!(at_once(&mut closing).is_none());
    source.hold("late");
    let _late = spawn_calls(&client, 1, &"late".into());
    source.arrived(2).await;
    source.release("early");
    closing.await.unwrap();
    assert_eq!(early.tokens().await.len(), 1);
}

#[tokio::test]
async fn a_flight_from_before_a_clearing_answers_its_callers_and_is_not_cached() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("#1");
    let before = spawn_calls(&client, 3, &"api".into());
    source.arrived(1).await;
    client.clear("api");
    let after = spawn_calls(&client, 3, &"api".into());
    assert_eq!(
        after.tokens().await,
        ["token-2"],
        "a clearing frees the way for the next"
    );
    source.release("#1");
    assert_eq!(before.tokens().await, ["token-1"]);
    assert_eq!(client.current("api").unwrap().secret(), "token-2");
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn a_flight_from_before_a_clearing_leaves_no_failure_behind() {
    let (server, source) = (Server::start().await, Source::posts());
    server
        .token()
        .refuses(400, "invalid_scope")
        .times(1)
        .mount()
        .await;
    server.token().mount().await;
    let client = server.client_of(source.clone()).build().unwrap();
    source.hold("#1");
    let before = spawn_calls(&client, 1, &"api".into());
    source.arrived(1).await;
    client.clear("api");
    source.release("#1");
    assert_eq!(
        before.results().await[0].as_ref().unwrap_err().kind(),
        "denied"
    );
    assert!(client.get_access_token("api").await.is_ok());
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn clearing_forgets_a_failure_too() {
    let server = Server::start().await;
    server
        .token()
        .refuses(400, "invalid_scope")
        .times(1)
        .mount()
        .await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    assert!(client.get_access_token("api").await.is_err());
    client.clear("api");
    assert!(client.get_access_token("api").await.is_ok());
}
