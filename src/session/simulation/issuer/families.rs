//! The issuer's books: each family of refresh tokens, each redemption, and why a family has ended.

use std::time::Duration;

use crate::{
    scope::Scopes,
    session::{
        environment::RefreshRequest,
        simulation::{
            executor::{Instant, ProcessId},
            invariants::causes::Cause,
            program::PARAMETER,
            settings::{Grace, Settings},
            tokens::TokenName,
        },
    },
};

/// Everything that the issuer has given out.
#[derive(Default)]
pub(crate) struct Families {
    pub(crate) all: Vec<Family>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) access: Vec<Access>,
    /// How many redemptions were sent again.
    pub(crate) repetitions: u64,
    /// Families whose revocation was lost on its way.
    pub(crate) unrevoked: Vec<usize>,
}

/// What came of one sign-in.
pub(crate) struct Family {
    pub(crate) session: usize,
    pub(crate) person: usize,
    pub(crate) sign_in: usize,
    /// The audiences that the person has consented to.
    pub(crate) covers: Vec<String>,
    /// The number of the refresh token that is good now.
    pub(crate) current: usize,
    pub(crate) death: Option<Death>,
    /// What had to be, by its name.
    pub(crate) cause: Option<Cause>,
    /// Whether the issuer has answered with another person's tokens.
    pub(crate) is_mixed_up: bool,
    /// Whether an older version wrote its record, with a redemption that was lost.
    pub(crate) is_older: bool,
    /// By number: when it was first redeemed, and how.
    redeemed: Vec<Option<FirstUse>>,
}

struct FirstUse {
    at: Instant,
    request: Request,
}

/// Why a family has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// A refresh token was used once more: by this attempt.
    Reuse { attempt: usize },
    /// It was revoked, by this process.
    Revoked { by: ProcessId, at: Instant },
    /// The issuer has ended it by itself.
    Ended,
}

/// What a redemption asks for, as far as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) audience: String,
    /// Nothing where they are not named on the wire.
    scopes: String,
    parameters: Vec<(String, String)>,
}

/// One redemption that was sent.
pub(crate) struct Attempt {
    pub(crate) process: ProcessId,
    pub(crate) name: TokenName,
    pub(crate) request: Request,
    /// What it asks for altogether, also where that is not named on the wire.
    pub(crate) asked: Request,
    pub(crate) sent: Instant,
    /// Whether it was sent although the issuer had been silent for a while.
    pub(crate) is_in_outage: bool,
    pub(crate) processed: Option<(Instant, Outcome)>,
    pub(crate) told: Option<(Instant, Told)>,
    /// When its process stopped waiting for the answer.
    pub(crate) given_up: Option<Instant>,
    /// Why its token was sent again.
    pub(crate) excuse: Option<Cause>,
    /// Whether its process stood still after it had asked for its lock, until that had run out.
    pub(crate) is_without_lock: bool,
}

/// What the issuer made of a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This is the number of the new refresh token.
    Rotated(usize),
    /// The old refresh token stays.
    Stays,
    /// It was redeemed before, and is answered again.
    Replayed(usize),
    /// It was redeemed before, and ends the family.
    Reused,
    /// The family had ended before.
    Refused,
}

/// What the process was told that sent a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Tokens, and this refresh token if there is a new one.
    Tokens(Option<TokenName>),
    /// That it was not redeemed.
    NotRedeemed,
    /// That the refresh token is not good.
    Refused,
    /// Nothing that can be relied upon.
    Unknown,
}

/// One access token.
pub(crate) struct Access {
    pub(crate) session: usize,
    pub(crate) audience: String,
    /// The redemption that brought it, and what that asked for.
    pub(crate) redemption: Option<(usize, Request)>,
    pub(crate) origin: Origin,
    pub(crate) issued: Instant,
    pub(crate) lifetime: Duration,
    /// Whether it is another person's than the issuer should have known.
    pub(crate) is_mixed_up: bool,
}

/// Where an access token is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    SignIn(usize),
    Family(usize),
}

impl Request {
    pub(crate) fn of(request: &RefreshRequest, narrows: bool) -> Self {
        let scopes = request.target.asked.scopes.to_string();
        let pairs = request.target.parameters.iter();
        Self {
            audience: request.target.asked.audience.to_string(),
            scopes: if narrows { scopes } else { String::new() },
            parameters: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl Request {
    /// What an application asks for.
    pub(crate) fn asked(audience: &str, scopes: &str, parameter: Option<&str>) -> Self {
        let parameters = parameter.map(|value| (PARAMETER.to_owned(), value.to_owned()));
        Self {
            audience: audience.to_owned(),
            scopes: Scopes::from_reply(scopes).to_string(),
            parameters: parameters.into_iter().collect(),
        }
    }

    /// What an older version did not write down.
    pub(crate) fn unknown() -> Self {
        Self {
            audience: String::new(),
            scopes: String::new(),
            parameters: Vec::new(),
        }
    }
}

impl Families {
    /// A new family, and its first refresh token.
    pub(crate) fn found(&mut self, family: NewFamily) -> TokenName {
        self.all.push(Family {
            session: family.session,
            person: family.person,
            sign_in: family.sign_in,
            covers: family.covers,
            current: 0,
            death: None,
            cause: None,
            is_mixed_up: false,
            is_older: false,
            redeemed: vec![None],
        });
        TokenName {
            family: self.all.len() - 1,
            serial: 0,
        }
    }

    /// Gives out an access token; its number.
    pub(crate) fn give(&mut self, access: Access) -> usize {
        self.access.push(access);
        self.access.len() - 1
    }

    /// The sign-in that an access token is of.
    pub(crate) fn sign_in_of(&self, access: &Access) -> usize {
        match access.origin {
            Origin::SignIn(sign_in) => sign_in,
            Origin::Family(family) => self.all[family].sign_in,
        }
    }

    /// When a process was first told of a refresh token, by a redemption.
    pub(crate) fn told(&self, name: TokenName) -> Option<Instant> {
        let told = self
            .attempts
            .iter()
            .filter_map(|attempt| match attempt.told {
                Some((at, Told::Tokens(Some(next)))) if next == name => Some(at),
                _ => None,
            });
        told.min()
    }

    /// Redeems, as this schedule's issuer does.
    pub(crate) fn redeem(
        &mut self,
        attempt: usize,
        settings: &Settings,
        rotates: bool,
        now: Instant,
    ) -> Outcome {
        let sent = &self.attempts[attempt];
        let family = &mut self.all[sent.name.family];
        let outcome = family.redeem(sent, settings, rotates, now);
        if outcome == Outcome::Reused {
            family.death = Some(Death::Reuse { attempt });
        }
        self.attempts[attempt].processed = Some((now, outcome));
        outcome
    }

    /// Revokes: as RFC 7009 section 2.1 has it, all that came of the same grant.
    pub(crate) fn revoke(
        &mut self,
        name: TokenName,
        by: ProcessId,
        settings: &Settings,
        now: Instant,
    ) {
        let family = &mut self.all[name.family];
        let is_known = name.serial == family.current || settings.revokes_by_old_token;
        if is_known && family.death.is_none() {
            family.death = Some(Death::Revoked { by, at: now });
        }
    }

    /// A revocation that does not arrive.
    pub(crate) fn lose_revocation(&mut self, name: TokenName) {
        self.unrevoked.push(name.family);
    }
}

impl Family {
    pub(crate) fn current(&self, number: usize) -> TokenName {
        TokenName {
            family: number,
            serial: self.current,
        }
    }

    fn redeem(
        &mut self,
        sent: &Attempt,
        settings: &Settings,
        rotates: bool,
        now: Instant,
    ) -> Outcome {
        let serial = sent.name.serial;
        if self.death.is_some() {
            return Outcome::Refused;
        }
        if serial == self.current {
            if !rotates {
                return Outcome::Stays;
            }
            self.redeemed[serial] = Some(FirstUse {
                at: now,
                request: sent.request.clone(),
            });
            self.redeemed.push(None);
            self.current += 1;
            return Outcome::Rotated(self.current);
        }
        let Some(first) = &self.redeemed[serial] else {
            return Outcome::Refused;
        };
        let is_within = now.since(first.at) <= settings.grace_period;
        let is_last = serial + 1 == self.current;
        let is_answered = match settings.grace {
            Grace::None => false,
            Grace::ForAll => is_within && is_last,
            Grace::ForIdentical => is_within && is_last && first.request == sent.request,
        };
        if is_answered {
            Outcome::Replayed(serial + 1)
        } else {
            Outcome::Reused
        }
    }
}

/// A family that is to be founded.
pub(crate) struct NewFamily {
    pub(crate) session: usize,
    pub(crate) person: usize,
    pub(crate) sign_in: usize,
    pub(crate) covers: Vec<String>,
}
