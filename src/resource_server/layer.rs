//! The tower layers: [`AuthenticateLayer`] says who calls, [`RequireLayer`] what they may.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, request};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answer::answer,
    bearer::{Credentials, credentials, is_preflight},
    body::GuardedBody,
    challenge::Challenge,
    claims::Claims,
    extensions::{Anonymous, Described, Preflight, claims, described},
    requirement::Requirement,
    verifier::Verifier,
};

/// Lets only requests with a good token through, and puts its [`Claims`] into their extensions.
///
/// It fits services of requests and responses of the `http` crate, whatever their bodies are: those of the
/// responses come out as [`GuardedBody`]. A request of gRPC (`content-type: application/grpc`) is answered
/// as gRPC does.
#[derive(Clone, Debug)]
pub struct AuthenticateLayer {
    verifier: Verifier,
    requirement: Option<Arc<Requirement>>,
    passes_preflight: bool,
    is_optional: bool,
}

impl AuthenticateLayer {
    pub(super) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            requirement: None,
            passes_preflight: false,
            is_optional: false,
        }
    }

    /// Requires something of every token too.
    #[must_use]
    pub fn requiring(mut self, requirement: Requirement) -> Self {
        self.requirement = Some(Arc::new(match self.requirement {
            Some(before) => Requirement::clone(&before).and(requirement),
            None => requirement,
        }));
        self
    }

    /// Lets requests without a token through as well, without claims.
    ///
    /// A token that comes still has to be good: one that is not accepted is answered 401, and one that does
    /// not meet what [`requiring`](Self::requiring) names 403. Behind it `Option<Claims>` is `None`
    /// without a token; [`Claims`] and a [`RequireLayer`] answer 401 then.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Lets CORS preflights through without a token: `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method`.
    ///
    /// Browsers never send a token with them. It is for a CORS layer that stands *behind* this one;
    /// where it stands in front, which is better, this is not needed. Whatever handles `OPTIONS`
    /// behind this layer is then open to every caller.
    #[must_use]
    pub fn pass_preflight(mut self) -> Self {
        self.passes_preflight = true;
        self
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticate {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`AuthenticateLayer`] makes.
#[derive(Clone, Debug)]
pub struct Authenticate<S> {
    inner: S,
    layer: AuthenticateLayer,
}

/// The future of both services.
type Answering<R, E> = Pin<Box<dyn Future<Output = Result<Response<GuardedBody<R>>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for Authenticate<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = Answering<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = self.layer.clone();
        let mut inner = ready(&mut self.inner);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(challenge) = layer.admit(&mut parts).await {
                let challenge = described(challenge, layer.requirement.as_deref(), &parts);
                return Ok(answer(challenge, &parts.headers));
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(GuardedBody::of_service))
        })
    }
}

impl AuthenticateLayer {
    /// Whether the request goes on; with its claims, if so.
    async fn admit(&self, parts: &mut request::Parts) -> Result<(), Challenge> {
        if self.verifier.resource_metadata().is_some() {
            parts.extensions.insert(Described(self.verifier.clone()));
        }
        if self.passes_preflight && is_preflight(&parts.method, &parts.headers) {
            parts.extensions.insert(Preflight);
            return Ok(());
        }
        let token = match credentials(&parts.headers, &parts.uri) {
            Credentials::Token(token) => token,
            Credentials::None if self.is_optional => {
                parts.extensions.insert(Anonymous);
                return Ok(());
            }
            Credentials::None => return Err(Challenge::missing_token()),
            Credentials::Malformed => return Err(Challenge::malformed_token()),
            Credentials::Several => return Err(Challenge::several_tokens()),
        };
        let verified = self.verifier.verify(token).await;
        let claims = verified.map_err(|error| {
            tracing::debug!(path = parts.uri.path(), reason = %error, "token not accepted");
            Challenge::from(error)
        })?;
        if let Some(requirement) = &self.requirement {
            check(requirement, &claims, parts)?;
        }
        parts.extensions.insert(claims);
        Ok(())
    }
}

fn check(
    requirement: &Requirement,
    claims: &Claims,
    parts: &request::Parts,
) -> Result<(), Challenge> {
    requirement.check(claims).map_err(|shortfall| {
        tracing::debug!(path = parts.uri.path(), %requirement, held = %claims.scopes(), "token not sufficient");
        Challenge::shortfall(&shortfall)
    })
}

/// Lets only requests through whose token meets a [`Requirement`].
///
/// It stands behind an [`AuthenticateLayer`]; without one it answers 500 and says so in the log.
#[derive(Clone, Debug)]
pub struct RequireLayer {
    requirement: Arc<Requirement>,
}

impl RequireLayer {
    /// A layer for this requirement.
    pub fn new(requirement: Requirement) -> Self {
        Self {
            requirement: Arc::new(requirement),
        }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = Require<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Require {
            inner,
            requirement: Arc::clone(&self.requirement),
        }
    }
}

/// The service that [`RequireLayer`] makes.
#[derive(Clone, Debug)]
pub struct Require<S> {
    inner: S,
    requirement: Arc<Requirement>,
}

impl<S, B, R> Service<Request<B>> for Require<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = Answering<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let requirement = Arc::clone(&self.requirement);
        let mut inner = ready(&mut self.inner);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // What stands between the layers may have made another request of it.
            let is_preflight = is_preflight(&parts.method, &parts.headers)
                && parts.extensions.get::<Preflight>().is_some();
            if !is_preflight {
                let checked = claims(&parts).and_then(|claims| check(&requirement, claims, &parts));
                if let Err(challenge) = checked {
                    let challenge = described(challenge, Some(&requirement), &parts);
                    return Ok(answer(challenge, &parts.headers));
                }
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(GuardedBody::of_service))
        })
    }
}

/// The service that was polled ready; a clone that was not takes its place.
fn ready<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    mem::replace(inner, clone)
}
