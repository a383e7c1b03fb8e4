//! [`People`]: all sessions of one application that acts for people.

use std::{fmt, sync::Arc};

use super::{DEFAULT_SESSION, Session};
use crate::{
    cache::{Stats, TokenCache},
    error::Error,
    session::{SessionInfo, Sessions},
};

/// The people who use one application, each with a [`Session`].
///
/// From [`Client::for_person`](crate::Client::for_person). Clones share everything; build one per
/// application and pass it around. It can be built outside a runtime and sends nothing by itself.
///
/// # Examples
///
/// ```
/// use intelliauth::Client;
///
/// let people = Client::for_person("https://banking-cymmetri.intelliauth.local", "app_01HZX0WEB")
///     .client_secret("from-your-secret-manager")
///     .build()?;
/// let alice = people.session("the id of alice's record");
/// assert_eq!(alice.name(), "the id of alice's record");
/// # Ok::<(), intelliauth::BuildError>(())
/// ```
#[derive(Clone)]
pub struct People {
    pub(super) cache: Arc<TokenCache>,
    pub(super) sessions: Arc<Sessions>,
}

impl People {
    /// The session of this name, whether or not a person has signed in to it.
    ///
    /// It costs no request and no look into the store. The name is part of every cache key and of the
    /// store's, so no session is ever answered with a token of another.
    ///
    /// A name is no secret: it stands in logs, in errors and in the store's keys. Where a browser's cookie
    /// leads to it, use something that the cookie cannot be told from, such as its digest or the key of
    /// your own session record.
    #[must_use]
    pub fn session(&self, name: impl AsRef<str>) -> Session {
        let sessions = Arc::clone(&self.sessions);
        Session::new(Arc::clone(&self.cache), sessions, name.as_ref())
    }

    /// The session called [`DEFAULT_SESSION`]: all that a program of one person needs.
    #[must_use]
    pub fn default_session(&self) -> Session {
        self.session(DEFAULT_SESSION)
    }

    /// Waits for the requests under way, of all sessions: call it before the program ends.
    ///
    /// As [`Client::close`](crate::Client::close).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn close(&self) -> Result<(), Error> {
        self.cache.drain().await
    }

    /// The sessions in which a person is signed in, as the store has them: whose they are, what they cover,
    /// and when their access tokens end; never a token.
    ///
    /// It reads every record of the store, and passes over those of other issuers and applications.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store cannot be read.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        self.sessions.list().await
    }

    /// What has been done so far, for all sessions.
    pub fn stats(&self) -> Stats {
        self.cache.stats()
    }

    /// The issuer, as it was configured.
    pub fn issuer(&self) -> &str {
        self.cache.issuer()
    }

    /// The application's `client_id`.
    pub fn client_id(&self) -> &str {
        self.cache.client_id()
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("People")
            .field("issuer", &self.issuer())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}
