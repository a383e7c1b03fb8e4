//! The mark that a redemption leaves before it is sent.

use serde::{Deserialize, Serialize};

use super::kept::owned;
use crate::{
    error::Asked,
    request::Parameters,
    scope::{Audience, Scopes},
};

/// A redemption of the family's refresh token was sent, or was about to be, and its answer is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Which mark it is: a random number, drawn anew each time that one is written.
    pub(crate) id: u64,
    /// How many redemptions were sent.
    pub(crate) count: u32,
    /// When the first one was, by the wall clock, in milliseconds since the Unix epoch.
    pub(crate) first_at: u64,
    /// What they asked for. Some grace periods hold for the identical request alone. A record of an
    /// older version does not say, and neither does one that had no room for it.
    pub(crate) request: Option<MarkedRequest>,
}

/// What a redemption asked for, beside the refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MarkedRequest {
    audience: String,
    scopes: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<(String, String)>,
}

impl MarkedRequest {
    pub(crate) fn new(asked: &Asked, parameters: &Parameters) -> Self {
        Self {
            audience: asked.audience.to_string(),
            scopes: asked.scopes.to_string(),
            parameters: owned(parameters),
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked {
            audience: Audience::from(self.audience.as_str()),
            scopes: Scopes::from_reply(&self.scopes),
        }
    }

    pub(crate) fn parameters(&self) -> Parameters {
        let pairs = self.parameters.iter().cloned();
        pairs.fold(Parameters::none(), |all, (name, value)| {
            all.with(name, value)
        })
    }
}
