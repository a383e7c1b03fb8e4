//! The tokens that were issued, known by their digest.

use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};

/// What the tenant knows about a token it issued; never the token itself.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) audience: Vec<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) since: SystemTime,
    pub(crate) until: SystemTime,
    pub(crate) is_revoked: bool,
}

/// Issued tokens by SHA-256.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: HashMap<Vec<u8>, Issued>,
}

impl Tokens {
    pub(crate) fn insert(&mut self, token: &str, issued: Issued, now: SystemTime) {
        if self.issued.len() >= MOST_TOKENS {
            self.issued.retain(|_, known| known.until > now);
        }
        self.issued.insert(key(token), issued);
    }

    pub(crate) fn find(&self, token: &str) -> Option<&Issued> {
        self.issued.get(&key(token))
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        if let Some(issued) = self.issued.get_mut(&key(token)) {
            issued.is_revoked = true;
        }
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

fn key(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// From here on expired tokens are swept before a new one is kept.
const MOST_TOKENS: usize = 10_000;
