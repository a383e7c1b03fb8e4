//! The mark that a redemption leaves before it is sent.

use serde::{Deserialize, Serialize};

use super::kept::owned;
use crate::{
    request::{Parameters, Target},
    scope::{Audience, Scopes},
};

/// Redemptions of the family's refresh token were sent, or were about to be, and their answers are not known.
///
/// Each attempt enters and leaves by its own number, so that what one process takes back never counts for,
/// or against, another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The oldest first; never empty.
    pub(crate) attempts: Vec<Attempt>,
    /// What they asked for. Some grace periods hold for the identical request alone. A record of an
    /// older version does not say, and neither does one that had no room for it.
    pub(crate) request: Option<MarkedRequest>,
}

/// One redemption that was sent, or was about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Which one it is: a random number.
    pub(crate) id: u64,
    /// When it was made, by the wall clock, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
}

impl Mark {
    /// The mark with one attempt more; the oldest but the first are forgotten.
    pub(crate) fn add(&mut self, attempt: Attempt) {
        if self.attempts.len() >= ATTEMPTS {
            self.attempts.remove(1);
        }
        self.attempts.push(attempt);
    }

    /// Whether the attempt with this number is one of it.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.attempts.iter().any(|attempt| attempt.id == id)
    }

    /// When the first attempt was made, as [`Attempt::at`].
    pub(crate) fn first_at(&self) -> u64 {
        self.attempts.first().map_or(0, |first| first.at)
    }
}

/// So many attempts are told apart. There are more than two only within a grace period.
const ATTEMPTS: usize = 8;

/// What a redemption asked for, beside the refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MarkedRequest {
    audience: String,
    scopes: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<(String, String)>,
}

impl MarkedRequest {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            audience: target.asked.audience.to_string(),
            scopes: target.asked.scopes.to_string(),
            parameters: owned(&target.parameters),
        }
    }

    pub(crate) fn target(&self) -> Target {
        let pairs = self.parameters.iter().cloned();
        let parameters = pairs.fold(Parameters::none(), |all, (name, value)| {
            all.with(name, value)
        });
        let audience = Audience::from(self.audience.as_str());
        Target::new(audience, Scopes::from_reply(&self.scopes), parameters)
    }
}
