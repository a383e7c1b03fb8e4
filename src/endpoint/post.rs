//! The HTTP client that `oauth2` sees: posts one token request, and classifies what comes back.

use std::{future::Future, pin::Pin, sync::Mutex};

use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::{ClientAuthentication, Endpoint, Grant, GrantKind, wire};
use crate::{error::Error, secret::Secret, time::Moment};

/// Posts one token request: the HTTP client that `oauth2` sees.
///
/// It classifies every unusable answer itself and hands over only usable, normalised ones, since
/// `oauth2` drops the status and `Retry-After` and shows bodies in its errors.
pub(super) struct Post<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) grant: &'a Grant<'a>,
    pub(super) method: ClientAuthentication,
    pub(super) secret: Option<&'a Secret>,
    /// The instant before the request that was answered was sent.
    pub(super) sent: Mutex<Option<Moment>>,
}

impl Post<'_> {
    pub(super) async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, Error> {
        if self.method == ClientAuthentication::BasicRaw {
            self.endpoint
                .credentials
                .set_raw_basic(&mut request, self.secret);
        }
        let policy = self.endpoint.policy(self.grant);
        let mut attempts = policy.attempts(self.grant.kind.replay());
        loop {
            let outcome = self.exchange_once(request.clone()).await;
            if !attempts
                .again(self.grant.target.asked.audience.as_str(), &outcome)
                .await
            {
                return outcome;
            }
        }
    }

    async fn exchange_once(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let sent = self.endpoint.clock.now();
        if let Ok(mut slot) = self.sent.lock() {
            *slot = Some(sent);
        }
        let asked = &self.grant.target.asked;
        let transport = &self.endpoint.transport;
        let answer = transport.send(request, wire::TOKEN_LIMIT).await;
        let answer = answer.map_err(|error| error.about(asked))?;
        if let GrantKind::RefreshToken { rotated, .. } = &self.grant.kind
            && let Ok(mut rotated) = rotated.lock()
        {
            *rotated = wire::refresh_token(&answer);
        }
        wire::normalise(&answer, asked)
    }

    pub(super) fn sent_at(&self) -> Moment {
        let sent = self.sent.lock().ok().and_then(|sent| *sent);
        sent.unwrap_or_else(|| self.endpoint.clock.now())
    }
}

impl<'c> AsyncHttpClient<'c> for Post<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
