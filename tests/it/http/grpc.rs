//! gRPC: the layers of both ends, one over the other, and bodies that no text makes.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use intelliauth::{
    Client, DeniedReason, Error, Refusal, RefusalKind,
    resource_server::{RequireLayer, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator, sample};
use tower_layer::Layer as _;
use tower_service::Service;

/// Made of nothing, neither a text nor a default.
#[derive(Debug)]
struct Body;

/// A service of gRPC that counts.
#[derive(Clone, Default)]
struct Health(Arc<AtomicUsize>);

impl Service<Request<Body>> for Health {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new(Body)))
    }
}

fn request() -> Request<Body> {
    Request::post("/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc+proto")
        .body(Body)
        .unwrap()
}

#[tokio::test]
async fn a_call_goes_through_both_ends_and_what_is_missing_comes_back_as_a_status() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let client = Client::for_application(emulator.issuer(), sample::SERVICE)
        .client_secret(sample::SERVICE_SECRET)
        .build()
        .unwrap();
    let verifier = Verifier::builder(emulator.issuer(), sample::BANKING).build();
    let verifier = verifier.unwrap().layer();
    let health = Health::default();
    let open = verifier.layer(health.clone());

    let answer = open.clone().call(request()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), health.0.load(Ordering::Relaxed)),
        (200, 0)
    );
    assert_eq!(answer.headers()["grpc-status"], "16");
    assert_eq!(answer.headers()["grpc-message"], "there is no token");
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    let refusal = Refusal::new(answer.status(), answer.headers());
    assert_eq!(refusal.kind(), RefusalKind::InvalidToken);

    client
        .layer(sample::BANKING)
        .layer(open)
        .call(request())
        .await
        .unwrap();
    assert_eq!(health.0.load(Ordering::Relaxed), 1);

    let require = RequireLayer::new(require_scope("write:transactions").unwrap());
    let narrow = verifier.layer(require.layer(health.clone()));
    let error = client
        .layer(sample::BANKING)
        .layer(narrow)
        .call(request())
        .await;
    let error = error.unwrap_err();
    let Some(Error::Denied(denied)) = Error::find(&*error) else {
        panic!("{error}")
    };
    assert_eq!(denied.reason(), DeniedReason::ScopeNotListed);
    assert_eq!(denied.missing().to_string(), "write:transactions");
    assert_eq!(health.0.load(Ordering::Relaxed), 1);
    assert_eq!(emulator.token_requests(), 1);
}

#[tokio::test]
async fn only_a_request_of_grpc_is_answered_as_grpc_does() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let verifier = Verifier::builder(emulator.issuer(), sample::BANKING).build();
    let mut service = verifier.unwrap().layer().layer(Health::default());
    for (kind, status) in [
        ("application/grpc", 200),
        ("application/grpc; a=b", 200),
        ("application/grpc+json", 200),
        ("application/grpc-web", 401),
        ("application/grpcx", 401),
        ("application/json", 401),
    ] {
        let mut request = request();
        let kind = http::HeaderValue::from_static(kind);
        request.headers_mut().insert("content-type", kind.clone());
        let answer = service.call(request).await.unwrap();
        assert_eq!(answer.status(), status, "{kind:?}");
    }
}
