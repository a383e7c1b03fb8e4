//! What came back for a request, before it is checked and cached.

use std::time::Duration;

use super::Source;
use crate::{scope::Scopes, secret::Secret, time::Moment};

/// The token that a [`Flow`](crate::Flow) has obtained.
#[derive(Debug)]
pub struct TokenResponse {
    pub(crate) access_token: Secret,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) scopes: Option<Scopes>,
    /// The instant before it was asked for; the start of the flight where a flow does not know.
    pub(crate) requested_at: Option<Moment>,
    /// Whether the session was another sign-in's before: nothing of that is handed out any more.
    pub(crate) resets: bool,
    /// Where it was: with the issuer, or in a session's store.
    pub(crate) came_from: Source,
}

impl TokenResponse {
    /// A token from a source of your own.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self {
            access_token: access_token.into(),
            lifetime: None,
            scopes: None,
            requested_at: None,
            resets: false,
            came_from: Source::Issuer,
        }
    }

    /// How long it is valid, from before it was asked for; at most a day is believed.
    ///
    /// Without it, a JWT's `exp − iat` counts, else five minutes.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// What it allows, if the source said so.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}
