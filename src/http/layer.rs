//! [`TokenLayer`]: tokens for any tower service of requests of the `http` crate.

use std::{
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, Uri, header::AUTHORIZATION};
use tower_layer::Layer;
use tower_service::Service;

use super::{Api, follow::follow, origin::Origin};
use crate::{
    error::Error, refusal::Refusal, request::TokenRequest, source::TokenSource, token::AccessToken,
};

/// A layer that puts the token for one API into each request: for hyper-util, tonic, and other clients.
///
/// A request whose URI has no host goes to whatever the service below is connected to, as with tonic's
/// `Channel`, and gets the token. One that names a host gets it if its origin was named with
/// [`origin`](Self::origin), and passes as it is if others were; if none was named, it is an
/// [`Error::Request`], and nothing is sent. A [`TokenRequest`] among a request's extensions says what this
/// one needs; a request with an `Authorization` of its own is left alone.
///
/// The answer's status and headers are understood as
/// [`Client::after_refusal`](crate::Client::after_refusal) says; bodies and trailers pass unread. A refused
/// request is repeated only after [`repeating`](Self::repeating), which wants bodies that can be cloned:
/// otherwise the token is dropped, so that the next request gets another one, and the answer handed up.
///
/// Its error is a box; [`Error::find`] gets ours out of it, also after tonic has made a `Status` of it.
///
/// # Examples
///
/// ```
/// use tower_layer::Layer as _;
///
/// # fn f<C: Clone>(client: intelliauth::Client, channel: C) {
/// let channel = client.layer("api.banking.cymmetri.com").layer(channel);
/// # }
/// ```
#[must_use]
pub struct TokenLayer<S, R = SendOnce> {
    source: S,
    shared: Arc<Shared>,
    body: PhantomData<fn() -> R>,
}

/// What the layer and its services were told.
#[derive(Clone, Debug)]
struct Shared {
    api: Api,
    origins: Vec<Origin>,
    problem: Option<Error>,
}

/// Requests are sent once, whatever their bodies are.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SendOnce;

/// A request that an API has refused is sent again, with a clone of its body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SendAgain;

/// Whether there is a second body for a request: [`SendOnce`] and [`SendAgain`] say so.
pub trait SecondBody<B>: Send + Sync + 'static {
    /// The same body once more; nothing if it cannot be sent twice.
    fn second(body: &B) -> Option<B>;
}

impl<B> SecondBody<B> for SendOnce {
    fn second(_: &B) -> Option<B> {
        None
    }
}

impl<B: Clone> SecondBody<B> for SendAgain {
    fn second(body: &B) -> Option<B> {
        Some(body.clone())
    }
}

impl<S: TokenSource> TokenLayer<S> {
    /// A layer with the tokens of `source` for this API.
    pub fn new(source: S, api: impl Into<Api>) -> Self {
        let shared = Shared {
            api: api.into(),
            origins: Vec::new(),
            problem: None,
        };
        Self {
            source,
            shared: Arc::new(shared),
            body: PhantomData,
        }
    }

    /// Repeats a refused request once, with a clone of its body.
    pub fn repeating(self) -> TokenLayer<S, SendAgain> {
        TokenLayer {
            source: self.source,
            shared: self.shared,
            body: PhantomData,
        }
    }
}

impl<S: TokenSource, R> TokenLayer<S, R> {
    /// Names the API's origin (`https://api.example:8443`), or another one of it.
    ///
    /// http is for loopback addresses alone. An origin that is none is reported by each request, as
    /// [`Error::Request`].
    pub fn origin(mut self, origin: impl AsRef<str>) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        match Origin::named(origin.as_ref()) {
            Ok(origin) => shared.origins.push(origin),
            Err(problem) => shared.problem = Some(problem),
        }
        self
    }
}

impl Shared {
    /// What a request needs; nothing if it is to pass as it is.
    fn wanted<'a, B>(
        &'a self,
        request: &Request<B>,
        own: Option<&'a TokenRequest<'static>>,
    ) -> Result<Option<&'a TokenRequest<'static>>, Error> {
        let is_authorized = request.headers().contains_key(AUTHORIZATION);
        if is_authorized || !self.covers(request.uri(), own.is_some())? {
            return Ok(None);
        }
        self.api.wanted(own).map(Some)
    }

    /// Whether the token goes where the request goes.
    fn covers(&self, uri: &Uri, is_claimed: bool) -> Result<bool, Error> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if uri.host().is_none() {
            return Ok(true);
        }
        let is_named = self.origins.iter().any(|origin| origin.has_uri(uri));
        if is_named || !(self.origins.is_empty() || is_claimed) {
            return Ok(is_named);
        }
        Err(Error::request(
            "the request goes to an origin that was not named (TokenLayer::origin)",
        ))
    }
}

impl<S: Clone, R, I> Layer<I> for TokenLayer<S, R> {
    type Service = TokenService<S, R, I>;

    fn layer(&self, inner: I) -> Self::Service {
        TokenService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`TokenLayer`] makes.
pub struct TokenService<S, R, I> {
    inner: I,
    layer: TokenLayer<S, R>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl<S, R, I, B, A> Service<Request<B>> for TokenService<S, R, I>
where
    S: TokenSource + Clone + 'static,
    R: SecondBody<B>,
    I: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    I::Error: Into<BoxError>,
    I::Future: Send,
    A: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<A>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that was polled ready; a clone that was not takes its place.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let own = request.extensions_mut().remove::<TokenRequest<'static>>();
            let Some(wanted) = layer.shared.wanted(&request, own.as_ref())? else {
                return inner.call(request).await.map_err(Into::into);
            };
            let token = layer.source.get(TokenRequest::from(wanted)).await?;
            let copy = copy::<R, B>(&request);
            authorize(&mut request, &token);
            let answer = inner.call(request).await.map_err(Into::into)?;
            if !Refusal::is_one(answer.status(), answer.headers()) {
                return Ok(answer);
            }
            let refusal = Refusal::new(answer.status(), answer.headers());
            let refusal = refusal.allow(&layer.shared.api.may_be_asked_for());
            let next = follow(&layer.source, &token, &refusal, copy.is_some()).await?;
            let Some((mut copy, next)) = copy.zip(next) else {
                return Ok(answer);
            };
            authorize(&mut copy, &next);
            poll_fn(|cx| inner.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            inner.call(copy).await.map_err(Into::into)
        })
    }
}

fn copy<R: SecondBody<B>, B>(request: &Request<B>) -> Option<Request<B>> {
    let mut copy = Request::new(R::second(request.body())?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

fn authorize<B>(request: &mut Request<B>, token: &AccessToken) {
    let value = token.header_value().clone();
    request.headers_mut().insert(AUTHORIZATION, value);
}

impl<S: Clone, R> Clone for TokenLayer<S, R> {
    fn clone(&self) -> Self {
        Self {
            source: self.source.clone(),
            shared: Arc::clone(&self.shared),
            body: PhantomData,
        }
    }
}

impl<S: Clone, R, I: Clone> Clone for TokenService<S, R, I> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for TokenLayer<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenLayer")
            .field("source", &self.source)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, R, I> fmt::Debug for TokenService<S, R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}
