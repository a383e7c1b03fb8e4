//! What this process did to a session: each change is a pure step over whatever record is there.
//!
//! A change is not a record. It says what happened (a sign-in, a rotation, …), and [`Change::apply`] says
//! what that means for the record that is loaded now, which another process may have written in the
//! meantime. So a save that was superseded is made anew, and one that failed waits, by the same rules.

use super::{
    record::{Attempt, Family, Mark, MarkedRequest, Session, SignInId, SignedIn},
    rotation::Rotation,
    rules::{Rule, holds},
    sign_in::SignIn,
    transition::{Transition, took},
};
use crate::{secret::Secret, store::Version, time::Moment};

/// Something that happened to a session in this process.
#[derive(Clone)]
pub(crate) enum Change {
    /// The person has signed in.
    SignIn(Box<SignIn>),
    /// The person has signed out.
    SignOut(SignOut),
    /// A redemption is about to be sent. Never pending: what cannot be marked is not sent.
    Mark(MarkAttempt),
    /// A redemption was surely not made, so its mark is taken back.
    Unmark(Unmark),
    /// A redemption was answered.
    Rotation(Box<Rotation>),
    /// The issuer refused the refresh token.
    End { refused: Secret },
}

/// The person signed out.
#[derive(Clone)]
pub(crate) struct SignOut {
    /// The sign-ins that it ends, the last one last: what the process had seen when the person signed out.
    pub(crate) ends: Vec<SignInId>,
    /// When the person signed out, by the wall clock, in milliseconds since the Unix epoch.
    pub(crate) since: u64,
}

/// A redemption of this refresh token is about to be sent.
#[derive(Clone)]
pub(crate) struct MarkAttempt {
    pub(crate) redeemed: Secret,
    pub(crate) attempt: Attempt,
    pub(crate) request: MarkedRequest,
}

/// An attempt that counts for nothing.
#[derive(Clone)]
pub(crate) struct Unmark {
    pub(crate) redeemed: Secret,
    /// Which attempt it is.
    pub(crate) id: u64,
    /// Whether its answer shows that the refresh token is good: then those before it count for nothing either.
    pub(crate) is_answered: bool,
    pub(crate) late_write: LateWrite,
}

/// Whether a write of a mark that was given up may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LateWrite {
    Impossible,
    /// As long as the store holds this version, or no record where that is nothing.
    Over(Option<Version>),
}

/// What became of a change over one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The record has changed by it.
    Entered,
    /// The record has changed by it, and what it brought is of no use: a later sign-in counts.
    EnteredAside,
    /// The record says so already.
    Found,
    /// There is nothing that it could change, and there may be again.
    Waits,
    /// The person has signed out, and that counts.
    SignedOut,
    /// Another person is signed in, and only the same one was to be.
    OtherPerson,
    /// Another process was faster, and what it did counts.
    Overtaken,
}

impl Applied {
    /// Whether there is something to write.
    pub(crate) fn is_entered(self) -> bool {
        matches!(self, Self::Entered | Self::EnteredAside)
    }

    /// Whether something else counts in its place.
    pub(crate) fn has_given_way(self) -> bool {
        matches!(self, Self::EnteredAside | Self::Overtaken)
    }

    /// Whether it may come to something later.
    pub(crate) fn stays_pending(self) -> bool {
        self.is_entered() || self == Self::Waits
    }
}

/// What a change is applied to.
pub(crate) struct Target<'a> {
    /// The version of the record that was loaded.
    pub(crate) version: Option<Version>,
    pub(crate) now: Moment,
    /// Refresh tokens that are of no use to anyone any more.
    pub(crate) to_revoke: &'a mut Vec<Secret>,
}

impl Target<'_> {
    /// There is no record. It may come back as it was, as on a share that was not mounted: then what belongs into it
    /// enters, whatever stands in its place until then.
    pub(super) fn is_gone(&self) -> bool {
        self.version.is_none()
    }
}

impl Change {
    /// Makes `session` what it is with this change, if the change still counts.
    pub(crate) fn apply(
        &mut self,
        session: &mut Option<Session>,
        target: &mut Target<'_>,
    ) -> Applied {
        match self {
            Self::SignIn(sign_in) => sign_in.apply(session, target),
            Self::SignOut(sign_out) => sign_out.apply(session, target),
            Self::Mark(mark) => mark.apply(session),
            Self::Unmark(unmark) => unmark.apply(session, target),
            Self::Rotation(rotation) => rotation.apply(session, target),
            Self::End { refused } => end(refused, session, target),
        }
    }

    /// Whether `record` shows that it has entered, whatever else is pending.
    pub(crate) fn has_entered(&self, record: Option<&Session>) -> bool {
        match self {
            Self::SignIn(sign_in) => record.is_some_and(|record| sign_in.has_entered(record)),
            _ => false,
        }
    }

    /// The store was asked to take it and has not said yes.
    pub(crate) fn may_have_entered(&mut self) {
        if let Self::SignIn(sign_in) = self {
            sign_in.may_have_entered();
        }
    }

    /// The refresh tokens that it holds and no record does: a sign-out has to revoke them as well.
    pub(crate) fn refresh_tokens(&self) -> impl Iterator<Item = &Secret> {
        match self {
            Self::SignIn(sign_in) => sign_in.refresh_token(),
            Self::Rotation(rotation) => rotation.rotated.as_ref(),
            Self::SignOut(_) | Self::Mark(_) | Self::Unmark(_) | Self::End { .. } => None,
        }
        .into_iter()
    }
}

impl SignOut {
    fn apply(&self, session: &mut Option<Session>, target: &mut Target<'_>) -> Applied {
        let Some(found) = session else {
            // A record that is gone may come back, as on a share that was not mounted: then it must find this.
            let last = self.ends.last().copied().unwrap_or_default();
            *session = Some(Session::tombstone(last, self.since));
            took(Transition::SignOutOverNothing);
            return Applied::Entered;
        };
        let Some(signed_in) = &found.signed_in else {
            if found.since >= self.since {
                took(Transition::SignOutFound);
                return Applied::Found;
            }
            // The later one counts against sign-ins that no store has taken yet.
            found.since = self.since;
            took(Transition::SignOutOverTombstone);
            return Applied::Entered;
        };
        let is_its_own = self.ends.contains(&found.sign_in) || !holds(Rule::SignOutEndsItsOwn);
        if !is_its_own {
            let parts = signed_in.tokens_of(&self.ends);
            return end_parts(parts, session, target);
        }
        let tokens = signed_in.refresh_tokens().cloned();
        target.to_revoke.extend(tokens);
        let since = self.since.max(found.since + 1);
        *found = Session::tombstone(found.sign_in, since);
        took(Transition::SignOutEntered);
        Applied::Entered
    }
}

/// Another sign-in is in force, and keeps families of the ones that a sign-out ends.
fn end_parts(
    parts: Vec<Secret>,
    session: &mut Option<Session>,
    target: &mut Target<'_>,
) -> Applied {
    let signed_in = session.as_mut().and_then(|found| found.signed_in.as_mut());
    let Some(signed_in) = signed_in.filter(|_| !parts.is_empty()) else {
        took(Transition::SignOutOvertaken);
        return Applied::Overtaken;
    };
    for token in parts {
        signed_in.end_family(&token);
        target.to_revoke.push(token);
    }
    took(Transition::SignOutOfParts);
    Applied::Entered
}

impl MarkAttempt {
    fn apply(&self, session: &mut Option<Session>) -> Applied {
        let Some(family) = family_of(session, &self.redeemed) else {
            return Applied::Overtaken;
        };
        let none = || Mark {
            attempts: Vec::new(),
            request: Some(self.request.clone()),
        };
        family.mark.get_or_insert_with(none).add(self.attempt);
        Applied::Entered
    }
}

impl Unmark {
    fn apply(&self, session: &mut Option<Session>, target: &Target<'_>) -> Applied {
        let marked = family_of(session, &self.redeemed)
            .filter(|family| family.mark.as_ref().is_some_and(|mark| mark.has(self.id)));
        let may_still_come = self.late_write == LateWrite::Over(target.version);
        match marked {
            Some(family) => {
                if self.is_answered {
                    family.settle(self.id);
                } else {
                    family.unmark(self.id);
                }
                took(Transition::UnmarkEntered);
                Applied::Entered
            }
            None if may_still_come => {
                took(Transition::UnmarkWaits);
                Applied::Waits
            }
            None if target.is_gone() => {
                took(Transition::RecordGone);
                Applied::Waits
            }
            None => {
                took(Transition::UnmarkOvertaken);
                Applied::Overtaken
            }
        }
    }
}

fn end(refused: &Secret, session: &mut Option<Session>, target: &Target<'_>) -> Applied {
    let signed_in = session.as_mut().and_then(|found| found.signed_in.as_mut());
    let holds_it = |it: &&mut SignedIn| {
        let mut families = it.families.iter();
        families.any(|it| it.holds(refused) || !holds(Rule::EndOnlyTheRefused))
    };
    let Some(signed_in) = signed_in.filter(holds_it) else {
        if target.is_gone() {
            took(Transition::RecordGone);
            return Applied::Waits;
        }
        took(Transition::EndOvertaken);
        return Applied::Overtaken;
    };
    signed_in.end_family(refused);
    took(Transition::EndEntered);
    Applied::Entered
}

fn family_of<'a>(
    session: &'a mut Option<Session>,
    refresh_token: &Secret,
) -> Option<&'a mut Family> {
    let signed_in = session.as_mut()?.signed_in.as_mut()?;
    signed_in.family_of(refresh_token)
}

pub(super) fn is_same(one: &Secret, other: &Secret) -> bool {
    one.expose() == other.expose()
}
