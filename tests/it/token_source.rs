//! Clients, sessions and handles behind one trait: the same answers as without it.

use std::sync::Arc;

use intelliauth::{
    AccessToken, BoxedTokenSource, CacheMode, Client, Error, TokenRequest, TokenSource,
};

use crate::support::{Server, Source, person::BANKING};

/// What code of a user does after a 401.
async fn after_a_401(tokens: &impl TokenSource, rejected: &AccessToken) -> AccessToken {
    tokens.reject(rejected).await.unwrap();
    let request = TokenRequest::new(rejected.audience().as_str());
    tokens.get(request).await.unwrap()
}

async fn get(tokens: impl TokenSource, audience: &str) -> Result<String, Error> {
    let token = tokens.get(audience.into()).await?;
    Ok(token.secret().to_owned())
}

async fn client(source: &Source) -> (Server, Client) {
    let server = Server::bare().await;
    let client = source.client(&server.clock).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn every_form_of_a_client_shares_its_cache() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let boxed: BoxedTokenSource = client.clone().boxed();
    assert_eq!(get(client.clone(), "api").await.unwrap(), "token-1");
    assert_eq!(get(&client, "api").await.unwrap(), "token-1");
    assert_eq!(
        get(Arc::new(client.clone()), "api").await.unwrap(),
        "token-1"
    );
    assert_eq!(get(client.audience("api"), "api").await.unwrap(), "token-1");
    assert_eq!(get(boxed.clone(), "api").await.unwrap(), "token-1");
    assert_eq!(get(boxed.boxed(), "api").await.unwrap(), "token-1");
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_request_counts_whole_behind_the_trait_too() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let boxed = client.boxed();
    let scoped = TokenRequest::new("api").scope("read");
    boxed.get(TokenRequest::from(&scoped)).await.unwrap();
    boxed.get("api".into()).await.unwrap();
    let forced = TokenRequest::from(&scoped).cache_mode(CacheMode::Refresh);
    boxed.get(forced).await.unwrap();
    let asked = source
        .calls()
        .into_iter()
        .map(|call| call.scopes.to_string());
    assert_eq!(asked.collect::<Vec<_>>(), ["read", "", "read"]);
    let error = boxed.get("".into()).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
}

#[tokio::test]
async fn many_rejections_of_one_token_cause_one_request() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let rejected = client.get_access_token("api").await.unwrap();
    let handle = client.audience("api");
    let boxed = client.clone().boxed();
    for _ in 0..10 {
        assert_eq!(after_a_401(&client, &rejected).await.secret(), "token-2");
        assert_eq!(after_a_401(&handle, &rejected).await.secret(), "token-2");
        assert_eq!(after_a_401(&boxed, &rejected).await.secret(), "token-2");
    }
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn an_api_that_rejects_what_has_just_been_minted_is_said_to() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let rejected = client.get_access_token("api").await.unwrap();
    let next = after_a_401(&client, &rejected).await;
    let error = client.boxed().reject(&next).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn a_handle_is_for_its_own_audience_alone() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let other = client.get_access_token("other").await.unwrap();
    let handle = client.audience("api");
    let error = handle.get("other".into()).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    let shown = error.to_string();
    assert!(
        shown.contains("`api`") && shown.contains("`other`"),
        "{shown}"
    );
    let error = handle.reject(&other).await.unwrap_err();
    assert!(matches!(error, Error::Request(_)), "{error}");
    assert_eq!(get(&client, "other").await.unwrap(), "token-1", "kept");
    assert_eq!(source.count(), 1);
}

#[tokio::test]
async fn a_handle_answers_the_request_and_not_what_it_was_made_for() {
    let source = Source::tokens(300);
    let (_server, client) = client(&source).await;
    let scoped = TokenRequest::new("api").scope("read");
    let handle = client.audience(&scoped);
    let bare = handle.get("api".into()).await.unwrap();
    assert!(bare.scopes().is_empty(), "{bare:?}");
    let own = handle.get(TokenRequest::from(&scoped)).await.unwrap();
    assert_eq!(own.scopes().to_string(), "read");
    assert_ne!(own.secret(), bare.secret());
    assert_eq!(own.secret(), handle.current().unwrap().secret());
    assert_eq!(source.count(), 2);
}

#[tokio::test]
async fn a_session_yields_its_own_person_s_tokens() {
    let server = Server::for_people().await;
    let people = server.person().build().unwrap();
    let (alice, bob) = (people.session("alice"), people.session("bob"));
    server.sign_in(&alice).await;
    server
        .rotates("R0", "R1")
        .access_token("first")
        .expect(1)
        .mount()
        .await;
    server
        .rotates("R1", "R2")
        .access_token("second")
        .expect(1)
        .mount()
        .await;
    let first = alice.get(BANKING.into()).await.unwrap();
    assert_eq!(first.secret(), "first");
    let boxed = bob.boxed();
    let error = boxed.get(BANKING.into()).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    // Not bob's to reject.
    boxed.reject(&first).await.unwrap();
    assert_eq!(get(&alice, BANKING).await.unwrap(), "first");
    assert_eq!(after_a_401(&alice, &first).await.secret(), "second");
}

#[test]
fn requests_are_equal_that_say_the_same() {
    let plain = TokenRequest::new("api");
    assert_eq!(plain, TokenRequest::from("api"));
    assert_eq!(plain, TokenRequest::new("api".to_owned()));
    assert_eq!(plain.named_scopes().len(), 0);
    let scoped = TokenRequest::new("api").scope("a b");
    assert_eq!(scoped, TokenRequest::new("api").scope("b").scope("a"));
    assert_eq!(scoped.named_scopes().to_string(), "a b");
    let different = [
        TokenRequest::new("API"),
        TokenRequest::new("api").scope("a"),
        TokenRequest::new("api").parameter("tenant", "1"),
        TokenRequest::new("api").cache_mode(CacheMode::Only),
        TokenRequest::new("api").exact_scopes(),
        TokenRequest::new("api").timeout(std::time::Duration::from_secs(1)),
    ];
    for other in different {
        assert_ne!(plain, other);
        assert_ne!(other, plain);
        assert_ne!(scoped, other);
    }
}
