//! [`TokenMiddleware`]: tokens for what goes through the crate `reqwest-middleware`.

use std::{future::Future, pin::Pin};

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next, Result};

use super::{
    Api, CallError,
    call::{self, Attempt, carries_credentials},
    origin::Origin,
};
use crate::{error::Error, request::TokenRequest, source::TokenSource};

/// A middleware that puts the right token into each request to an API that was named.
///
/// Name the APIs with [`api`](Self::api); requests to other origins pass as they are. A
/// [`TokenRequest`] among a request's extensions says what this one needs, scopes above all. The answer is
/// understood as [`Client::after_refusal`](crate::Client::after_refusal) says, and a request is repeated once
/// at most: see [`send`](crate::send), which decides alike. A middleware that changes the URL comes before
/// this one: an answer from another URL than this one has sent to is handed up.
///
/// An error of ours comes out of [`reqwest_middleware::Error`] again with [`Error::find`].
///
/// # Examples
///
/// ```no_run
/// # async fn f(client: intelliauth::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use intelliauth::TokenRequest;
///
/// let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(client.middleware().api("https://api.banking.cymmetri.com", "api.banking.cymmetri.com"))
///     .build();
/// let transactions = TokenRequest::new("api.banking.cymmetri.com").scope("read:transactions");
/// http.get("https://api.banking.cymmetri.com/transactions")
///     .with_extension(transactions)
///     .send()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenMiddleware<S> {
    source: S,
    apis: Vec<(Origin, Api)>,
    problem: Option<Error>,
}

impl<S: TokenSource> TokenMiddleware<S> {
    /// A middleware with the tokens of `source`, which goes to no API yet.
    pub fn new(source: S) -> Self {
        Self {
            source,
            apis: Vec::new(),
            problem: None,
        }
    }

    /// Names an API by its origin (`https://api.example:8443`): scheme, host and port.
    ///
    /// http is for loopback addresses alone. An origin that is none is reported by each request, as
    /// [`Error::Request`].
    pub fn api(mut self, origin: impl AsRef<str>, api: impl Into<Api>) -> Self {
        match Origin::named(origin.as_ref()) {
            Ok(origin) => self.apis.push((origin, api.into())),
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    async fn call(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if let Some(problem) = &self.problem {
            return Err(no_token(problem.clone()));
        }
        let own = extensions.get::<TokenRequest<'static>>().cloned();
        let named = self.apis.iter().find(|(one, _)| one.has(request.url()));
        if carries_credentials(request.headers()) {
            return next.run(request, extensions).await;
        }
        let Some((_, api)) = named else {
            if own.is_some() {
                return Err(no_token(Error::request(
                    "the request names an audience, and its origin is none of the APIs that were named",
                )));
            }
            return next.run(request, extensions).await;
        };
        let wanted = api.wanted(own.as_ref()).map_err(no_token)?;
        let attempt = Attempt::begin(&self.source, wanted, &mut request).await;
        let attempt = attempt.map_err(no_token)?;
        let answer = next.clone().run(request, extensions).await?;
        match attempt
            .conclude(&self.source, || api.may_be_asked_for(), answer)
            .await
        {
            Ok(call::Next::Answer(answer)) => Ok(answer),
            Ok(call::Next::Repeat(request)) => next.run(request, extensions).await,
            Err(error) => Err(no_token(error)),
        }
    }
}

/// The error between ours and anyhow's, whose `source` leaves out the outermost.
fn no_token(error: Error) -> MiddlewareError {
    MiddlewareError::middleware(CallError::Token(error))
}

impl<S: TokenSource + 'static> Middleware for TokenMiddleware<S> {
    fn handle<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        request: Request,
        extensions: &'life1 mut Extensions,
        next: Next<'life2>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.call(request, extensions, next))
    }
}
