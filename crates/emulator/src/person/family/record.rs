//! What the outside sees of a family and of a refresh token.

use std::time::SystemTime;

use serde::Serialize;

use crate::clock;

/// A family of refresh tokens, as the handle and the admin API show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FamilyRecord {
    /// Its id, `fam_...`.
    pub id: String,
    /// The person.
    pub user: String,
    /// The application.
    pub application: String,
    /// The session of the sign-in.
    pub session: String,
    /// The APIs that it covers, in the order in which they were asked for.
    pub audiences: Vec<String>,
    /// The scopes that it covers, in order.
    pub scopes: Vec<String>,
    /// When it began.
    #[serde(serialize_with = "clock::serialize")]
    pub since: SystemTime,
    /// Whether its current token can still be redeemed.
    pub is_alive: bool,
    /// Why it is dead, if it was ended; an expired family was not.
    pub death: Option<FamilyDeath>,
    /// How many new refresh tokens took the place of an old one.
    pub rotations: u64,
    /// How many refresh requests were answered with tokens, replays included.
    pub redemptions: u64,
    /// How many of those were a spent token within the grace period.
    pub replays: u64,
    /// How often a spent token was sent outside of the grace period, or in a request that it does not cover.
    pub reuses: u64,
    /// How many refresh requests with a good token were refused.
    pub refusals: u64,
}

/// Why a family of refresh tokens is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FamilyDeath {
    /// A spent token was sent again: presumed theft.
    Reuse,
    /// Its authorization code was sent again.
    CodeReuse,
    /// The application gave it back at the revocation endpoint.
    GivenBack,
    /// An administrator revoked the application's tokens.
    TokensRevoked,
    /// The session was revoked.
    SessionRevoked,
    /// The person signed out.
    SignedOut,
    /// The person was suspended.
    UserSuspended,
    /// The consent that it stands on was revoked.
    ConsentRevoked,
    /// A refused refresh spent its last token (see the switch `refused_refresh_consumes`).
    Refused,
}

/// The state of a refresh token, read without using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "death", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefreshTokenState {
    /// The next refresh with it succeeds, as far as the token is concerned.
    Current,
    /// Spent, and within the grace period: it would be answered as a replay; under
    /// [`GraceCoverage::IdenticalRequest`](crate::GraceCoverage::IdenticalRequest) to the request that
    /// spent it alone.
    Replayable,
    /// Spent: the next refresh with it ends its family.
    Spent,
    /// Its lifetime is over.
    Expired,
    /// Its family is dead.
    Dead(FamilyDeath),
    /// It was never made here.
    Unknown,
}

/// A refresh token's place in its family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefreshTokenRecord {
    /// The family's id, `fam_...`.
    pub family: String,
    /// How many tokens of the family came before it: 0 is the sign-in's own. The audit log says the same
    /// of each refresh and of each reuse, as `refresh_token_number`.
    pub number: u64,
    /// Its state right now.
    pub state: RefreshTokenState,
}

impl RefreshTokenState {
    /// Whether a refresh with it would be answered with tokens.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Current | Self::Replayable)
    }
}
