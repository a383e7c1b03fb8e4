//! A refresh token, and what the person has consented to with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    scope::Scopes,
    secret::{self, Secret},
};

/// A refresh token and all that came before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Family {
    /// The only audience that it serves; nothing if it serves all that it covers.
    pub(crate) audience: Option<String>,
    /// Nothing once the issuer has refused it, or if it gave none: then a sign-in is needed.
    #[serde(with = "secret::written::option")]
    pub(crate) refresh_token: Option<Secret>,
    /// What the person has consented to, by audience.
    pub(crate) covers: BTreeMap<String, Coverage>,
    /// How many redemptions of this token were sent without an answer that is known.
    #[serde(default)]
    pub(crate) unanswered: u32,
}

/// What is known of one audience.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Coverage {
    granted: String,
    /// Asked for in a sign-in and not granted: another prompt would not change that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    withheld: String,
}

impl Coverage {
    pub(crate) fn new(granted: &Scopes, withheld: &Scopes) -> Self {
        Self {
            granted: granted.to_string(),
            withheld: withheld.to_string(),
        }
    }

    pub(crate) fn granted(&self) -> Scopes {
        Scopes::from_reply(&self.granted)
    }

    pub(crate) fn withheld(&self) -> Scopes {
        Scopes::from_reply(&self.withheld)
    }
}
