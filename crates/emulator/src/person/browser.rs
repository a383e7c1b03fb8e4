//! Browsers, known by their cookie.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::secret::{Digest, Secret};

/// One browser: its proof against forged forms, and who is signed in there.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    /// The digest of its cookie.
    pub(crate) id: Digest,
    /// What every form of its pages carries.
    pub(crate) csrf: Secret,
    /// The session of the person who is signed in.
    pub(crate) session: Option<String>,
    pub(crate) seen: SystemTime,
}

/// The browsers that were here.
#[derive(Debug, Default)]
pub(crate) struct Browsers {
    known: HashMap<Digest, Browser>,
}

impl Browsers {
    pub(crate) fn find_mut(&mut self, id: Digest) -> Option<&mut Browser> {
        self.known.get_mut(&id)
    }

    pub(crate) fn insert(&mut self, browser: Browser) {
        if self.known.len() >= MOST
            && let Some(oldest) = self.known.values().min_by_key(|known| known.seen)
        {
            let oldest = oldest.id;
            self.known.remove(&oldest);
        }
        self.known.insert(browser.id, browser);
    }

    pub(crate) fn remove(&mut self, id: Digest) -> Option<Browser> {
        self.known.remove(&id)
    }
}

/// A test makes one per person and sign-in; the one seen longest ago goes first.
const MOST: usize = 10_000;
