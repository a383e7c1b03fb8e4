//! The tower layer, around hyper-util's client.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use intelliauth::{Client, Error, TokenRequest};
use tower_layer::Layer as _;
use tower_service::Service as _;

use super::{STALE, WEAK};
use crate::support::{
    Server,
    api::{Api, refusal},
};

type Body = Full<Bytes>;

async fn issuer() -> (Server, Client) {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    (server, client)
}

fn hyper(is_http2: bool) -> Hyper<HttpConnector, Body> {
    Hyper::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build_http()
}

fn request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::from("one")).unwrap()
}

#[tokio::test]
async fn a_refused_request_is_repeated_once_over_http_1_and_http_2() {
    for is_http2 in [false, true] {
        let (server, client) = issuer().await;
        let api = Api::refusing(&["token-1"], 401, STALE).await;
        let layer = client.layer("api").origin(api.url()).repeating();
        let mut http = layer.layer(hyper(is_http2));
        let answer = http.call(request(&api.url())).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(api.tokens().await, ["token-1", "token-2"]);
        assert_eq!(server.count().await, 2);
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_copied_are_sent_once_and_the_token_is_dropped() {
    let (server, client) = issuer().await;
    let api = Api::refusing(&["token-1"], 401, STALE).await;
    let mut http = client.layer("api").origin(api.url()).layer(hyper(false));
    assert_eq!(http.call(request(&api.url())).await.unwrap().status(), 401);
    assert_eq!(http.call(request(&api.url())).await.unwrap().status(), 200);
    assert_eq!(api.tokens().await, ["token-1", "token-2"]);
    assert_eq!(server.count().await, 2);
}

#[tokio::test]
async fn a_token_goes_to_origins_alone_that_were_named() {
    let (server, client) = issuer().await;
    let (api, stranger) = (
        Api::refusing(&[], 401, STALE).await,
        Api::refusing(&[], 401, STALE).await,
    );
    // Others pass as they are, where one was named.
    let mut http = client.layer("api").origin(api.url()).layer(hyper(false));
    http.call(request(&stranger.url())).await.unwrap();
    assert_eq!(stranger.tokens().await, [""]);
    // A request that names an audience is not among them.
    let mut claimed = request(&stranger.url());
    claimed.extensions_mut().insert(TokenRequest::new("api"));
    let error = http.call(claimed).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), "request");
    // Nor does one go anywhere where none was named.
    let mut http = client.layer("api").layer(hyper(false));
    let error = http.call(request(&api.url())).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), "request");
    assert_eq!(
        (api.tokens().await.len(), stranger.tokens().await.len()),
        (0, 1)
    );
    assert_eq!(server.count().await, 0);
}

#[tokio::test]
async fn a_request_without_a_host_goes_to_where_the_service_is_connected() {
    let (_server, client) = issuer().await;
    let connected = Echo;
    let mut service = client.layer("api").layer(connected);
    let answer = service.call(request("/grpc.health.v1.Health/Check")).await;
    assert_eq!(answer.unwrap().headers()["authorization"], "Bearer token-1");
}

#[tokio::test]
async fn an_error_of_ours_comes_out_of_the_box_again() {
    let (server, client) = issuer().await;
    let api = Api::answering(|_| refusal(401, WEAK)).await;
    let mut http = client.layer("api").origin(api.url()).layer(hyper(false));
    let error = http.call(request(&api.url())).await.unwrap_err();
    assert_eq!(Error::find(&*error).unwrap().kind(), "step_up");
    assert_eq!(server.count().await, 1);
}

/// A service that answers with the headers that it got.
#[derive(Clone)]
struct Echo;

impl tower_service::Service<Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut answer = http::Response::new(Body::default());
        *answer.headers_mut() = request.headers().clone();
        std::future::ready(Ok(answer))
    }
}
