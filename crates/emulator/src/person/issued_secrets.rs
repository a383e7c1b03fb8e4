//! Which secret values were made here: codes, refresh tokens, cookies, tickets.

use std::collections::{HashSet, VecDeque};

use crate::secret::Digest;

/// Digests of everything secret that was handed out, so that a log can blank it.
#[derive(Debug, Default)]
pub(crate) struct IssuedSecrets {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl IssuedSecrets {
    pub(crate) fn insert(&mut self, value: &str) {
        let digest = Digest::of(value);
        if self.known.insert(digest) {
            self.order.push_back(digest);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn contains(&self, value: &str) -> bool {
        self.known.contains(&Digest::of(value))
    }
}

/// About 20 MB; older values are long expired.
const MOST: usize = 200_000;
