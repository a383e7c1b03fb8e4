//! Families of refresh tokens: one sign-in, one token after the other.

mod grace;
mod record;
mod worth;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use self::grace::{Answer, Answers};
pub(crate) use self::grace::{Grace, RefreshRequest};
pub use self::record::{FamilyDeath, FamilyRecord, RefreshTokenRecord, RefreshTokenState};
pub(crate) use self::worth::Redemption;
use super::grant::Grant;
use crate::clock::later;
use crate::config::Switches;
use crate::secret::{Digest, Secret};

/// One family. It has one current token until it ends; every token before that is spent.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) grant: Grant,
    /// The audience that the last token was bound to, where the switch `resource_sticks` is on.
    pub(crate) bound: Option<String>,
    pub(crate) current: Option<Secret>,
    since: SystemTime,
    until: SystemTime,
    death: Option<FamilyDeath>,
    rotations: u64,
    redemptions: u64,
    replays: u64,
    reuses: u64,
    refusals: u64,
}

/// The families by id, and their tokens by digest.
#[derive(Debug, Default)]
pub(crate) struct Families {
    by_id: BTreeMap<String, Family>,
    tokens: HashMap<Digest, Token>,
    /// The answers that may be repeated within the grace period.
    answers: Answers,
}

/// A refresh token takes the place of another one.
#[derive(Debug)]
pub(crate) struct Rotation<'r> {
    pub(crate) next: &'r str,
    /// The request that it answers, and the family as it was before.
    pub(crate) request: RefreshRequest,
    pub(crate) before: &'r Family,
    pub(crate) at: SystemTime,
}

#[derive(Debug)]
struct Token {
    family: String,
    /// How many tokens of its family came before it.
    number: u64,
    /// When it was spent; `None` for the current one.
    spent: Option<SystemTime>,
}

impl Families {
    /// Begins a family with its first token.
    pub(crate) fn begin(&mut self, grant: Grant, token: &str, now: SystemTime, ttl: Duration) {
        let id = grant.family.clone();
        let family = Family {
            grant,
            bound: None,
            current: Some(Secret::new(token)),
            since: now,
            until: later(now, ttl),
            death: None,
            rotations: 0,
            redemptions: 0,
            replays: 0,
            reuses: 0,
            refusals: 0,
        };
        self.evict_ended(now);
        self.by_id.insert(id.clone(), family);
        let token = Digest::of(token);
        self.tokens.insert(
            token,
            Token {
                family: id,
                number: 0,
                spent: None,
            },
        );
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut Family> {
        self.by_id.get_mut(id)
    }

    /// Spends the current token and puts the next one in its place.
    pub(crate) fn rotate(&mut self, rotation: Rotation<'_>, switches: &Switches) {
        let Rotation {
            next,
            request,
            before,
            at,
        } = rotation;
        let id = &before.grant.family;
        let spent = self.spend(id, at);
        let Some(family) = self.by_id.get_mut(id) else {
            return;
        };
        if let Some(token) = spent {
            let answer = Answer {
                token,
                at,
                request,
                next: Secret::new(next),
                scopes: before.grant.scopes.clone(),
                bound: before.bound.clone(),
            };
            self.answers.add(answer, switches.refresh_grace);
        }
        family.current = Some(Secret::new(next));
        family.until = later(at, switches.refresh_ttl);
        family.rotations += 1;
        let token = Token {
            family: id.clone(),
            number: family.rotations,
            spent: None,
        };
        self.tokens.insert(Digest::of(next), token);
    }

    /// Spends the current token without a successor, which ends the family.
    pub(crate) fn consume(&mut self, id: &str, now: SystemTime) {
        self.spend(id, now);
        self.end(id, FamilyDeath::Refused);
    }

    /// Ends a family; the first reason stays. Returns whether the family was alive.
    pub(crate) fn end(&mut self, id: &str, death: FamilyDeath) -> bool {
        match self.by_id.get_mut(id) {
            Some(family) if family.death.is_none() => {
                family.death = Some(death);
                family.current = None;
                true
            }
            _ => false,
        }
    }

    /// Ends every living family whose grant matches. Returns their ids.
    pub(crate) fn end_where(
        &mut self,
        is_meant: impl Fn(&Grant) -> bool,
        death: FamilyDeath,
    ) -> Vec<String> {
        let meant = self
            .by_id
            .iter()
            .filter(|(_, family)| family.death.is_none() && is_meant(&family.grant));
        let meant: Vec<String> = meant.map(|(id, _)| id.clone()).collect();
        for id in &meant {
            self.end(id, death);
        }
        meant
    }

    pub(crate) fn records(&self, now: SystemTime) -> Vec<FamilyRecord> {
        let records = self.by_id.values().map(|family| family.record(now));
        records.collect()
    }

    /// The token that was spent, if there was one.
    fn spend(&mut self, id: &str, now: SystemTime) -> Option<Digest> {
        let current = self.by_id.get_mut(id)?.current.take()?;
        let current = Digest::of(current.expose());
        self.tokens.get_mut(&current)?.spent = Some(now);
        Some(current)
    }

    /// Removes the families that ended or expired, once there are too many.
    fn evict_ended(&mut self, now: SystemTime) {
        if self.by_id.len() < MOST {
            return;
        }
        self.by_id
            .retain(|_, family| family.death.is_none() && family.until > now);
        let families = &self.by_id;
        self.tokens
            .retain(|_, token| families.contains_key(&token.family));
    }
}

impl Family {
    /// Counts a refresh that was answered with tokens.
    pub(crate) fn count_redemption(&mut self, is_replay: bool) {
        self.redemptions += 1;
        self.replays += u64::from(is_replay);
    }

    pub(crate) fn count_reuse(&mut self) {
        self.reuses += 1;
    }

    pub(crate) fn count_refusal(&mut self) {
        self.refusals += 1;
    }

    fn record(&self, now: SystemTime) -> FamilyRecord {
        let grant = &self.grant;
        FamilyRecord {
            id: grant.family.clone(),
            user: grant.user.clone(),
            application: grant.client_id.clone(),
            session: grant.session.clone(),
            audiences: grant.audiences.clone(),
            scopes: grant.scopes.iter().cloned().collect(),
            since: self.since,
            is_alive: self.death.is_none() && self.until > now,
            death: self.death,
            rotations: self.rotations,
            redemptions: self.redemptions,
            replays: self.replays,
            reuses: self.reuses,
            refusals: self.refusals,
        }
    }
}

/// From here on dead and expired families are evicted before a new one begins.
const MOST: usize = 10_000;
