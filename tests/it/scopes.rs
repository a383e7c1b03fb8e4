//! Which cached token answers for which scopes: by set, by what was reported, the smallest first.

use std::time::Duration;

use intelliauth::{CacheMode, Scopes, TokenRequest};

use crate::support::{Server, jwt};

fn api(scope: &str) -> TokenRequest<'static> {
    TokenRequest::new("api").scope(scope)
}

fn set(text: &str) -> Scopes {
    text.parse().unwrap_or_default()
}

/// A server that grants what it is asked for and says so, in a token called by its scopes.
async fn reporting(grants: &[&str]) -> Server {
    let server = Server::start().await;
    for scope in grants {
        let mock = server
            .token()
            .scope(scope)
            .granting(scope)
            .access_token(&format!("t-{}", scope.replace(' ', "+")));
        mock.mount().await;
    }
    server
}

#[tokio::test]
async fn the_smallest_reported_grant_answers_whatever_came_first() {
    for order in [["a b", "a b c", "a b c d"], ["a b c d", "a b c", "a b"]] {
        let server = reporting(&order).await;
        let client = server.client().build().unwrap();
        for scope in order {
            client
                .get_access_token(api(scope).exact_scopes())
                .await
                .unwrap();
        }
        for (asked, answer) in [("b", "t-a+b"), ("c a", "t-a+b+c"), ("d", "t-a+b+c+d")] {
            let token = client.get_access_token(api(asked)).await.unwrap();
            assert_eq!(token.secret(), answer, "{asked} after {order:?}");
        }
        assert_eq!(server.count().await, 3);
    }
}

#[tokio::test]
async fn a_token_fetched_for_exactly_these_scopes_goes_before_a_broader_one() {
    let server = reporting(&["a", "a b"]).await;
    let client = server.client().build().unwrap();
    for scope in ["a b", "a"] {
        client
            .get_access_token(api(scope).exact_scopes())
            .await
            .unwrap();
    }
    assert_eq!(
        client.get_access_token(api("a")).await.unwrap().secret(),
        "t-a"
    );
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn exact_scopes_are_never_answered_by_a_broader_token() {
    let server = reporting(&["a", "a b"]).await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("a b")).await.unwrap();
    let exact = client
        .get_access_token(api("a").exact_scopes())
        .await
        .unwrap();
    assert_eq!(exact.secret(), "t-a");
    let handle = client.audience(api("b").exact_scopes());
    assert!(handle.current().is_none(), "through a handle neither");
}

#[tokio::test]
async fn scopes_are_compared_as_sets_and_not_as_texts() {
    let server = Server::start().await;
    server.token().granting("read read").mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("read")).await.unwrap();
    let only = |scope| api(scope).cache_mode(CacheMode::Only);
    assert!(client.get_access_token(only("read read")).await.is_ok());
    for other in ["read write", "rea", "reader", "READ", "read:all"] {
        let error = client.get_access_token(only(other)).await.unwrap_err();
        assert_eq!(error.kind(), "not_cached", "{other}");
    }
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn a_bare_request_is_never_answered_by_a_token_for_named_scopes() {
    let server = Server::start().await;
    server.token().granting("read").expect(2).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("read")).await.unwrap();
    assert!(client.current("api").is_none());
    assert!(client.audience("api").current().is_none());
    client.get_access_token("api").await.unwrap();
    let sent = server.token_requests().await;
    assert!(sent[1].form.iter().all(|(name, _)| name != "scope"));
}

#[tokio::test]
async fn a_bare_token_answers_for_the_scopes_that_it_reports() {
    let server = Server::start().await;
    server
        .token()
        .granting("read write")
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let bare = client.get_access_token("api").await.unwrap();
    let named = client.get_access_token(api("read")).await.unwrap();
    assert_eq!(bare.secret(), named.secret());
}

#[tokio::test]
async fn an_assumed_grant_answers_for_nobody_else() {
    let server = Server::start().await;
    server.token().expect(3).mount().await;
    let client = server.client().build().unwrap();
    let token = client.get_access_token(api("a b")).await.unwrap();
    assert!(!token.scopes_are_reported());
    assert_eq!(*token.scopes(), set("a b"));
    client.get_access_token(api("a")).await.unwrap();
    client.get_access_token(api("b")).await.unwrap();
    assert!(client.current(api("b a")).is_some());
}

#[tokio::test]
async fn scopes_in_the_token_count_as_reported_and_the_reply_goes_first() {
    let claims = serde_json::json!({"aud": "api", "scope": "a b c"});
    let server = Server::start().await;
    server
        .token()
        .access_token(&jwt(&claims))
        .times(1)
        .mount()
        .await;
    server
        .token()
        .access_token(&jwt(&claims))
        .granting("a b")
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let token = client.get_access_token(api("a b")).await.unwrap();
    assert!(token.scopes_are_reported());
    assert_eq!(*token.scopes(), set("a b c"));
    assert!(client.current(api("c")).is_some());
    client.clear("api");
    let token = client.get_access_token(api("a b")).await.unwrap();
    assert_eq!(*token.scopes(), set("a b"));
    assert!(client.current(api("c")).is_none());
}

#[tokio::test]
async fn an_ended_token_is_passed_over_for_a_valid_broader_one_in_any_order() {
    for short_first in [true, false] {
        let server = Server::start().await;
        server
            .token()
            .scope("a b")
            .granting("a b")
            .grants(60)
            .mount()
            .await;
        server
            .token()
            .scope("a b c")
            .granting("a b c")
            .access_token("long")
            .mount()
            .await;
        let client = server.client().build().unwrap();
        let mut order = [api("a b"), api("a b c")];
        if !short_first {
            order.reverse();
        }
        for request in order {
            client
                .get_access_token(request.exact_scopes())
                .await
                .unwrap();
        }
        server.advance(59.0);
        for asked in ["a", "a b"] {
            assert_eq!(
                client.get_access_token(api(asked)).await.unwrap().secret(),
                "long"
            );
        }
        assert_eq!(server.count().await, 2);
    }
}

#[tokio::test]
async fn at_most_sixteen_scope_sets_are_kept() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    for n in 0..100 {
        client
            .get_access_token(api(&format!("s{n}")))
            .await
            .unwrap();
    }
    assert_eq!(kept(&client, 100), 16);
    assert!(client.current(api("s99")).is_some(), "the newest stays");
}

#[tokio::test]
async fn an_ended_broad_token_is_renewed_for_the_narrow_request_and_leaves_no_ghost() {
    let server = Server::start().await;
    server.token().granting("a b").grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("a b")).await.unwrap();
    client.get_access_token(api("a")).await.unwrap();
    server.advance(299.0);
    client.get_access_token(api("a")).await.unwrap();
    let sent = server.token_requests().await;
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].parameter("scope"), "a b");
    for scope in ["a b", "a", "b"] {
        let token = client.get_access_token(api(scope)).await.unwrap();
        assert_eq!(token.secret(), "token-2", "{scope}");
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_broad_token_that_cannot_be_renewed_costs_the_narrow_request_nothing() {
    let server = Server::start().await;
    server
        .token()
        .scope("a b")
        .granting("a b")
        .grants(300)
        .times(1)
        .mount()
        .await;
    server
        .token()
        .scope("a b")
        .refuses(400, "invalid_scope")
        .mount()
        .await;
    server
        .token()
        .scope("a")
        .granting("a")
        .grants(300)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("a b")).await.unwrap();
    server.advance(299.0);
    client.get_access_token(api("a")).await.unwrap();
    assert_eq!(
        server.count().await,
        3,
        "the broad set, then the narrow one"
    );
    client.get_access_token(api("a")).await.unwrap();
    assert_eq!(server.count().await, 3);
}

#[tokio::test]
async fn scope_sets_that_were_needed_at_once_make_room_later() {
    let server = Server::start().await;
    server
        .token()
        .delayed(Duration::from_millis(50))
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let results = client.warm((0..40).map(|n| api(&format!("s{n}")))).await;
    assert!(results.iter().all(Result::is_ok));
    client.get_access_token(api("s40")).await.unwrap();
    assert!(kept(&client, 41) <= 16, "{} are kept", kept(&client, 41));
}

fn kept(client: &intelliauth::Client, count: usize) -> usize {
    (0..count)
        .filter(|n| client.current(api(&format!("s{n}"))).is_some())
        .count()
}
