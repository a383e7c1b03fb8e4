//! Which secret values this emulator issued: codes, refresh tokens, cookies, tickets.

use std::collections::{HashSet, VecDeque};

use crate::secret::Digest;

/// The digests of all secret values that were issued, so that the logs can blank them.
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
