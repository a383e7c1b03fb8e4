//! tonic as it is used: its health service behind the resource server's layer, its channel behind the client's.

use std::{convert::Infallible, net::SocketAddr};

use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use intelliauth::{
    Client, DeniedReason, Error, TokenLayer, TokenRequest, TokenService,
    resource_server::{RequireLayer, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator, sample};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client::Grpc as Caller,
    codegen::{BoxFuture, Service},
    server::{ClientStreamingService, Grpc, NamedService, StreamingService},
    service::LayerExt as _,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest as Ask, HealthCheckResponse as Answer, health_client::HealthClient,
};
use tonic_prost::ProstCodec;
use tower_layer::Layer as _;

/// Answers streams of questions, which no service of `tonic-health` does.
#[derive(Clone)]
struct Streams;

impl NamedService for Streams {
    const NAME: &'static str = "test.Streams";
}

impl Service<http::Request<Body>> for Streams {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Answer, Ask>::default());
            Ok(match request.uri().path() {
                COLLECT => grpc.client_streaming(Collect, request).await,
                _ => grpc.streaming(Chat, request).await,
            })
        })
    }
}

/// Counts the questions.
struct Collect;

impl ClientStreamingService<Ask> for Collect {
    type Response = Answer;
    type Future = BoxFuture<Response<Answer>, Status>;

    fn call(&mut self, request: Request<Streaming<Ask>>) -> Self::Future {
        Box::pin(async move {
            let count = request.into_inner().count().await;
            let status = i32::try_from(count).unwrap();
            Ok(Response::new(Answer { status }))
        })
    }
}

/// Answers each question with its length.
struct Chat;

impl StreamingService<Ask> for Chat {
    type Response = Answer;
    type ResponseStream = std::pin::Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Ask>>) -> Self::Future {
        let answers = request.into_inner().map(|ask| {
            let status = i32::try_from(ask?.service.len()).unwrap();
            Ok(Answer { status })
        });
        let answers: Self::ResponseStream = Box::pin(answers);
        Box::pin(async move { Ok(Response::new(answers)) })
    }
}

const COLLECT: &str = "/test.Streams/Collect";
const CHAT: &str = "/test.Streams/Chat";

/// The issuer, the services behind the layer, and the client of the caller.
struct Tenant {
    emulator: Emulator,
    client: Client,
    address: SocketAddr,
}

type Tokens = TokenService<Client, intelliauth::SendOnce, Channel>;

impl Tenant {
    async fn start() -> Self {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        let client = Client::for_application(emulator.issuer(), sample::SERVICE)
            .client_secret(sample::SERVICE_SECRET)
            .build()
            .unwrap();
        let verifier = Verifier::builder(emulator.issuer(), sample::BANKING);
        let authenticate = verifier.build().unwrap().layer();
        let accounts = RequireLayer::new(require_scope("read:accounts").unwrap());
        let (_reporter, health) = tonic_health::server::health_reporter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let server = Server::builder()
            .layer(authenticate)
            .add_service(health)
            .add_service(accounts.named_layer(Streams));
        tokio::spawn(server.serve_with_incoming(incoming));
        Self {
            emulator,
            client,
            address,
        }
    }

    async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.address);
        Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// The channel with the tokens of this request.
    async fn calling(&self, layer: TokenLayer<Client>) -> Tokens {
        let origin = format!("http://{}", self.address);
        layer.origin(origin).layer(self.channel().await)
    }
}

fn asks(names: &[&'static str]) -> impl Stream<Item = Ask> + Send + 'static + use<> {
    let asks: Vec<Ask> = names
        .iter()
        .map(|name| Ask {
            service: (*name).to_owned(),
        })
        .collect();
    stream::iter(asks)
}

fn accounts() -> TokenRequest<'static> {
    let request = TokenRequest::new(sample::BANKING);
    request.scope("read:transactions").scope("read:accounts")
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_calls_carry_the_token_and_without_one_the_status_says_so() {
    let tenant = Tenant::start().await;
    let mut without = HealthClient::new(tenant.channel().await);
    let status = without.check(Ask::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "there is no token");

    let layer = tenant.client.layer(sample::BANKING);
    let mut health = HealthClient::new(tenant.calling(layer).await);
    for _ in 0..3 {
        health.check(Ask::default()).await.unwrap();
    }
    let watched = health.watch(Ask::default()).await.unwrap();
    let first = watched.into_inner().next().await.unwrap().unwrap();
    assert_eq!(first.status, 1, "serving");
    assert_eq!(tenant.emulator.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_the_client_and_of_both_carry_it_too() {
    let tenant = Tenant::start().await;
    let layer = tenant.client.layer(accounts());
    let mut caller = Caller::new(tenant.calling(layer).await);
    let codec = || ProstCodec::<Ask, Answer>::default();
    caller.ready().await.unwrap();
    let request = Request::new(asks(&["a", "b", "c"]));
    let path = PathAndQuery::from_static(COLLECT);
    let collected = caller.client_streaming(request, path, codec()).await;
    assert_eq!(collected.unwrap().into_inner().status, 3);

    caller.ready().await.unwrap();
    let request = Request::new(asks(&["a", "bb", "ccc"]));
    let path = PathAndQuery::from_static(CHAT);
    let answers = caller.streaming(request, path, codec()).await.unwrap();
    let lengths = answers.into_inner().map(|answer| answer.unwrap().status);
    assert_eq!(lengths.collect::<Vec<_>>().await, [1, 2, 3]);
    assert_eq!(tenant.emulator.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_comes_out_of_the_status_and_a_stream_is_sent_once() {
    let tenant = Tenant::start().await;
    let reading = TokenRequest::new(sample::BANKING).scope("read:transactions");
    let mut caller = Caller::new(tenant.calling(tenant.client.layer(reading)).await);
    caller.ready().await.unwrap();
    let request = Request::new(asks(&["a"]));
    let path = PathAndQuery::from_static(COLLECT);
    let codec = ProstCodec::<Ask, Answer>::default();
    let refused = caller.client_streaming(request, path, codec).await;
    let status = refused.unwrap_err();
    let Some(Error::Denied(denied)) = Error::find(&status) else {
        panic!("{status:?}")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotListed);
    assert_eq!(denied.missing().to_string(), "read:accounts");
    assert_eq!(tenant.emulator.token_requests(), 1);
}
