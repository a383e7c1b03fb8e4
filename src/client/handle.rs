//! [`AudienceHandle`]: the hot way to one audience.

use std::{fmt, sync::Arc};

use arc_swap::Guard;

use super::Client;
use crate::{
    cache::{OnStale, Pinned},
    error::Error,
    refusal::Refusal,
    request::{CacheMode, Details, TokenRequest},
    scope::Audience,
    slot::SlotEntry,
    source::{AfterRefusal, TokenSource},
    token::{AccessToken, Source, Token, TokenRef},
};

/// One audience of one client, found once: a call through it needs no look-up.
///
/// From [`Client::audience`]. It is `Clone` and `'static`, shares its token with calls that name the
/// audience, and keeps it from being evicted.
///
/// # Examples
///
/// ```
/// # fn f(client: &intelliauth::Client) {
/// let banking = client.audience("api.banking.cymmetri.com");
/// if let Some(token) = banking.current() {
///     let _header: &http::HeaderValue = token.header_value();
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct AudienceHandle {
    client: Client,
    details: Arc<Details>,
    slot_entry: SlotEntry,
    mode: CacheMode,
    _pinned: Pinned,
}

impl AudienceHandle {
    pub(super) fn new(client: Client, details: Box<Details>) -> Self {
        let pinned = client.cache.pin(&client.principal, &details);
        let slot_entry = client.cache.entry_for(&pinned, &details);
        Self {
            client,
            // An invalid request is never answered from the cache, so that it is reported.
            mode: if details.is_sound() {
                details.mode
            } else {
                CacheMode::Refresh
            },
            details: Arc::from(details),
            slot_entry,
            _pinned: pinned,
        }
    }

    /// The access token: as [`Client::get_access_token`] with what the handle was made for.
    ///
    /// # Errors
    ///
    /// As [`Client::get_access_token`].
    pub async fn get_access_token(&self) -> Result<AccessToken, Error> {
        match self.cached(OnStale::Refresh) {
            Some(token) => Ok(AccessToken::new(Guard::into_inner(token), Source::Cache)),
            None => Box::pin(self.client.fetch(TokenRequest::from(&*self.details))).await,
        }
    }

    /// The cached token, borrowed and without waiting, for interceptors that cannot wait.
    ///
    /// In the token's window it starts the refresh too, in the background or not at all. `None` if there is
    /// no usable token: then [`get_access_token`](Self::get_access_token) is needed.
    #[inline]
    pub fn current(&self) -> Option<TokenRef> {
        self.cached(OnStale::RefreshInBackground).map(TokenRef::new)
    }

    /// As [`Client::after_refusal`].
    ///
    /// # Errors
    ///
    /// As there; [`Error::Request`] for a token of another audience.
    pub async fn after_refusal(
        &self,
        token: &AccessToken,
        refusal: &Refusal,
    ) -> Result<AfterRefusal, Error> {
        TokenSource::after_refusal(self, token, refusal).await
    }

    /// As [`Client::after_unauthorized`].
    ///
    /// # Errors
    ///
    /// As [`Client::after_unauthorized`].
    pub async fn after_unauthorized(&self, rejected: &AccessToken) -> Result<AccessToken, Error> {
        self.client
            .cache
            .reject(&self.client.principal, rejected.token())?;
        self.get_access_token().await
    }

    /// Sends a request to the API with reqwest, and once more where the API's answer says so.
    ///
    /// As [`send`](crate::send) with what the handle was made for: a scope that was not asked for is
    /// never requested.
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg(feature = "reqwest")]
    pub async fn send(
        &self,
        request: crate::http::RequestBuilder,
    ) -> Result<crate::http::Response, crate::http::CallError> {
        let wanted = TokenRequest::from(&*self.details);
        crate::http::send_for(self, &wanted, &crate::scope::Scopes::none(), request).await
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether `request` says exactly what the handle was made for.
    pub(super) fn is_made_for(&self, request: &TokenRequest<'_>) -> bool {
        *request == TokenRequest::from(&*self.details)
    }

    /// The audience.
    pub fn audience(&self) -> &Audience {
        self.details.audience()
    }

    #[inline]
    fn cached(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        if self.mode != CacheMode::Prefer {
            return self.get_by_mode();
        }
        let own = self.read_entry(on_stale);
        if own.is_some() {
            own
        } else {
            self.get_superset(on_stale)
        }
    }

    #[inline]
    fn read_entry(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        let client = &self.client;
        client
            .cache
            .read_entry(&client.principal, &self.slot_entry, on_stale)
    }

    /// For a handle that wants no request, or one at each call.
    #[cold]
    fn get_by_mode(&self) -> Option<Guard<Arc<Token>>> {
        if self.mode == CacheMode::Refresh {
            return None;
        }
        self.read_entry(OnStale::Keep)
            .or_else(|| self.get_superset(OnStale::Keep))
    }

    /// Without a token of its own, a broader one of the same audience may answer.
    #[cold]
    fn get_superset(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        if self.details.scopes().is_empty() {
            return None;
        }
        let (client, request) = (&self.client, TokenRequest::from(&*self.details));
        client.cache.get(&client.principal, &request, on_stale)
    }
}

impl fmt::Debug for AudienceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudienceHandle")
            .field("audience", self.audience())
            .field("scopes", self.details.scopes())
            .finish_non_exhaustive()
    }
}
