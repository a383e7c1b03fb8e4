//! What becomes of a request for an access token, by the session as it is now.

use std::time::Duration;

use super::{
    Wanted,
    loaded::Current,
    record::{Coverage, Family, FamilyId, KeptToken, Mark, MarkedRequest, SignInId, SignedIn},
    rules::{Rule, holds},
    state::State,
    transition::{Transition, took},
};
use crate::{
    dialect::Dialect,
    error::{Denied, Error},
    scope::{Audience, Scopes},
    secret::Secret,
    time::Moment,
    token::{Freshness, Phase},
};

/// What becomes of a request for an access token.
pub(crate) enum Decision {
    /// The session holds one that is as good as a new one.
    Adopt(Adopted),
    /// There is none to be had without the person, or at all.
    Refuse(Error),
    /// A refresh token is to be redeemed.
    Redeem(Plan),
    /// Too many answers to this family's refresh token were lost; or one is on its way to the lock's holder.
    Lost {
        /// The only audience of the family; nothing if that serves all.
        family: Option<Audience>,
    },
}

/// An access token that the session holds.
pub(crate) struct Adopted {
    pub(crate) token: KeptToken,
    pub(crate) requested_at: Moment,
    pub(crate) sign_in: SignInId,
}

/// The one redemption that may be sent now.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) refresh_token: Secret,
    /// What is asked for: what is wanted, or what was asked for when the last answer was lost.
    pub(crate) request: MarkedRequest,
    /// The mark that stands there now: then it is a repetition.
    pub(crate) before: Option<Mark>,
    pub(crate) sign_in: SignInId,
    pub(crate) id: FamilyId,
    /// The only audience of its family; nothing if that serves all. It says which lock is taken.
    pub(crate) family: Option<Audience>,
}

impl Plan {
    pub(crate) fn is_repetition(&self) -> bool {
        self.before.is_some()
    }

    /// Whether it may still be sent: the grace period may have ended since it was planned.
    pub(crate) fn is_timely(&self, dialect: &Dialect, now: Moment) -> bool {
        let before = self.before.as_ref();
        before.is_none_or(|before| may_repeat(before, dialect, now))
    }

    /// Which line of the table it is, once it is sent.
    pub(crate) fn transition(&self) -> Transition {
        match &self.before {
            None => Transition::Redeemed,
            Some(before) if before.attempts.len() <= REPETITIONS => Transition::RepeatedOnce,
            Some(_) => Transition::RepeatedWithinGrace,
        }
    }
}

impl State {
    /// What becomes of `wanted` in the session as it is now.
    pub(crate) fn decide(
        &mut self,
        current: &Current,
        wanted: &Wanted,
        dialect: &Dialect,
        now: Moment,
    ) -> Decision {
        let Some(signed_in) = current.signed_in() else {
            took(Transition::NotSignedIn);
            return Decision::Refuse(Error::signed_out(&wanted.target.asked));
        };
        let sign_in = current.in_force();
        if let Some((token, requested_at)) = self.adopt(signed_in, wanted, now) {
            took(Transition::Adopted);
            return Decision::Adopt(Adopted {
                token,
                requested_at,
                sign_in,
            });
        }
        let (family, refresh_token) = match covering(signed_in, wanted, dialect.refresh_may_exceed)
        {
            Ok((family, refresh_token)) => (family, refresh_token.clone()),
            Err(error) => return Decision::Refuse(error),
        };
        let only = family.audience.as_deref().map(Audience::from);
        let own = MarkedRequest::new(&wanted.target);
        let before = family.mark.clone();
        let Some(request) = request(before.as_ref(), own, dialect, now) else {
            return Decision::Lost { family: only };
        };
        Decision::Redeem(Plan {
            refresh_token,
            request,
            before,
            sign_in,
            id: family.id(),
            family: only,
        })
    }

    /// The token for `wanted` that the session holds, if it is as good as a new one.
    fn adopt(
        &mut self,
        signed_in: &SignedIn,
        wanted: &Wanted,
        now: Moment,
    ) -> Option<(KeptToken, Moment)> {
        let mut tokens = signed_in.tokens.iter();
        let kept = tokens.find(|kept| kept.is_for(&wanted.target))?;
        let requested_at = self.access_tokens.requested_at(kept, now)?;
        let is_good = match Freshness::new(requested_at, kept.lifetime(), 0.0).phase(now) {
            Phase::Stale => false,
            // A forced call wants a request that starts after it, by any process.
            _ if wanted.urgency.is_forced => requested_at.has_reached(wanted.departed),
            Phase::Fresh => true,
            Phase::Window => !wanted.replaces_usable,
        };
        let is_adopted = is_good && !self.access_tokens.has_rejected(&kept.access_token);
        is_adopted.then(|| (kept.clone(), requested_at))
    }
}

/// What the next redemption asks for; nothing if there must be none.
fn request(
    before: Option<&Mark>,
    own: MarkedRequest,
    dialect: &Dialect,
    now: Moment,
) -> Option<MarkedRequest> {
    let Some(before) = before else {
        return Some(own);
    };
    let request = match &before.request {
        Some(_) if !holds(Rule::RepeatTheMarkedRequest) => own,
        Some(request) => request.clone(),
        None if holds(Rule::NamelessMarkIsNotRepeated) => return None,
        None => own,
    };
    may_repeat(before, dialect, now).then_some(request)
}

/// Whether a redemption may be sent once more, whose answers were lost.
fn may_repeat(mark: &Mark, dialect: &Dialect, now: Moment) -> bool {
    let is_first = mark.attempts.len() <= REPETITIONS || !holds(Rule::RepeatOnce);
    is_first || is_in_grace(mark, dialect.refresh_grace, now)
}

/// Whether the issuer still repeats its answer to the request that `mark` names.
fn is_in_grace(mark: &Mark, grace: Option<Duration>, now: Moment) -> bool {
    let Some(grace) = grace.filter(|_| holds(Rule::RepeatWithinGrace)) else {
        return false;
    };
    if !holds(Rule::GraceFromTheFirstMark) {
        return true;
    }
    // Two machines' clocks are never the same. A mark from far in the future says nothing about its age.
    let age = now.wall_milliseconds().abs_diff(mark.first_at());
    Duration::from_millis(age) < grace
}

/// The family that serves `wanted`, and its refresh token.
///
/// What the sign-in is not known to cover is refused without asking the issuer: a refused refresh
/// consumes the token at some, and a prompt would not end at others.
fn covering<'a>(
    signed_in: &'a SignedIn,
    wanted: &Wanted,
    may_exceed: bool,
) -> Result<(&'a Family, &'a Secret), Error> {
    let asked = &wanted.target.asked;
    let Some(family) = signed_in.family(&asked.audience) else {
        took(Transition::NotCovered);
        return Err(Error::consent_required(asked, asked.scopes.clone()));
    };
    let Some(refresh_token) = &family.refresh_token else {
        took(Transition::FamilyEnded);
        return Err(Error::login_required(asked));
    };
    let coverage = family.covers.get(asked.audience.as_str());
    let granted = coverage.map(Coverage::granted);
    let held = granted.clone().unwrap_or_default();
    let missing = asked.scopes.difference(&held);
    let withheld = coverage.map_or_else(Scopes::none, Coverage::withheld);
    if missing
        .iter()
        .any(|scope| withheld.contains(scope.as_str()))
    {
        // The person was asked already, and the issuer gave less: another prompt changes nothing.
        return Err(Error::Denied(Denied::narrowed(asked, &held)));
    }
    let is_covered = granted.is_some() && missing.is_empty();
    if is_covered || may_exceed || !holds(Rule::CoveredOnly) {
        return Ok((family, refresh_token));
    }
    took(Transition::NotCovered);
    Err(Error::consent_required(asked, missing))
}

/// How often a redemption is repeated whose answer was lost, ever: RFC 9700 section 4.14.2 has the
/// issuer revoke the whole family when a token is used twice, so a second repetition can only harm.
const REPETITIONS: usize = 1;
