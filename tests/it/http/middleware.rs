//! The middleware of the crate `reqwest-middleware`.

use intelliauth::{Client, Error, TokenRequest};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use super::{NARROW, STALE, WEAK};
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

fn calling(client: &Client, apis: &[(&Api, &str)]) -> ClientWithMiddleware {
    let middleware = apis
        .iter()
        .fold(client.middleware(), |all, (api, audience)| {
            all.api(api.url(), *audience)
        });
    ClientBuilder::new(plain()).with(middleware).build()
}

fn ours(outcome: &Result<reqwest::Response, reqwest_middleware::Error>) -> &Error {
    let error = outcome.as_ref().unwrap_err();
    Error::find(error).unwrap()
}

#[tokio::test]
async fn each_api_gets_the_token_for_it_and_other_origins_get_none() {
    let (server, client) = issuer().await;
    let (one, two) = (
        Api::refusing(&[], 401, STALE).await,
        Api::refusing(&[], 401, STALE).await,
    );
    let stranger = Api::refusing(&[], 401, STALE).await;
    let http = calling(&client, &[(&one, "one"), (&two, "two")]);
    for api in [&one, &two, &stranger, &one] {
        assert_eq!(http.get(api.url()).send().await.unwrap().status(), 200);
    }
    assert_eq!(one.tokens().await, ["token-1"; 2]);
    assert_eq!(two.tokens().await, ["token-2"]);
    assert_eq!(stranger.tokens().await, [""]);
    assert_eq!(server.count().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_with_a_stale_token_cost_one_token_request_and_all_succeed() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, STALE).await;
    let http = calling(&client, &[(&api, "api")]);
    client.get_access_token("api").await.unwrap();
    let calls: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(http.get(api.url()).send()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_request_says_which_scopes_it_needs() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&[], 401, STALE).await;
    let http = calling(&client, &[(&api, "api")]);
    let wanted = TokenRequest::new("api").scope("read");
    let request = http.get(api.url()).with_extension(wanted);
    request.send().await.unwrap();
    assert_eq!(server.token_requests().await[0].parameter("scope"), "read");
}

#[tokio::test]
async fn a_request_that_names_another_audience_than_its_origin_is_not_sent() {
    let (server, client) = issuer().await;
    let (api, stranger) = (
        Api::refusing(&[], 401, STALE).await,
        Api::refusing(&[], 401, STALE).await,
    );
    let http = calling(&client, &[(&api, "api")]);
    for (url, audience) in [(api.url(), "another"), (stranger.url(), "api")] {
        let request = http.get(url).with_extension(TokenRequest::new(audience));
        assert_eq!(ours(&request.send().await).kind(), "request");
    }
    assert!(api.tokens().await.is_empty() && stranger.tokens().await.is_empty());
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn an_origin_that_is_none_is_reported_by_each_request() {
    let (_server, client) = issuer().await;
    let middleware = client.middleware().api("http://api.example", "api");
    let http = ClientBuilder::new(plain()).with(middleware).build();
    let outcome = http.get("http://127.0.0.1:9").send().await;
    assert_eq!(ours(&outcome).kind(), "request");
}

#[tokio::test]
async fn errors_come_out_of_the_middlewares_error_again() {
    let (server, client) = issuer().await;
    let weak = Api::answering(|_| refusal(401, WEAK)).await;
    let narrow = Api::answering(|_| refusal(403, NARROW)).await;
    let http = calling(&client, &[(&weak, "weak"), (&narrow, "narrow")]);
    assert_eq!(ours(&http.get(weak.url()).send().await).kind(), "step_up");
    assert_eq!(ours(&http.get(narrow.url()).send().await).kind(), "denied");
    assert_eq!(
        server.count().await,
        2,
        "one for each API, and none after it"
    );
}

#[tokio::test]
async fn credentials_of_its_own_pass_as_they_are() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| refusal(401, STALE)).await;
    let http = calling(&client, &[(&api, "api")]);
    let request = http.get(api.url()).header("authorization", "Basic eA==");
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert_eq!(api.tokens().await, ["Basic eA=="]);
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn a_call_that_names_fewer_scopes_may_still_ask_for_those_of_its_api() {
    let server = Server::start().await;
    let read = server.token().scope("read").granting("read");
    read.access_token("narrow").mount().await;
    let both = server.token().scope("read write").granting("read write");
    both.access_token("broad").mount().await;
    let client = server.client().build().unwrap();
    let api = Api::refusing(&["narrow"], 403, NARROW).await;
    let usual = TokenRequest::new("api").scope("write");
    let middleware = client.middleware().api(api.url(), usual);
    let http = ClientBuilder::new(plain()).with(middleware).build();
    let own = TokenRequest::new("api").scope("read");
    let answer = http.get(api.url()).with_extension(own).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(api.tokens().await, ["narrow", "broad"]);
}
