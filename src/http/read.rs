//! What the body of a refusal says, read within limits, and left where it was.

use std::{
    error::Error as StdError,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use reqwest::{Body, Response, ResponseBuilderExt as _};
use tokio::select;

use crate::{
    refusal::{LARGEST, Refusal},
    time::timer,
};

/// The refusal, and the answer with all that it had.
///
/// A body that does not come, or not whole, says nothing: status and headers decide. The answer still has
/// what came of its body, and then the rest or the failure.
pub(super) async fn read(mut answer: Response) -> (Refusal, Response) {
    let refusal = Refusal::new(answer.status(), answer.headers());
    let is_short = answer
        .content_length()
        .is_some_and(|length| length <= LARGEST as u64);
    if refusal.is_complete() || !is_short || !is_json(answer.headers()) {
        return (refusal, answer);
    }
    let mut start = Vec::new();
    match within_limits(&mut answer, &mut start).await {
        End::Whole => {
            let refusal = refusal.body(&start);
            (refusal, with_body(answer, |_| Body::from(start)))
        }
        End::Failed(error) => (refusal, resumed(answer, start, |_| Rest::Failed(error))),
        End::Late => (refusal, resumed(answer, start, Rest::Body)),
    }
}

/// How the reading of a body has ended.
enum End {
    Whole,
    Failed(reqwest::Error),
    /// The rest is still to come, if it does.
    Late,
}

async fn within_limits(answer: &mut Response, start: &mut Vec<u8>) -> End {
    let Some(timer) = timer(LONGEST_WAIT) else {
        return End::Late;
    };
    let mut timer = pin!(timer);
    // Giving up a chunk loses nothing of it.
    loop {
        let chunk = select! {
            biased;
            chunk = answer.chunk() => chunk,
            () = &mut timer => return End::Late,
        };
        match chunk {
            Ok(Some(chunk)) => start.extend_from_slice(&chunk),
            Ok(None) => return End::Whole,
            Err(error) => return End::Failed(error),
        }
        if start.len() > LARGEST {
            return End::Late;
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("json"))
}

fn resumed(answer: Response, start: Vec<u8>, rest: impl FnOnce(Body) -> Rest) -> Response {
    with_body(answer, |body| {
        Body::wrap(Resumed {
            start: Bytes::from(start),
            rest: rest(body),
        })
    })
}

/// The answer with another body, made of its own.
fn with_body(answer: Response, body: impl FnOnce(Body) -> Body) -> Response {
    let url = answer.url().clone();
    let (parts, own) = http::Response::<Body>::from(answer).into_parts();
    let mut made = http::Response::new(body(own));
    *made.status_mut() = parts.status;
    *made.version_mut() = parts.version;
    *made.headers_mut() = parts.headers;
    *made.extensions_mut() = parts.extensions;
    // reqwest keeps the URL among the extensions, under a type that only a builder sets.
    if let Ok(named) = http::Response::builder().url(url).body(()) {
        made.extensions_mut()
            .extend(named.into_parts().0.extensions);
    }
    Response::from(made)
}

/// A body of which the start was read already.
struct Resumed {
    start: Bytes,
    rest: Rest,
}

enum Rest {
    Body(Body),
    /// Told once.
    Failed(reqwest::Error),
    Ended,
}

impl http_body::Body for Resumed {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.start.is_empty() {
            let start = std::mem::take(&mut self.start);
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        if let Rest::Body(body) = &mut self.rest {
            let frame = Pin::new(body).poll_frame(cx);
            return frame.map_err(Into::into);
        }
        Poll::Ready(match std::mem::replace(&mut self.rest, Rest::Ended) {
            Rest::Failed(error) => Some(Err(error.into())),
            Rest::Body(_) | Rest::Ended => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        let start = self.start.len() as u64;
        let rest = match &self.rest {
            Rest::Body(body) => body.size_hint(),
            Rest::Failed(_) => SizeHint::new(),
            Rest::Ended => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(start.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(start.saturating_add(upper));
        }
        hint
    }
}

/// A body as short as those that are read comes with its headers or soon after them. Longer would keep the
/// caller waiting for nothing; shorter would not hear what a slow API says.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
