//! Authorization codes: each works once.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::grant::Grant;
use crate::clock::later;
use crate::secret::Digest;

/// A code that was handed to an application.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) grant: Grant,
    pub(crate) redirect_uri: String,
    /// `code_challenge`, with S256.
    pub(crate) challenge: Option<String>,
    pub(crate) since: SystemTime,
    pub(crate) is_used: bool,
}

/// The state of a code.
#[derive(Debug)]
pub(crate) enum Redeemed {
    Unknown,
    Expired,
    /// It was sent a second time: the tokens that it minted is to be revoked (RFC 6749 section 4.1.2).
    Again(Code),
    First(Code),
}

/// The codes of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    known: HashMap<Digest, Code>,
}

impl Codes {
    pub(crate) fn insert(&mut self, value: &str, code: Code) {
        if self.known.len() >= MOST {
            let now = code.since;
            self.known.retain(|_, known| later(known.since, KEPT) > now);
        }
        self.known.insert(Digest::of(value), code);
    }

    /// Looks a code up; using it is a step of its own.
    pub(crate) fn look_up(&self, value: &str, now: SystemTime, ttl: Duration) -> Redeemed {
        match self.known.get(&Digest::of(value)) {
            None => Redeemed::Unknown,
            Some(known) if known.is_used => Redeemed::Again(known.clone()),
            Some(known) if later(known.since, ttl) <= now => Redeemed::Expired,
            Some(known) => Redeemed::First(known.clone()),
        }
    }

    /// Marks a code as used, whether or not a token is issued for it.
    pub(crate) fn spend(&mut self, value: &str) {
        if let Some(known) = self.known.get_mut(&Digest::of(value)) {
            known.is_used = true;
        }
    }
}

/// For this long a reused code still leads to the tokens that it minted.
const KEPT: Duration = Duration::from_secs(3600);

/// From here on old codes are evicted before a new one is kept.
const MOST: usize = 10_000;
