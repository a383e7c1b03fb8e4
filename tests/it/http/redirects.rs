//! Redirects: the token goes to no other origin, and what comes back from there is about no token.

use std::sync::{Arc, OnceLock};

use intelliauth::Client;
use reqwest_middleware::ClientBuilder;
use wiremock::ResponseTemplate;

use super::STALE;
use crate::support::{
    Server,
    api::{Api, plain, refusal},
};

async fn issuer() -> (Server, Client) {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    (server, client)
}

fn redirect(target: &str) -> ResponseTemplate {
    ResponseTemplate::new(302).insert_header("location", target)
}

/// Sends those who have a token to `target`, and refuses the others.
async fn sending_away(target: String) -> Api {
    Api::answering(move |token| match token {
        "" => refusal(401, STALE),
        _ => redirect(&target),
    })
    .await
}

/// An API that redirects to another origin, which redirects back.
async fn there_and_back() -> (Api, Api) {
    let target = Arc::new(OnceLock::<String>::new());
    let back = Arc::clone(&target);
    let other = Api::answering(move |_| redirect(back.get().unwrap())).await;
    let api = sending_away(other.url()).await;
    target.set(format!("{}/back", api.url())).unwrap();
    (api, other)
}

#[tokio::test]
async fn a_token_goes_along_no_redirect_to_another_origin() {
    let (server, client) = issuer().await;
    let stranger = Api::answering(|_| refusal(401, STALE)).await;
    let target = stranger.url();
    let api = Api::answering(move |_| {
        ResponseTemplate::new(302).insert_header("location", target.as_str())
    })
    .await;
    let banking = client.audience("api");
    let answer = banking.send(plain().get(api.url())).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(api.tokens().await, ["token-1"]);
    assert_eq!(stranger.tokens().await, [""]);
    // What the stranger says is about no token of ours.
    assert_eq!(
        banking.get_access_token().await.unwrap().secret(),
        "token-1"
    );
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn an_answer_that_came_back_over_another_origin_is_about_no_token() {
    let (server, client) = issuer().await;
    let (api, other) = there_and_back().await;
    let banking = client.audience("api");
    let middleware = client.middleware().api(api.url(), "api");
    let http = ClientBuilder::new(plain()).with(middleware).build();
    for _ in 0..3 {
        let answer = banking.send(plain().get(api.url())).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.url().path()),
            (401, "/back")
        );
        let answer = http.get(api.url()).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.url().path()),
            (401, "/back")
        );
    }
    assert_eq!(other.tokens().await, [""; 6]);
    assert_eq!(api.tokens().await, ["token-1", ""].repeat(6));
    assert_eq!(server.count().await, 1, "a good token is not replaced");
}

#[tokio::test]
async fn a_middleware_gives_no_token_along_a_redirect_to_a_third_origin() {
    let (server, client) = issuer().await;
    let stranger = Api::answering(|_| refusal(401, STALE)).await;
    let second = sending_away(stranger.url()).await;
    let (to_second, to_stranger) = (second.url(), stranger.url());
    let first = Api::answering(move |_| redirect(&to_second)).await;
    let third = Api::answering(move |_| redirect(&to_stranger)).await;
    let middleware = client.middleware().api(first.url(), "first");
    let middleware = middleware.api(second.url(), "second");
    let middleware = middleware.api(third.url(), "third");
    let http = ClientBuilder::new(plain()).with(middleware).build();
    for _ in 0..2 {
        // To an API that was named, and to an origin that was not: to neither goes a token.
        for api in [&first, &third] {
            let answer = http.get(api.url()).send().await.unwrap();
            assert_eq!(answer.status(), 401);
        }
    }
    assert_eq!(first.tokens().await, ["token-1"; 2]);
    assert_eq!(third.tokens().await, ["token-2"; 2]);
    assert_eq!(second.tokens().await, [""; 2]);
    assert_eq!(stranger.tokens().await, [""; 2]);
    assert_eq!(server.count().await, 2, "one for each API that was called");
}

#[tokio::test]
async fn a_fragment_of_the_url_changes_nothing() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, STALE).await;
    let url = format!("{}/a?b=%20c&d=e|f#g", api.url());
    let answer = client.audience("api").send(plain().get(url)).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(server.count().await, 2);
}
