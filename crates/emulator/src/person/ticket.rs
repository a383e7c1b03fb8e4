//! Requests that wait for a person, each known by a ticket that one form can use once.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use super::grant::Level;
use crate::clock::later;
use crate::secret::Digest;

/// What an application asks a person to allow.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    /// The APIs it wants to call, in its order.
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) prompt: Prompt,
    pub(crate) login_hint: Option<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) level: Level,
    pub(crate) back: Back,
}

/// `prompt` of OpenID Connect Core section 3.1.2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the parameter is a set of words"
)]
pub(crate) struct Prompt {
    pub(crate) none: bool,
    pub(crate) login: bool,
    pub(crate) consent: bool,
    pub(crate) select_account: bool,
}

/// Where the answer goes.
#[derive(Clone, Debug)]
pub(crate) enum Back {
    /// To the application's redirect URI.
    Redirect(Callback),
    /// To the device that polls with its code.
    Device(Digest),
}

/// A redirect URI that was checked, and the parameters that belong to it.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) code_challenge: Option<String>,
}

/// Which page the person sees next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    SignIn,
    SecondFactor,
    Consent,
}

/// A request that waits for the person.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) browser: Digest,
    pub(crate) request: AuthorizationRequest,
    pub(crate) step: Step,
    /// Whether the person signed in for this request.
    pub(crate) has_signed_in: bool,
    pub(crate) since: SystemTime,
}

/// The tickets that are not used yet.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    known: HashMap<Digest, Ticket>,
}

impl Tickets {
    pub(crate) fn insert(&mut self, value: &str, ticket: Ticket) {
        if self.known.len() >= MOST {
            let now = ticket.since;
            self.known.retain(|_, known| known.is_alive(now));
        }
        self.known.insert(Digest::of(value), ticket);
    }

    /// The ticket of a page; it stays usable.
    pub(crate) fn find(&self, value: &str, now: SystemTime) -> Option<&Ticket> {
        let known = self.known.get(&Digest::of(value))?;
        known.is_alive(now).then_some(known)
    }

    /// Takes a ticket out: it works once.
    pub(crate) fn take(&mut self, value: &str, now: SystemTime) -> Option<Ticket> {
        let taken = self.known.remove(&Digest::of(value))?;
        taken.is_alive(now).then_some(taken)
    }
}

impl Ticket {
    fn is_alive(&self, now: SystemTime) -> bool {
        later(self.since, LIFETIME) > now
    }
}

/// A person who takes longer starts again at the application.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// From here on expired tickets are evicted before a new one is kept.
const MOST: usize = 10_000;
