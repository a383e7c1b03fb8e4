//! Families of refresh tokens: one sign-in, one token after the other.

mod record;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

pub use self::record::{FamilyDeath, FamilyRecord, RefreshTokenRecord, RefreshTokenState};
use super::grant::Grant;
use crate::clock::later;
use crate::secret::{Digest, Secret};

/// A family.
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

/// What a look at a refresh token says.
#[derive(Debug)]
pub(crate) enum Redemption {
    Unknown,
    Expired,
    Dead(FamilyDeath),
    /// Spent, outside of the grace window.
    Reused(Box<Family>),
    /// Spent, within the grace window.
    Replay(Box<Family>),
    Current(Box<Family>),
}

/// The families by id, and their tokens by digest.
#[derive(Debug, Default)]
pub(crate) struct Families {
    families: BTreeMap<String, Family>,
    tokens: HashMap<Digest, Token>,
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
        self.sweep(now);
        self.families.insert(id.clone(), family);
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

    /// What a token is worth. Nothing changes.
    pub(crate) fn look_up(&self, token: &str, now: SystemTime, grace: Duration) -> Redemption {
        let Some(known) = self.tokens.get(&Digest::of(token)) else {
            return Redemption::Unknown;
        };
        let Some(family) = self.families.get(&known.family) else {
            return Redemption::Unknown;
        };
        let family = Box::new(family.clone());
        let is_in_grace = |spent: SystemTime| later(spent, grace) > now;
        match (family.death, known.spent) {
            (Some(death), _) => Redemption::Dead(death),
            (None, Some(spent)) if is_in_grace(spent) => Redemption::Replay(family),
            (None, Some(_)) => Redemption::Reused(family),
            (None, None) if family.until <= now => Redemption::Expired,
            (None, None) => Redemption::Current(family),
        }
    }

    pub(crate) fn state(&self, token: &str, now: SystemTime, grace: Duration) -> RefreshTokenState {
        match self.look_up(token, now, grace) {
            Redemption::Unknown => RefreshTokenState::Unknown,
            Redemption::Expired => RefreshTokenState::Expired,
            Redemption::Dead(death) => RefreshTokenState::Dead(death),
            Redemption::Reused(_) => RefreshTokenState::Spent,
            Redemption::Replay(_) => RefreshTokenState::Replayable,
            Redemption::Current(_) => RefreshTokenState::Current,
        }
    }

    /// What is known of a token that was made here.
    pub(crate) fn record_of(
        &self,
        token: &str,
        now: SystemTime,
        grace: Duration,
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
        self.families
            .get(&self.tokens.get(&Digest::of(token))?.family)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut Family> {
        self.families.get_mut(id)
    }

    /// Spends the current token and puts `next` in its place.
    pub(crate) fn rotate(&mut self, id: &str, next: &str, now: SystemTime, ttl: Duration) {
        self.spend(id, now);
        let Some(family) = self.families.get_mut(id) else {
            return;
        };
        family.current = Some(Secret::new(next));
        family.until = later(now, ttl);
        family.rotations += 1;
        let token = Token {
            family: id.to_owned(),
            number: family.rotations,
            spent: None,
        };
        self.tokens.insert(Digest::of(next), token);
    }

    /// Uses the current token up although nothing takes its place.
    pub(crate) fn consume(&mut self, id: &str, now: SystemTime) {
        self.spend(id, now);
        self.kill(id, FamilyDeath::Refused);
    }

    /// Ends a family; the first reason stays. Says whether it was alive.
    pub(crate) fn kill(&mut self, id: &str, death: FamilyDeath) -> bool {
        match self.families.get_mut(id) {
            Some(family) if family.death.is_none() => {
                family.death = Some(death);
                family.current = None;
                true
            }
            _ => false,
        }
    }

    /// Ends every living family of which this holds. Returns their ids.
    pub(crate) fn kill_where(
        &mut self,
        is_meant: impl Fn(&Grant) -> bool,
        death: FamilyDeath,
    ) -> Vec<String> {
        let meant = self
            .families
            .iter()
            .filter(|(_, family)| family.death.is_none() && is_meant(&family.grant));
        let meant: Vec<String> = meant.map(|(id, _)| id.clone()).collect();
        for id in &meant {
            self.kill(id, death);
        }
        meant
    }

    pub(crate) fn records(&self, now: SystemTime) -> Vec<FamilyRecord> {
        let records = self.families.values().map(|family| family.record(now));
        records.collect()
    }

    fn spend(&mut self, id: &str, now: SystemTime) {
        let current = self
            .families
            .get_mut(id)
            .and_then(|family| family.current.take());
        let current = current.map(|current| Digest::of(current.expose()));
        if let Some(token) = current.and_then(|current| self.tokens.get_mut(&current)) {
            token.spent = Some(now);
        }
    }

    /// Forgets the families that ended long ago.
    fn sweep(&mut self, now: SystemTime) {
        if self.families.len() < MOST {
            return;
        }
        self.families
            .retain(|_, family| family.death.is_none() && family.until > now);
        let families = &self.families;
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

/// From here on dead and expired families are swept before a new one begins.
const MOST: usize = 10_000;
