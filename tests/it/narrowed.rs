//! Fewer scopes granted than were asked for: an error, and a token for those whom it suffices.

use intelliauth::{Denied, DeniedReason, Error, Scopes, TokenRequest};

use crate::support::Server;

fn api(scope: &str) -> TokenRequest<'static> {
    TokenRequest::new("api").scope(scope)
}

fn denied(result: Result<intelliauth::AccessToken, Error>) -> Option<Denied> {
    match result {
        Err(Error::Denied(denied)) => Some(denied),
        _ => None,
    }
}

fn set(text: &str) -> Scopes {
    text.parse().unwrap_or_default()
}

#[tokio::test]
async fn a_narrowed_grant_is_denied_and_still_answers_for_what_it_holds() {
    let server = Server::start().await;
    server.token().granting("read").expect(1).mount().await;
    let client = server.client().build().unwrap();
    for _ in 0..20 {
        let denied = denied(client.get_access_token(api("read write")).await).unwrap();
        assert_eq!(denied.reason(), DeniedReason::Narrowed);
        assert_eq!(*denied.missing(), set("write"));
        assert_eq!(denied.granted(), Some(&set("read")));
        server.advance(1.4);
    }
    assert_eq!(
        client.get_access_token(api("read")).await.unwrap().secret(),
        "token-1"
    );
}

#[tokio::test]
async fn a_narrowed_grant_is_asked_for_again_after_half_a_minute() {
    let server = Server::start().await;
    server.token().granting("read").times(1).mount().await;
    server.token().granting("read write").mount().await;
    let client = server.client().build().unwrap();
    assert!(denied(client.get_access_token(api("read write")).await).is_some());
    server.advance(29.9);
    assert!(denied(client.get_access_token(api("read write")).await).is_some());
    assert_eq!(server.count().await, 1);
    server.advance(0.2);
    client.get_access_token(api("read write")).await.unwrap();
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_grant_of_nothing_is_denied() {
    let server = Server::start().await;
    server.token().granting("").expect(1).mount().await;
    let client = server.client().build().unwrap();
    let denied = denied(client.get_access_token(api("read")).await).unwrap();
    assert_eq!(*denied.missing(), set("read"));
}

#[tokio::test]
async fn a_refresh_that_narrows_keeps_the_token_in_use_to_its_end() {
    let server = Server::start().await;
    server
        .token()
        .granting("read write")
        .grants(300)
        .times(1)
        .mount()
        .await;
    server.token().granting("read").grants(300).mount().await;
    let client = server.client().build().unwrap();
    client.get_access_token(api("read write")).await.unwrap();
    server.advance(250.0);
    for _ in 0..3 {
        client.get_access_token(api("read write")).await.unwrap();
        client.close().await.unwrap();
    }
    assert_eq!(server.count().await, 2);
    server.advance(21.0);
    assert!(denied(client.get_access_token(api("read write")).await).is_some());
}

#[tokio::test]
async fn an_ended_narrowed_token_is_not_asked_for_again_as_it_was() {
    let server = Server::start().await;
    server.token().granting("read").grants(300).mount().await;
    let client = server.client().build().unwrap();
    assert!(denied(client.get_access_token(api("read write")).await).is_some());
    server.advance(299.0);
    for _ in 0..2 {
        client.get_access_token(api("read")).await.unwrap();
    }
    let sent = server.token_requests().await;
    assert_eq!((sent.len(), sent[1].parameter("scope")), (2, "read"));
}
