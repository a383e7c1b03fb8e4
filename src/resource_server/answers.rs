//! How the layers answer a request that they do not let through.

use http::Response;

use super::challenge::Challenge;

/// How a refusal is answered to a service whose responses have this body.
pub trait Answers<R>: Clone + Send + Sync + 'static {
    /// The answer.
    fn answer(challenge: Challenge) -> Response<R>;
}

/// With a status of HTTP, and a body that can be made of a text.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Text;

/// With a status of gRPC in the headers, and an empty body of any type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Grpc;

impl<R: From<String>> Answers<R> for Text {
    fn answer(challenge: Challenge) -> Response<R> {
        challenge.into_response()
    }
}

impl<R: Default> Answers<R> for Grpc {
    fn answer(challenge: Challenge) -> Response<R> {
        challenge.into_grpc_response()
    }
}
