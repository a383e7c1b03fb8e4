//! After an API answered 401: the token is replaced once for everybody, and not again and again.

use intelliauth::{CacheMode, DeniedReason, Error, TokenRequest};

use crate::support::{Server, Source};

#[tokio::test]
async fn a_rejected_token_that_is_no_longer_current_costs_no_request() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let old = client.get_access_token("api").await.unwrap();
    let forced = TokenRequest::new("api").cache_mode(CacheMode::Refresh);
    client.get_access_token(forced).await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (client, old) = (client.clone(), old.clone());
            tokio::spawn(async move { client.after_unauthorized(&old).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().secret(), "token-2");
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_rejections_of_the_current_token_make_one_request() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let handle = client.audience("api");
    let rejected = client.get_access_token("api").await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let (client, handle, rejected) = (client.clone(), handle.clone(), rejected.clone());
            tokio::spawn(async move {
                if n % 2 == 0 {
                    client.after_unauthorized(&rejected).await
                } else {
                    handle.after_unauthorized(&rejected).await
                }
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().secret(), "token-2");
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_replacement_that_is_rejected_at_once_is_not_replaced_again() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let mut token = client.get_access_token("api").await.unwrap();
    token = client.after_unauthorized(&token).await.unwrap();
    for _ in 0..10 {
        let Err(Error::Denied(denied)) = client.after_unauthorized(&token).await else {
            panic!()
        };
        assert_eq!(denied.reason(), DeniedReason::RejectedByApi);
        assert_eq!(denied.audience().as_str(), "api");
        server.advance(2.9);
    }
    assert_eq!(
        server.count().await,
        2,
        "no loop of rejections and requests"
    );
    assert_eq!(
        client.get_access_token("api").await.unwrap().secret(),
        "token-2"
    );
    server.advance(1.1);
    assert_eq!(
        client.after_unauthorized(&token).await.unwrap().secret(),
        "token-3"
    );
}

#[tokio::test]
async fn a_token_that_was_refreshed_meanwhile_is_on_no_trial() {
    let server = Server::start().await;
    server.token().grants(300).mount().await;
    let client = server.client().build().unwrap();
    let first = client.get_access_token("api").await.unwrap();
    client.after_unauthorized(&first).await.unwrap();
    server.advance(250.0);
    client.get_access_token("api").await.unwrap();
    client.close().await.unwrap();
    let third = client.get_access_token("api").await.unwrap();
    assert_eq!(third.secret(), "token-3");
    assert_eq!(
        client.after_unauthorized(&third).await.unwrap().secret(),
        "token-4"
    );
}

#[tokio::test]
async fn a_rejection_touches_no_other_audience_scope_set_or_partition() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    let scoped = TokenRequest::new("a").scope("read");
    let alice = client.partition("alice");
    let rejected = client.get_access_token("a").await.unwrap();
    client.get_access_token("b").await.unwrap();
    client.get_access_token(&scoped).await.unwrap();
    alice.get_access_token("a").await.unwrap();
    client.after_unauthorized(&rejected).await.unwrap();
    assert_eq!(source.count(), 5);
    client.get_access_token("b").await.unwrap();
    client.get_access_token(&scoped).await.unwrap();
    alice.get_access_token("a").await.unwrap();
    assert_eq!(source.count(), 5);
    // Another partition's token is not its own to reject.
    assert_eq!(
        alice.after_unauthorized(&rejected).await.unwrap().secret(),
        "token-4"
    );
    assert_eq!(source.count(), 5);
}

#[tokio::test]
async fn the_next_token_after_a_rejection_is_for_the_same_scopes_and_parameters() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let request = TokenRequest::new("api")
        .scope("read")
        .parameter("tenant", "one");
    let rejected = client.get_access_token(&request).await.unwrap();
    client.after_unauthorized(&rejected).await.unwrap();
    let sent = server.token_requests().await;
    assert_eq!(sent[1].form, sent[0].form);
    assert_eq!(
        client.get_access_token(&request).await.unwrap().secret(),
        "token-2"
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_rejected_token_of_a_narrowed_grant_is_replaced_for_what_it_held() {
    let server = Server::start().await;
    server.token().granting("read").mount().await;
    let client = server.client().build().unwrap();
    let both = TokenRequest::new("api").scope("read write");
    assert!(client.get_access_token(both).await.is_err());
    let read = TokenRequest::new("api").scope("read");
    let rejected = client.get_access_token(&read).await.unwrap();
    assert_eq!(rejected.secret(), "token-1");
    let next = client.after_unauthorized(&rejected).await.unwrap();
    assert_eq!(next.secret(), "token-2");
    assert_eq!(
        client.get_access_token(&read).await.unwrap().secret(),
        "token-2"
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_rejection_whose_replacement_fails_is_an_error_and_no_loop() {
    let server = Server::start().await;
    server.token().times(1).mount().await;
    server
        .token()
        .refuses(503, "temporarily_unavailable")
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let rejected = client.get_access_token("api").await.unwrap();
    for _ in 0..10 {
        let error = client.after_unauthorized(&rejected).await.unwrap_err();
        assert_eq!(error.kind(), "unavailable");
    }
    assert_eq!(server.count().await, 2);
    assert!(
        client.current("api").is_none(),
        "a rejected token is not handed out again"
    );
}

#[tokio::test]
async fn a_token_for_exact_scopes_is_never_replaced_by_a_broader_one() {
    let server = Server::start().await;
    server
        .token()
        .scope("read write")
        .granting("read write")
        .mount()
        .await;
    server.token().scope("read").granting("read").mount().await;
    let client = server.client().build().unwrap();
    let broad = TokenRequest::new("api").scope("read write");
    client.get_access_token(broad).await.unwrap();
    let exact = TokenRequest::new("api").scope("read").exact_scopes();
    let rejected = client.get_access_token(exact).await.unwrap();
    let next = client.after_unauthorized(&rejected).await.unwrap();
    assert_eq!(next.scopes().to_string(), "read");
    assert_eq!(server.count().await, 3);
}
