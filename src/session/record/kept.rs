//! Access tokens in a session: what another process, or this one before it ended, has left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    dialect::AudienceRule,
    endpoint::{LIFETIME_MAX, TokenReply},
    jwt::UnverifiedClaims,
    request::{Parameters, Target},
    scope::{Audience, Scopes},
    secret::{self, Secret},
    time::Moment,
};

/// An access token that a new process can start with.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptToken {
    pub(crate) audience: String,
    /// What it was asked for with; what it grants is `granted`, where that is known.
    pub(crate) asked: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) granted: Option<String>,
    #[serde(with = "secret::written")]
    pub(crate) access_token: Secret,
    /// By the wall clock, in milliseconds since the Unix epoch.
    pub(crate) requested_at: u64,
    /// In milliseconds.
    pub(crate) lifetime: u64,
}

impl KeptToken {
    /// The token of `reply` as the session keeps it; nothing if the next process had better ask itself.
    pub(crate) fn of(reply: &TokenReply, target: &Target, rule: &AudienceRule) -> Option<Self> {
        let claims = UnverifiedClaims::read(reply.access_token.expose());
        let expected = rule.expected(&target.asked.audience);
        let names_audience = |claims: &UnverifiedClaims| {
            expected.is_none_or(|expected| claims.audiences().contains(&expected.as_str()))
        };
        let granted = granted(reply);
        let is_whole = granted
            .as_ref()
            .is_none_or(|granted| granted.is_superset(&target.asked.scopes));
        let is_right = claims.as_ref().is_none_or(names_audience);
        if !is_right || !is_whole {
            return None;
        }
        let claimed = || Duration::try_from_secs_f64(claims.as_ref()?.lifetime()?).ok();
        let lifetime = reply.lifetime.or_else(claimed)?.min(LIFETIME_MAX);
        Some(Self {
            audience: target.asked.audience.to_string(),
            asked: target.asked.scopes.to_string(),
            parameters: owned(&target.parameters),
            granted: granted.map(|scopes| scopes.to_string()),
            access_token: reply.access_token.clone(),
            requested_at: reply.requested_at.wall_milliseconds(),
            lifetime: u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// When it was asked for, on both clocks of this process; nothing if that is yet to come.
    ///
    /// A record from the future was written under another clock, and says nothing about the age.
    pub(crate) fn requested_at(&self, now: Moment) -> Option<Moment> {
        now.at_wall(Duration::from_millis(self.requested_at))
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime)
    }

    pub(crate) fn is_for(&self, target: &Target) -> bool {
        let own = self
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        self.audience == target.asked.audience.as_str()
            && Scopes::from_reply(&self.asked) == target.asked.scopes
            && own.eq(target.parameters.iter())
    }

    pub(super) fn is_for_the_same_as(&self, other: &Self) -> bool {
        self.audience == other.audience
            && self.asked == other.asked
            && self.parameters == other.parameters
    }

    pub(crate) fn audience(&self) -> Audience {
        Audience::from(self.audience.as_str())
    }

    /// Whether it has ended by the wall clock: then it is not worth keeping.
    pub(super) fn has_ended(&self, now: Moment) -> bool {
        let Some(requested_at) = self.requested_at(now) else {
            return true;
        };
        now.has_reached(requested_at.plus(self.lifetime()))
    }

    /// When it ends, in milliseconds since the Unix epoch.
    pub(crate) fn ends_at(&self) -> u64 {
        self.requested_at.saturating_add(self.lifetime)
    }
}

/// What the issuer said that it granted, in the reply or in the token.
pub(crate) fn granted(reply: &TokenReply) -> Option<Scopes> {
    let in_token = || UnverifiedClaims::read(reply.access_token.expose())?.granted();
    reply.scopes.clone().or_else(in_token)
}

pub(super) fn owned(parameters: &Parameters) -> Vec<(String, String)> {
    parameters
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
