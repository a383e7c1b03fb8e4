//! A token is never handed out for anything but what it was fetched for.

use std::{collections::HashSet, time::Duration};

use intelliauth::{CacheMode, TokenRequest, TokenResponse};

use crate::support::{Server, Source};

#[tokio::test]
async fn audiences_are_cached_apart() {
    let server = Server::start().await;
    for audience in ["banking", "health"] {
        let token = format!("for-{audience}");
        let mock = server.token().audience(audience).access_token(&token);
        mock.expect(1).mount().await;
    }
    let client = server.client().build().unwrap();
    for _ in 0..3 {
        for audience in ["banking", "health"] {
            let token = client.get_access_token(audience).await.unwrap();
            assert_eq!(token.secret(), format!("for-{audience}"));
            assert_eq!(token.audience().as_str(), audience);
        }
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn audiences_are_compared_exactly() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let audiences = [
        "api",
        "API",
        "api/",
        " api",
        "https://api",
        "https://api/",
        "https://api:443",
        "ap\u{ed}",
        "api%20",
    ];
    let mut tokens = HashSet::new();
    for audience in audiences {
        let token = client.get_access_token(audience).await.unwrap();
        tokens.insert(token.secret().to_owned());
    }
    assert_eq!(tokens.len(), audiences.len());
    let requests = server.token_requests().await;
    let sent: Vec<&str> = requests
        .iter()
        .map(|seen| seen.parameter("audience"))
        .collect();
    assert_eq!(sent, audiences);
}

#[tokio::test]
async fn texts_that_look_alike_when_joined_are_different_requests() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let requests = [
        TokenRequest::new("a::b").scope("c"),
        TokenRequest::new("a").scope("b::c"),
        TokenRequest::new("a"),
        TokenRequest::new("other").scope("a"),
        TokenRequest::new("a").parameter("b", "c"),
        TokenRequest::new("a").parameter("b", "c").scope("b"),
        TokenRequest::new("a").parameter("b c", ""),
        TokenRequest::new("a").parameter("b", "c d"),
        TokenRequest::new("a")
            .parameter("b", "c")
            .parameter("d", ""),
    ];
    for (round, source) in ["issuer", "cache"].into_iter().enumerate() {
        for request in &requests {
            let token = client.get_access_token(request).await.unwrap();
            assert_eq!(token.source().to_string(), source, "{round} {request:?}");
        }
        assert_eq!(server.count().await, requests.len());
    }
}

#[tokio::test]
async fn a_missing_audience_is_refused_before_anything_is_sent() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let error = client
        .get_access_token(TokenRequest::new("").scope("api"))
        .await;
    assert_eq!(error.unwrap_err().kind(), "request");
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn extra_parameters_are_part_of_the_key_in_any_order() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let plain = TokenRequest::new("api");
    let tenant = plain.clone().parameter("tenant", "one");
    let other = plain.clone().parameter("tenant", "two");
    let both = tenant.clone().parameter("locale", "de");
    let swapped = plain
        .clone()
        .parameter("locale", "de")
        .parameter("tenant", "one");
    for request in [&plain, &tenant, &other, &both] {
        let token = client.get_access_token(request).await.unwrap();
        assert_eq!(token.source().to_string(), "issuer", "{request:?}");
    }
    assert!(client.current(&swapped).is_some());
    let sent = server.token_requests().await;
    assert_eq!(sent.len(), 4);
    assert_eq!(sent[1].parameter("tenant"), "one");
    assert_eq!(
        (sent[3].parameter("tenant"), sent[3].parameter("locale")),
        ("one", "de")
    );
}

#[tokio::test]
async fn partitions_never_share_a_token() {
    let (server, source) = (Server::bare().await, by_partition());
    let client = server.client_of(source.clone()).build().unwrap();
    let (alice, bob) = (client.partition("alice"), client.partition("bob"));
    for audience in ["a", "b"] {
        let token = alice.get_access_token(audience).await.unwrap();
        assert_eq!(token.secret(), format!("alice-{audience}"));
    }
    assert_eq!(bob.get_access_token("a").await.unwrap().secret(), "bob-a");
    let cached_b = TokenRequest::new("b").cache_mode(CacheMode::Only);
    assert_eq!(
        bob.get_access_token(&cached_b).await.unwrap_err().kind(),
        "not_cached"
    );
    assert_eq!(bob.get_access_token("b").await.unwrap().secret(), "bob-b");
    assert_eq!(client.get_access_token("b").await.unwrap().secret(), "-b");
    assert_eq!(source.count(), 5);
    // The same name is the same partition, whichever client made it.
    assert_eq!(
        client
            .partition("alice")
            .get_access_token("a")
            .await
            .unwrap()
            .secret(),
        "alice-a"
    );
    assert_eq!(
        alice
            .partition("bob")
            .get_access_token("a")
            .await
            .unwrap()
            .secret(),
        "bob-a"
    );
    assert_eq!(source.count(), 5);
}

#[tokio::test]
async fn a_partition_without_a_name_is_not_the_application() {
    let (server, source) = (Server::bare().await, Source::tokens(300));
    let client = server.client_of(source.clone()).build().unwrap();
    client.get_access_token("api").await.unwrap();
    client.partition("").get_access_token("api").await.unwrap();
    let partitions: Vec<_> = source
        .calls()
        .into_iter()
        .map(|call| call.partition)
        .collect();
    assert_eq!(partitions, [None, Some(String::new())]);
}

#[tokio::test]
async fn clearing_forgets_one_audience_of_one_partition() {
    let (server, source) = (Server::bare().await, by_partition());
    let client = server.client_of(source.clone()).build().unwrap();
    let (alice, bob) = (client.partition("alice"), client.partition("bob"));
    let with_parameter = TokenRequest::new("a").parameter("x", "y");
    let with_scope = TokenRequest::new("a").scope("read");
    for request in [&"a".into(), &"b".into(), &with_parameter, &with_scope] {
        alice.get_access_token(request).await.unwrap();
    }
    bob.get_access_token("a").await.unwrap();
    alice.clear("a");
    for gone in [&"a".into(), &with_parameter, &with_scope] {
        assert!(alice.current(gone).is_none(), "{gone:?}");
    }
    assert!(alice.current("b").is_some() && bob.current("a").is_some());
    assert_eq!(source.count(), 5);
}

#[tokio::test]
async fn two_clients_share_nothing() {
    let server = Server::start().await;
    server.token().expect(2).mount().await;
    for _ in 0..2 {
        let client = server.client().build().unwrap();
        client.get_access_token("api").await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_answer_for_one_audience_is_never_given_to_another() {
    let server = Server::start().await;
    let slow = server.token().audience("a").access_token("for-a");
    slow.delayed(Duration::from_millis(200))
        .expect(1)
        .mount()
        .await;
    server
        .token()
        .audience("b")
        .access_token("for-b")
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let (a, b) = tokio::join!(client.get_access_token("a"), client.get_access_token("b"));
    assert_eq!(
        (a.unwrap().secret(), b.unwrap().secret()),
        ("for-a", "for-b")
    );
}

#[tokio::test]
async fn a_handle_and_the_name_of_its_audience_share_one_slot() {
    let server = Server::start().await;
    server.token().expect(1).mount().await;
    let client = server.client().build().unwrap();
    let handle = client.audience("api");
    assert!(handle.current().is_none());
    let first = handle.get_access_token().await.unwrap();
    let second = client.get_access_token("api").await.unwrap();
    assert_eq!(second.source().to_string(), "cache");
    assert_eq!(handle.current().unwrap().secret(), first.secret());
    client.clear("api");
    assert!(
        handle.current().is_none(),
        "what is cleared is cleared for the handle too"
    );
}

/// A source whose tokens are called by their partition and audience.
fn by_partition() -> Source {
    Source::new(|call| {
        let partition = call.partition.as_deref().unwrap_or_default();
        let text = format!("{partition}-{}", call.audience);
        Some(TokenResponse::new(text.as_str()).lifetime(Duration::from_secs(300)))
    })
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_warm_and_cold() {
    let server = Server::start().await;
    server.token().granting("read").mount().await;
    let client = server.client().build().unwrap();
    let unreadable = || TokenRequest::new("api").scope("b\"ad");
    for _ in 0..2 {
        let error = client.get_access_token(unreadable()).await.unwrap_err();
        assert_eq!(error.kind(), "request");
        assert!(client.current(unreadable()).is_none());
        let handle = client.audience(unreadable());
        assert!(handle.current().is_none());
        assert!(handle.get_access_token().await.is_err());
        client.get_access_token("api").await.unwrap();
        client
            .get_access_token(TokenRequest::new("api").scope("read"))
            .await
            .unwrap();
    }
    assert_eq!(server.count().await, 1);
}
