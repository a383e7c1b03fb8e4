//! [`GuardedBody`]: what the service answers, or why it was not asked.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an answer that came through a layer: the service's own, whatever that is, or a refusal's.
    ///
    /// It is a body (`http_body::Body`) wherever the service's own is one, with the same errors and trailers.
    #[derive(Debug)]
    pub struct GuardedBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    enum Kind<R> {
        Service { #[pin] body: R },
        Refusal { text: Option<Bytes> },
    }
}

impl<R> GuardedBody<R> {
    pub(super) fn of_service(body: R) -> Self {
        Self {
            kind: Kind::Service { body },
        }
    }
}

/// Empty.
impl<R> Default for GuardedBody<R> {
    fn default() -> Self {
        Self {
            kind: Kind::Refusal { text: None },
        }
    }
}

impl<R> From<String> for GuardedBody<R> {
    fn from(text: String) -> Self {
        let text = (!text.is_empty()).then(|| Bytes::from(text));
        Self {
            kind: Kind::Refusal { text },
        }
    }
}

impl<R: Body<Data = Bytes>> Body for GuardedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().kind.project() {
            Projected::Service { body } => body.poll_frame(cx),
            Projected::Refusal { text } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Refusal { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Refusal { text } => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(length as u64)
            }
        }
    }
}
