//! Which id token belongs to which session, for signing out.

use std::collections::{HashMap, VecDeque};

use crate::secret::Digest;

/// The id tokens that were made, by digest: session and application.
#[derive(Debug, Default)]
pub(crate) struct IdTokens {
    known: HashMap<Digest, (String, String)>,
    order: VecDeque<Digest>,
}

impl IdTokens {
    pub(crate) fn insert(&mut self, token: &str, session: &str, client_id: &str) {
        let digest = Digest::of(token);
        let behind = (session.to_owned(), client_id.to_owned());
        if self.known.insert(digest, behind).is_none() {
            self.order.push_back(digest);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn find(&self, token: &str) -> Option<(String, String)> {
        self.known.get(&Digest::of(token)).cloned()
    }
}

/// The oldest ones go first; signing out with one asks for a confirmation then.
const MOST: usize = 50_000;
