//! On whose behalf a token is fetched.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::OpenSession;

/// On whose behalf a token is fetched: part of every key, so that no person gets another's token.
///
/// There is one [`OpenSession`] for each name at a time, so that two sessions are the same if and only if
/// they are the same object: comparing and hashing look at no text.
#[derive(Clone, Default)]
pub(crate) enum Principal {
    /// The application itself.
    #[default]
    Application,
    /// A person's session.
    Session(Arc<OpenSession>),
}

impl Principal {
    /// The session, unless this is the application itself.
    #[inline]
    pub(crate) fn session(&self) -> Option<&Arc<OpenSession>> {
        match self {
            Self::Application => None,
            Self::Session(open) => Some(open),
        }
    }

    /// Where the session stands in memory; zero for the application.
    #[inline]
    fn address(&self) -> usize {
        self.session().map_or(0, |open| Arc::as_ptr(open).addr())
    }
}

impl PartialEq for Principal {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.address());
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application => f.write_str("Application"),
            Self::Session(open) => f.debug_tuple("Session").field(&open.name()).finish(),
        }
    }
}
