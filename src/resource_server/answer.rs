//! A refusal in the words of the protocol that was spoken.

use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};

use super::{body::GuardedBody, challenge::Challenge};

/// The answer in the words of the protocol that was spoken.
pub(super) fn answer<R>(challenge: Challenge, headers: &HeaderMap) -> Response<GuardedBody<R>> {
    if is_grpc(headers) {
        challenge.into_grpc_response()
    } else {
        challenge.into_response()
    }
}

/// gRPC over HTTP/2: `application/grpc`, with a format behind it or none. That of browsers is none: its
/// clients read the status of HTTP.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let format = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    format.is_some_and(|format| matches!(format.first(), None | Some(b'+' | b';')))
}
