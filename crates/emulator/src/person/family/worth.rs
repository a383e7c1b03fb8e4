//! The state of a refresh token, read without using it.

use std::time::SystemTime;

use super::grace::Answer;
use super::{
    Families, Family, FamilyDeath, Grace, RefreshRequest, RefreshTokenRecord, RefreshTokenState,
};
use crate::config::GraceCoverage;
use crate::secret::Digest;

/// What a refresh with this token would meet.
#[derive(Debug)]
pub(crate) enum Redemption {
    Unknown,
    Expired,
    Dead(FamilyDeath),
    /// Spent, and no grace period covers it. Where the grace period covers the identical request only: the
    /// names of the parameters that differ.
    Reused(Box<Family>, Vec<String>),
    /// Spent, and covered by the grace period: the family as it was at the first answer.
    Replay(Box<Family>),
    Current(Box<Family>),
}

impl Families {
    /// The state of a token for this request; without one, for the request that spent it.
    pub(crate) fn look_up(
        &self,
        token: &str,
        request: Option<&RefreshRequest>,
        now: SystemTime,
        grace: Grace,
    ) -> Redemption {
        let digest = Digest::of(token);
        let Some(known) = self.tokens.get(&digest) else {
            return Redemption::Unknown;
        };
        let Some(family) = self.by_id.get(&known.family) else {
            return Redemption::Unknown;
        };
        let family = Box::new(family.clone());
        match (family.death, known.spent) {
            (Some(death), _) => Redemption::Dead(death),
            (None, Some(spent)) if grace.is_running(spent, now) => match grace.coverage {
                GraceCoverage::AnyRequest => Redemption::Replay(family),
                GraceCoverage::IdenticalRequest => self.repeated(&digest, request, family),
            },
            (None, Some(_)) => Redemption::Reused(family, Vec::new()),
            (None, None) if family.until <= now => Redemption::Expired,
            (None, None) => Redemption::Current(family),
        }
    }

    /// A spent token in a grace period that covers the identical request only.
    fn repeated(
        &self,
        token: &Digest,
        request: Option<&RefreshRequest>,
        mut family: Box<Family>,
    ) -> Redemption {
        let Some(answer) = self.answers.find(token) else {
            // It was spent before there was a grace period.
            return Redemption::Reused(family, Vec::new());
        };
        let differing = request.map(|request| request.differing(&answer.request));
        let differing = differing.unwrap_or_default();
        if !differing.is_empty() {
            return Redemption::Reused(family, differing);
        }
        family.restore(answer);
        Redemption::Replay(family)
    }

    pub(crate) fn state(&self, token: &str, now: SystemTime, grace: Grace) -> RefreshTokenState {
        match self.look_up(token, None, now, grace) {
            Redemption::Unknown => RefreshTokenState::Unknown,
            Redemption::Expired => RefreshTokenState::Expired,
            Redemption::Dead(death) => RefreshTokenState::Dead(death),
            Redemption::Reused(..) => RefreshTokenState::Spent,
            Redemption::Replay(_) => RefreshTokenState::Replayable,
            Redemption::Current(_) => RefreshTokenState::Current,
        }
    }

    /// What is known of a token that was made here.
    pub(crate) fn record_of(
        &self,
        token: &str,
        now: SystemTime,
        grace: Grace,
    ) -> Option<RefreshTokenRecord> {
        let known = self.tokens.get(&Digest::of(token))?;
        Some(RefreshTokenRecord {
            family: known.family.clone(),
            number: known.number,
            state: self.state(token, now, grace),
        })
    }

    /// How many tokens of its family came before this one.
    pub(crate) fn number(&self, token: &str) -> Option<u64> {
        let known = self.tokens.get(&Digest::of(token))?;
        Some(known.number)
    }

    /// The family of a token, dead or alive.
    pub(crate) fn of_token(&self, token: &str) -> Option<&Family> {
        self.by_id.get(&self.tokens.get(&Digest::of(token))?.family)
    }
}

impl Family {
    /// Restores the family as it was at this answer: an identical request gets an identical answer,
    /// even if the family has changed since.
    fn restore(&mut self, answer: &Answer) {
        self.current = Some(answer.next.clone());
        self.grant.scopes.clone_from(&answer.scopes);
        self.bound.clone_from(&answer.bound);
    }
}
