//! [`AudienceHandle`]: the hot way to one audience.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

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
/// audience, and keeps it from being evicted. That of a person's [`Session`](crate::Session) leaves nothing
/// behind before the person's first token: a name that a stranger made up costs one read of the store.
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
    place: Place,
    mode: CacheMode,
}

/// Where a handle finds its token.
#[derive(Clone)]
enum Place {
    Found(Found),
    /// Of a session: found once there is a token, by one of the clones for all of them. Whether a person is
    /// signed in is not known before, and a slot is for those alone.
    Awaited(Arc<OnceLock<Found>>),
}

/// An entry whose slot is not evicted as long as this lives.
#[derive(Clone)]
struct Found {
    slot_entry: SlotEntry,
    _pinned: Pinned,
}

impl AudienceHandle {
    pub(super) fn new(client: Client, details: Box<Details>) -> Self {
        let is_of_person = client.cache.session(&client.principal).is_some();
        let place = if is_of_person {
            Place::Awaited(Arc::default())
        } else {
            Place::Found(Found::new(&client, &details))
        };
        let handle = Self {
            client,
            // An invalid request is never answered from the cache, so that it is reported.
            mode: if details.is_sound() {
                details.mode
            } else {
                CacheMode::Refresh
            },
            details: Arc::from(details),
            place,
        };
        if is_of_person && handle.mode != CacheMode::Refresh {
            // Finds its place if the token is there already.
            handle.look_up(OnStale::Keep);
        }
        handle
    }

    /// The access token: as [`Client::get_access_token`] with what the handle was made for.
    ///
    /// # Errors
    ///
    /// As [`Client::get_access_token`].
    pub async fn get_access_token(&self) -> Result<AccessToken, Error> {
        match self.cached(OnStale::Refresh) {
            Some(token) => Ok(AccessToken::new(Guard::into_inner(token), Source::Cache)),
            None => Box::pin(self.fetch()).await,
        }
    }

    async fn fetch(&self) -> Result<AccessToken, Error> {
        let token = self
            .client
            .fetch(TokenRequest::from(&*self.details))
            .await?;
        self.find();
        Ok(token)
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
            self.get_otherwise(on_stale)
        }
    }

    #[inline]
    fn read_entry(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        let client = &self.client;
        client
            .cache
            .read_entry(&client.principal, &self.found()?.slot_entry, on_stale)
    }

    #[inline]
    fn found(&self) -> Option<&Found> {
        match &self.place {
            Place::Found(found) => Some(found),
            Place::Awaited(awaited) => awaited.get(),
        }
    }

    /// Now that there is a token, its place is looked for once.
    fn find(&self) {
        if let Place::Awaited(awaited) = &self.place {
            awaited.get_or_init(|| Found::new(&self.client, &self.details));
        }
    }

    /// For a handle that wants no request, or one at each call.
    #[cold]
    fn get_by_mode(&self) -> Option<Guard<Arc<Token>>> {
        if self.mode == CacheMode::Refresh {
            return None;
        }
        self.read_entry(OnStale::Keep)
            .or_else(|| self.get_otherwise(OnStale::Keep))
    }

    #[cold]
    fn get_otherwise(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        if self.found().is_some() {
            self.get_superset(on_stale)
        } else {
            self.look_up(on_stale)
        }
    }

    /// The token that another call for the session has fetched.
    fn look_up(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        let (client, request) = (&self.client, TokenRequest::from(&*self.details));
        let token = client.cache.get(&client.principal, &request, on_stale)?;
        self.find();
        Some(token)
    }

    /// Without a token of its own, a broader one of the same audience may answer.
    fn get_superset(&self, on_stale: OnStale) -> Option<Guard<Arc<Token>>> {
        if self.details.scopes().is_empty() {
            return None;
        }
        let (client, request) = (&self.client, TokenRequest::from(&*self.details));
        client.cache.get(&client.principal, &request, on_stale)
    }
}

impl Found {
    fn new(client: &Client, details: &Details) -> Self {
        let pinned = client.cache.pin(&client.principal, details);
        Self {
            slot_entry: client.cache.entry_for(&pinned, details),
            _pinned: pinned,
        }
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
