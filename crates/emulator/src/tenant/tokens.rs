//! The tokens that were issued, known by their digest.

use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

use crate::secret::Digest;

/// What the tenant knows about a token it issued; never the token itself.
#[derive(Clone, Debug)]
pub(crate) struct IssuedToken {
    pub(crate) id: String,
    pub(crate) client_id: String,
    /// The person behind it, and the sign-in; `None` for an application that acts for itself.
    pub(crate) person: Option<TokenOwner>,
    pub(crate) audience: Vec<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) since: SystemTime,
    pub(crate) until: SystemTime,
    pub(crate) is_revoked: bool,
}

/// The person and the sign-in that a token belongs to.
#[derive(Clone, Debug)]
pub(crate) struct TokenOwner {
    pub(crate) user: String,
    pub(crate) session: String,
    /// The family: everything that came from one code is revoked together.
    pub(crate) family: String,
}

/// Issued tokens by SHA-256.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: HashMap<Digest, IssuedToken>,
}

impl Tokens {
    pub(crate) fn insert(&mut self, token: &str, issued: IssuedToken, now: SystemTime) {
        if self.issued.len() >= MOST_TOKENS {
            self.issued.retain(|_, known| known.until > now);
        }
        self.issued.insert(Digest::of(token), issued);
    }

    pub(crate) fn find(&self, token: &str) -> Option<&IssuedToken> {
        self.issued.get(&Digest::of(token))
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        if let Some(issued) = self.issued.get_mut(&Digest::of(token)) {
            issued.is_revoked = true;
        }
    }

    /// Revokes every token that matches.
    pub(crate) fn revoke_where(&mut self, is_meant: impl Fn(&IssuedToken) -> bool) {
        let meant = self.issued.values_mut().filter(|known| is_meant(known));
        meant.for_each(|known| known.is_revoked = true);
    }

    /// Revokes every live token of an application. Returns how many there were.
    pub(crate) fn revoke_all_of(&mut self, client_id: &str, now: SystemTime) -> usize {
        let live = self
            .issued
            .values_mut()
            .filter(|known| known.client_id == client_id && !known.is_revoked && known.until > now);
        live.map(|known| known.is_revoked = true).count()
    }
}

/// From here on expired tokens are evicted before a new one is kept.
const MOST_TOKENS: usize = 10_000;
