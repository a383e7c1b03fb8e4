//! What is kept of one person's session, and how it is written.

mod family;
mod kept;
mod mark;
mod written;

use serde::{Deserialize, Serialize};

pub(crate) use family::{Coverage, Family, FamilyId};
pub(crate) use kept::{KeptToken, granted};
pub(crate) use mark::{Attempt, Mark, MarkedRequest};
pub(crate) use written::{Unusable, Writing};

use crate::{
    account::Account,
    scope::{Audience, Scopes},
    secret::{self, Secret},
    session::rules::{Rule, holds},
    time::Moment,
};

/// Which sign-in a session is of: a random number for each, and zero where none is known.
///
/// It is the session's *revision* as well: what was refused for want of a person is asked for again
/// when it has changed, and only a person's doing changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SignInId(pub(crate) u64);

impl SignInId {
    /// There was none, or its record does not say which.
    pub(crate) const UNKNOWN: Self = Self(0);
}

/// One person's session at one moment.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The sign-in that it is of, or that the person has signed out of.
    #[serde(default)]
    pub(crate) sign_in: SignInId,
    /// When the person signed in or out, by the wall clock, in milliseconds since the Unix epoch; zero in
    /// records of an older version.
    #[serde(default)]
    pub(crate) since: u64,
    /// When the session before this person's ended, as `since`; zero if there was none, or if that is not known. A
    /// sign-in that came before is over, also where its API has a refresh token of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) ended: u64,
    /// Nothing once the person has signed out: then the record is a tombstone.
    pub(crate) signed_in: Option<SignedIn>,
}

/// What a sign-in has brought.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    /// The last sign-in's ID token: the issuer wants to see it where the person signs out there too.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "secret::written::option"
    )]
    pub(crate) id_token: Option<Secret>,
    /// The scopes that are no API's (`openid`, `offline_access`, …): asked for again with the rest.
    pub(crate) identity_scopes: String,
    pub(crate) families: Vec<Family>,
    /// Refresh tokens that a later sign-in has replaced: they are revoked when the person signs out.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "secret::written::list"
    )]
    pub(crate) replaced: Vec<Secret>,
    pub(crate) tokens: Vec<KeptToken>,
}

impl Session {
    /// What is left once the person has signed out of `sign_in`.
    pub(crate) fn tombstone(sign_in: SignInId, since: u64) -> Self {
        Self {
            sign_in,
            since,
            ended: 0,
            signed_in: None,
        }
    }

    /// Until when a store has to keep it, in seconds since the Unix epoch; nothing if that is not known.
    ///
    /// How long a refresh token lives is known to the issuer alone. A tombstone is needed for as long as
    /// another process may bring back a sign-in of its own that it could not save; and without a refresh
    /// token nothing is left once the access tokens have ended but what the next sign-in asks for.
    pub(crate) fn keep_until(&self, now: Moment) -> Option<u64> {
        let now = now.wall_milliseconds() / 1000;
        match &self.signed_in {
            None => Some(now + TOMBSTONE),
            Some(signed_in) if signed_in.refresh_tokens().next().is_some() => None,
            Some(signed_in) => {
                let ends = signed_in.tokens.iter().map(KeptToken::ends_at).max();
                Some(ends.map_or(now, |end| end.div_ceil(1000).max(now)) + COVERED)
            }
        }
    }

    /// The sign-in that is in force; [`SignInId::UNKNOWN`] if the person has signed out.
    pub(crate) fn in_force(&self) -> SignInId {
        match self.signed_in {
            Some(_) => self.sign_in,
            None => SignInId::UNKNOWN,
        }
    }
}

impl SignedIn {
    /// Every refresh token that a sign-out has to revoke.
    pub(crate) fn refresh_tokens(&self) -> impl Iterator<Item = &Secret> {
        let families = self.families.iter();
        families
            .filter_map(|family| family.refresh_token.as_ref())
            .chain(&self.replaced)
    }

    /// The family that serves `audience`.
    pub(crate) fn family(&self, audience: &Audience) -> Option<&Family> {
        // One that can be redeemed comes before one that cannot, and one of its own before one that serves
        // all: the person has signed in for it since.
        let rank = |family: &&Family| {
            let is_own = family.audience.is_some();
            (family.refresh_token.is_some(), is_own)
        };
        let families = self.families.iter();
        families
            .filter(|family| family.serves(audience))
            .max_by_key(rank)
    }

    /// The family whose refresh token this is.
    pub(crate) fn family_of(&mut self, refresh_token: &Secret) -> Option<&mut Family> {
        let mut families = self.families.iter_mut();
        families.find(|family| family.holds(refresh_token))
    }

    /// Nothing comes of this refresh token's family any more, until the next sign-in.
    ///
    /// What it covered is kept, so that the sign-in can ask for it again.
    pub(crate) fn end_family(&mut self, refresh_token: &Secret) {
        let is_it =
            |family: &&mut Family| family.holds(refresh_token) || !holds(Rule::EndOnlyTheRefused);
        let Some(ended) = self.families.iter_mut().find(is_it).map(|it| it.id()) else {
            return;
        };
        // Those of an API that has a refresh token of its own stay, also where this one serves all.
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.retain(|kept| {
            let family = self.family(&kept.audience());
            family.is_none_or(|family| family.id() != ended)
        });
        self.tokens = tokens;
        for family in self.families.iter_mut().filter(|it| it.id() == ended) {
            (family.refresh_token, family.mark) = (None, None);
        }
    }

    /// Puts `token` in the place of the one for the same request, and lets go of what has ended.
    pub(crate) fn keep(&mut self, token: KeptToken, now: Moment) {
        self.tokens
            .retain(|kept| !kept.is_for_the_same_as(&token) && !kept.has_ended(now));
        self.tokens.push(token);
        let surplus = self.tokens.len().saturating_sub(KEPT_TOKENS);
        // The oldest goes first.
        self.tokens.drain(..surplus);
    }

    /// The refresh tokens that one of `sign_ins` has brought.
    pub(crate) fn tokens_of(&self, sign_ins: &[SignInId]) -> Vec<Secret> {
        let families = self.families.iter();
        families
            .filter(|family| sign_ins.contains(&family.sign_in))
            .filter_map(|family| family.refresh_token.clone())
            .collect()
    }

    /// Remembers that `refresh_token` is in use no more, for the sign-out; whether that is new.
    pub(crate) fn replace(&mut self, refresh_token: Secret) -> bool {
        let mut replaced = self.replaced.iter();
        if replaced.any(|one| one.expose() == refresh_token.expose()) {
            return false;
        }
        self.replaced.push(refresh_token);
        let surplus = self.replaced.len().saturating_sub(REPLACED);
        self.replaced.drain(..surplus);
        true
    }

    /// The scopes of every audience that the sign-in covers.
    pub(crate) fn covered(&self) -> impl Iterator<Item = (Audience, Scopes)> {
        self.families
            .iter()
            .flat_map(|family| &family.covers)
            .map(|(audience, coverage)| (Audience::from(audience.as_str()), coverage.granted()))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A record holds at most this many access tokens; those of more audiences are fetched again by the
/// next process.
const KEPT_TOKENS: usize = 64;

/// So many replaced refresh tokens are remembered: a person who steps up all day does not fill the
/// record with them. Those before end by the issuer's own time limit.
const REPLACED: usize = 8;

/// For so long a store keeps that a person has signed out, in seconds: a day.
const TOMBSTONE: u64 = 24 * 60 * 60;

/// For so long a store keeps what a sign-in without refresh token covered, in seconds: 30 days.
const COVERED: u64 = 30 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_access_tokens_of_its_own_end_with_a_family() {
        let family = |audience: Option<&str>, token: &str, sign_in| Family {
            sign_in: SignInId(sign_in),
            ..Family::new(
                audience.map(str::to_owned),
                Some(Secret::from(token)),
                BTreeMap::new(),
            )
        };
        let token = |audience: &str| KeptToken {
            audience: audience.to_owned(),
            asked: String::new(),
            parameters: Vec::new(),
            granted: None,
            access_token: Secret::from("at"),
            requested_at: 0,
            lifetime: 300_000,
        };
        let mut signed_in = SignedIn {
            account: Account::new(None, None, None),
            id_token: None,
            identity_scopes: String::new(),
            families: vec![family(None, "all", 1), family(Some("bank"), "bank", 2)],
            replaced: Vec::new(),
            tokens: vec![token("bank"), token("mail")],
        };
        signed_in.end_family(&Secret::from("all"));
        let kept: Vec<_> = signed_in.tokens.iter().map(|it| &it.audience).collect();
        assert_eq!(kept, ["bank"]);
        signed_in.end_family(&Secret::from("bank"));
        assert!(signed_in.tokens.is_empty());
        assert_eq!(signed_in.refresh_tokens().count(), 0);
    }
}
