//! Device codes (RFC 8628): a device waits, a person decides elsewhere.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::grant::Grant;
use super::ticket::AuthorizationRequest;
use crate::clock::later;
use crate::secret::Digest;

/// A device that waits.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) request: AuthorizationRequest,
    pub(crate) user_code: String,
    pub(crate) since: SystemTime,
    pub(crate) decision: Decision,
    /// How long the device must wait between two polls, and when it polled last.
    pub(crate) interval: Duration,
    pub(crate) polled: Option<SystemTime>,
}

/// What the person decided.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    Open,
    Allowed(Box<Grant>),
    Denied,
    /// The tokens were issued; the device code cannot be used again.
    Redeemed,
}

/// What a poll finds (RFC 8628 section 3.5).
#[derive(Debug)]
pub(crate) enum Poll {
    Unknown,
    Expired,
    TooFast,
    Pending,
    Denied,
    Allowed(Box<Grant>),
}

/// The devices of the last hours, by their device code.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    known: HashMap<Digest, Device>,
}

impl Devices {
    pub(crate) fn insert(&mut self, id: Digest, device: Device) {
        if self.known.len() >= MOST {
            let now = device.since;
            self.known.retain(|_, known| later(known.since, KEPT) > now);
        }
        self.known.insert(id, device);
    }

    /// The request of the device behind a code that a person typed, until the person has decided.
    pub(crate) fn waiting(
        &self,
        typed: &str,
        now: SystemTime,
        ttl: Duration,
    ) -> Option<AuthorizationRequest> {
        let typed = plain(typed);
        let known = self.known.values().find(|known| {
            let is_open = matches!(known.decision, Decision::Open);
            is_open && later(known.since, ttl) > now && plain(&known.user_code) == typed
        })?;
        Some(known.request.clone())
    }

    pub(crate) fn find(&self, id: Digest) -> Option<&Device> {
        self.known.get(&id)
    }

    pub(crate) fn decide(&mut self, id: Digest, decision: Decision) {
        if let Some(known) = self.known.get_mut(&id)
            && matches!(known.decision, Decision::Open)
        {
            known.decision = decision;
        }
    }

    /// A poll. One that comes too early makes the interval longer (RFC 8628 section 3.5).
    pub(crate) fn poll(
        &mut self,
        device_code: &str,
        client_id: &str,
        now: SystemTime,
        ttl: Duration,
    ) -> Poll {
        let Some(known) = self.known.get_mut(&Digest::of(device_code)) else {
            return Poll::Unknown;
        };
        if known.request.client_id != client_id || matches!(known.decision, Decision::Redeemed) {
            return Poll::Unknown;
        }
        if later(known.since, ttl) <= now {
            return Poll::Expired;
        }
        let last = known.polled.replace(now);
        if last.is_some_and(|last| later(last, known.interval.saturating_sub(SLACK)) > now) {
            known.interval += SLOWER;
            return Poll::TooFast;
        }
        match std::mem::replace(&mut known.decision, Decision::Redeemed) {
            Decision::Allowed(grant) => Poll::Allowed(grant),
            Decision::Redeemed => Poll::Unknown,
            Decision::Denied => {
                known.decision = Decision::Denied;
                Poll::Denied
            }
            Decision::Open => {
                known.decision = Decision::Open;
                Poll::Pending
            }
        }
    }
}

/// A code as people type it: without hyphens and spaces, in any case (RFC 8628 section 6.1).
fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

/// RFC 8628 section 3.5: `slow_down` adds five seconds to the interval.
const SLOWER: Duration = Duration::from_secs(5);

/// A client whose timer is early by this much is not told to slow down.
const SLACK: Duration = Duration::from_millis(100);

/// For this long an expired code is reported as expired, and after it as unknown.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// From here on old codes are evicted before a new one is kept.
const MOST: usize = 10_000;
