//! What a person allowed an application at one sign-in.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::Serialize;

/// How sure the platform is of a person: the claim `auth_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Level {
    /// One factor.
    #[serde(rename = "AAL1")]
    One,
    /// Two factors.
    #[serde(rename = "AAL2")]
    Two,
    /// A phishing-resistant factor; no person of the emulator has one.
    #[serde(rename = "AAL3")]
    Three,
}

impl Level {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::One => "AAL1",
            Self::Two => "AAL2",
            Self::Three => "AAL3",
        }
    }

    /// Reads one word of `acr_values`; the platform writes it in both cases.
    pub(crate) fn read(word: &str) -> Option<Self> {
        [Self::One, Self::Two, Self::Three]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(word))
    }
}

/// How and when a person proved who they are.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) at: SystemTime,
    pub(crate) level: Level,
}

impl SignIn {
    /// The claim `amr` (RFC 8176, with the platform's words).
    pub(crate) const fn methods(&self) -> &'static [&'static str] {
        match self.level {
            Level::One => &["pwd"],
            Level::Two | Level::Three => &["pwd", "totp"],
        }
    }
}

/// What a code or a device code stands for, and a family of refresh tokens after it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The id of the family that comes from it.
    pub(crate) family: String,
    pub(crate) user: String,
    pub(crate) client_id: String,
    pub(crate) session: String,
    /// The APIs it covers, in the order in which they were asked for.
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) sign_in: SignIn,
}

impl Grant {
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}
