//! Bodies that break off, and connections that end without a reply.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Marks a response that must never be sent: the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hangup;

impl Hangup {
    pub(crate) fn response() -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.extensions_mut().insert(Self);
        response
    }
}

/// A body that sends its bytes and then fails, which ends the connection.
#[derive(Debug)]
pub(super) struct Torn {
    sent: Option<Bytes>,
    promised: u64,
    was_flushed: bool,
}

impl Torn {
    /// Sends `bytes`, and promises one more than half as much again.
    pub(super) fn new(bytes: Bytes) -> Self {
        let promised = u64::try_from(bytes.len()).unwrap_or(u64::MAX / 2);
        let promised = promised + promised / 2 + 1;
        Self {
            sent: Some(bytes),
            promised,
            was_flushed: false,
        }
    }

    pub(super) fn promised(&self) -> u64 {
        self.promised
    }
}

impl http_body::Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.sent.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.was_flushed {
            // The server flushes what it has while the body is pending; failing at once would
            // take the sent half with it.
            self.was_flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("torn on purpose"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
