//! What this process knows of one session: what was last seen, and what the store has not taken.
//!
//! Pure: no I/O, nothing async, and the time is an argument. What the session *is* for this process is
//! never stored: it is the record that was loaded with the pending changes applied to it, every time.

use std::sync::Arc;

use super::{
    access_tokens::AccessTokens,
    change::{Applied, Change, SignOut, Target, is_same},
    loaded::{Current, Loaded},
    record::{Session, SignInId},
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{secret::Secret, store::Version, time::Moment};

/// What this process knows of one session.
///
/// - A change is pending until a record that was read after it shows that it has entered, or that it counts no more.
/// - Each sign-in that this process has read or made is in `sign_ins`, in whatever order the store's answers came:
///   what a person does here comes after them, and is dated after `since`.
/// - Tokens are handed out of the sign-in that was seen last, and of none while it is in doubt which that is.
#[derive(Default)]
pub(crate) struct State {
    /// What the store has not taken, the oldest first.
    pending: Vec<Pending>,
    /// The record that they are pending over: it counts while the store cannot be read.
    base: Option<Arc<Loaded>>,
    numbers: u64,
    seen: Seen,
    /// The sign-ins that were seen in force, the last one last: what a person does here comes after them,
    /// whichever of them a store shows later.
    sign_ins: Vec<SignInId>,
    /// When the last of what was seen happened, as [`Session::since`].
    since: u64,
    /// The sign-in whose tokens this process has handed out.
    serving: Option<SignInId>,
    /// What is known of access tokens that no record says.
    pub(super) access_tokens: AccessTokens,
    revocations: Revocations,
}

struct Pending {
    number: u64,
    change: Change,
}

/// What was last seen, here or in the store.
#[derive(Default)]
struct Seen {
    in_force: SignInId,
    /// The version of the record; nothing if there was none, or if nothing was seen yet.
    version: Option<Version>,
    /// How often something was seen: a load that took long tells nothing new.
    count: u64,
    at: Option<Moment>,
    /// Whether something else was read since, and which of both is newer is not known yet.
    is_in_doubt: bool,
}

/// Refresh tokens that are of no use any more.
#[derive(Default)]
struct Revocations {
    /// Those that are to be revoked.
    queued: Vec<Secret>,
    /// Those that were queued while something is pending: a sign-out meets them each time that it is applied.
    known: Vec<Secret>,
}

impl Revocations {
    /// Each is revoked once.
    fn queue(&mut self, tokens: Vec<Secret>) {
        for token in tokens {
            if !self.known.iter().any(|known| is_same(known, &token)) {
                self.known.push(token.clone());
                self.queued.push(token);
            }
        }
    }
}

impl Pending {
    fn sign_in(&self) -> Option<SignInId> {
        match &self.change {
            Change::SignIn(sign_in) => Some(sign_in.id),
            _ => None,
        }
    }
}

impl State {
    /// The session that `loaded` is with the pending changes. Those that count no more are dropped.
    pub(crate) fn current(&mut self, loaded: &Loaded, now: Moment) -> Current {
        let mut current = Current {
            session: loaded.session.clone(),
            ahead: Vec::new(),
        };
        let (mut to_revoke, mut of_later) = (Vec::new(), Vec::new());
        self.pending
            .retain(|pending| !has_entered(&pending.change, loaded));
        let last = self.pending.last().map(|pending| pending.number);
        self.pending.retain_mut(|pending| {
            // Over nothing a sign-out has nothing to say of what came after it.
            let is_sign_out = matches!(pending.change, Change::SignOut(_));
            if is_sign_out && current.session.is_none() && Some(pending.number) != last {
                return true;
            }
            // What came after the record was read is applied for now, and judged by a newer one. That the person
            // has signed out is no judgement: their tokens are of no use whichever record they stand in.
            let is_later = pending.number > loaded.changes || !loaded.is_read;
            let is_tentative = is_later && !is_sign_out;
            let mut later = is_tentative.then(|| pending.change.clone());
            let mut target = Target {
                version: loaded.version,
                now,
                to_revoke: if is_tentative {
                    &mut of_later
                } else {
                    &mut to_revoke
                },
            };
            let change = later.as_mut().unwrap_or(&mut pending.change);
            let applied = change.apply(&mut current.session, &mut target);
            if applied.is_entered() {
                current.ahead.push(pending.number);
            }
            applied.stays_pending() || is_later
        });
        self.revocations.queue(to_revoke);
        if self.pending.is_empty() {
            self.base = None;
            self.revocations.known.clear();
        }
        current
    }

    /// The session as it is now with `change`, and what became of that; in one step, since what is pending must
    /// not change in between.
    pub(crate) fn current_with(
        &mut self,
        change: &mut Change,
        loaded: &Loaded,
        now: Moment,
    ) -> (Current, Applied) {
        let mut current = self.current(loaded, now);
        if has_entered(change, loaded) {
            return (current, Applied::Found);
        }
        let mut to_revoke = Vec::new();
        let mut target = Target {
            version: loaded.version,
            now,
            to_revoke: &mut to_revoke,
        };
        let applied = change.apply(&mut current.session, &mut target);
        self.revocations.queue(to_revoke);
        (current, applied)
    }

    /// The store has not taken `change`: it counts here all the same.
    pub(crate) fn hold_pending(&mut self, change: Change, base: &Arc<Loaded>, now: Moment) {
        if !holds(Rule::KeepPending) {
            return;
        }
        self.push(change);
        // What another call has seen since is newer: it may be that the person has signed out.
        let is_last_seen = base.version == self.seen.version;
        if is_last_seen || !base.is_read {
            self.base = Some(Arc::clone(base));
            let current = self.current(base, now);
            self.note(base.version, current.session.as_ref(), now);
        } else {
            self.seen.is_in_doubt = true;
        }
    }

    fn push(&mut self, mut change: Change) {
        // What this process has done before comes before it.
        match &mut change {
            Change::SignIn(sign_in) => {
                let earlier = self.pending.iter();
                sign_in.after.extend(earlier.filter_map(Pending::sign_in));
                sign_in.comes_after(self.since);
                self.since = sign_in.since();
                self.saw_sign_in(sign_in.id);
            }
            Change::SignOut(sign_out) => self.since = sign_out.since,
            _ => {}
        }
        self.numbers += 1;
        let number = self.numbers;
        self.pending.push(Pending { number, change });
    }

    /// The store has taken these changes, as a part of `loaded`, by a save that began at `count` and replaced
    /// this version.
    pub(crate) fn saved(
        &mut self,
        taken: &[u64],
        (count, replaced): (u64, Option<Version>),
        loaded: &Arc<Loaded>,
        now: Moment,
    ) {
        self.pending
            .retain(|pending| !taken.contains(&pending.number));
        // What was seen meanwhile is older, if it is what the save has replaced.
        let is_replaced = self.seen.version == replaced;
        let count = if is_replaced { self.seen.count } else { count };
        let _is_last = self.saw(count, loaded, now);
    }

    /// As [`sign_out`](Self::sign_out), if anything was seen to sign out of: a stranger's name leaves nothing.
    pub(crate) fn sign_out_of_seen(&mut self, now: Moment) {
        if !self.sign_ins.is_empty() {
            self.sign_out(now);
        }
    }

    /// The person signs out of all that was seen: from now on nothing of it is handed out.
    ///
    /// The refresh tokens that no record holds are to be revoked.
    pub(crate) fn sign_out(&mut self, now: Moment) {
        self.serving = None;
        let ends = self.sign_ins.clone();
        let is_pending = self
            .pending
            .iter()
            .any(|pending| matches!(&pending.change, Change::SignOut(known) if known.ends == ends));
        if is_pending || !holds(Rule::SignOutCountsAtOnce) {
            return;
        }
        let known = self.pending.iter();
        let known = known.flat_map(|pending| pending.change.refresh_tokens());
        let known: Vec<Secret> = known.cloned().collect();
        self.revocations.queue(known);
        let since = now.wall_milliseconds().max(self.since + 1);
        self.push(Change::SignOut(SignOut { ends, since }));
        self.seen.in_force = SignInId::UNKNOWN;
        self.seen.count += 1;
    }

    /// Whether there is something that the store does not have.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What the pending changes are over, if that is worth more than to know nothing: they bring a sign-in, or
    /// belong to one. That the person has signed out says nothing of who may have signed in since.
    pub(crate) fn base(&self) -> Option<Arc<Loaded>> {
        let is_signed_in = self.base.as_ref()?.signed_in().is_some();
        let brings = |pending: &Pending| match pending.change {
            Change::SignIn(_) => true,
            Change::Rotation(_) | Change::End { .. } => is_signed_in,
            Change::SignOut(_) | Change::Unmark(_) | Change::Mark(_) => false,
        };
        let is_worth_more = self.pending.iter().any(brings);
        self.base.clone().filter(|_| is_worth_more)
    }

    /// Refresh tokens that are to be revoked; told once.
    pub(crate) fn take_to_revoke(&mut self) -> Vec<Secret> {
        std::mem::take(&mut self.revocations.queued)
    }

    /// The sign-ins that this process has seen in force, pending ones included; the last one last.
    pub(crate) fn seen_sign_ins(&self) -> Vec<SignInId> {
        self.sign_ins.clone()
    }

    /// When the last of what was seen happened, as [`Session::since`].
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// Takes note of a sign-in that is in force.
    pub(crate) fn saw_sign_in(&mut self, sign_in: SignInId) {
        if sign_in == SignInId::UNKNOWN || self.sign_ins.last() == Some(&sign_in) {
            return;
        }
        self.sign_ins.retain(|seen| *seen != sign_in);
        if self.sign_ins.len() >= SIGN_INS {
            self.sign_ins.remove(0);
        }
        self.sign_ins.push(sign_in);
    }

    pub(crate) fn in_force(&self) -> SignInId {
        self.seen.in_force
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.numbers
    }

    /// How often the session was seen, to be told to [`saw`](Self::saw).
    pub(crate) fn seen_count(&self) -> u64 {
        self.seen.count
    }

    /// Takes note of what a load or a save that began at `count` has found; whether nothing else was seen
    /// since then.
    pub(crate) fn saw(&mut self, count: u64, loaded: &Arc<Loaded>, now: Moment) -> bool {
        let is_last = self.seen.count == count;
        if is_last {
            let current = self.current(loaded, now);
            self.note(loaded.version, current.session.as_ref(), now);
            self.base = self.has_pending().then(|| Arc::clone(loaded));
            return true;
        }
        // What is not the last thing that was seen was there all the same.
        self.know(loaded.session.as_ref());
        if loaded.version != self.seen.version {
            self.seen.is_in_doubt = true;
        }
        false
    }

    fn note(&mut self, version: Option<Version>, session: Option<&Session>, now: Moment) {
        let in_force = session.map_or(SignInId::UNKNOWN, Session::in_force);
        // What says nothing new outdates no load that is under way.
        if (self.seen.in_force, self.seen.version) != (in_force, version) {
            self.seen.count += 1;
        }
        (self.seen.in_force, self.seen.version) = (in_force, version);
        self.seen.at = Some(now);
        self.seen.is_in_doubt = false;
        self.know(session);
    }

    /// What a person does here from now on comes after this session and each of its sign-ins.
    fn know(&mut self, session: Option<&Session>) {
        let Some(session) = session else {
            return;
        };
        self.since = self.since.max(session.since);
        let signed_in = session.signed_in.iter();
        for family in signed_in.flat_map(|signed_in| &signed_in.families) {
            self.saw_sign_in(family.sign_in);
        }
        self.saw_sign_in(session.in_force());
    }

    /// When the session was last seen, or looked for.
    pub(crate) fn seen_at(&self) -> Option<Moment> {
        self.seen.at
    }

    /// The store was asked, whatever came of it.
    pub(crate) fn tried_to_load(&mut self, now: Moment) {
        self.seen.at = Some(now);
    }

    /// Whether tokens of `sign_in` may be handed out: it is the one that was last seen.
    pub(crate) fn may_hand_out(&self, sign_in: SignInId) -> bool {
        sign_in == self.seen.in_force && !self.seen.is_in_doubt
    }

    /// Tokens of `sign_in` are handed out from now on; whether those of another one were before.
    pub(crate) fn serve(&mut self, sign_in: SignInId) -> bool {
        let before = self.serving.replace(sign_in);
        before.is_some_and(|before| before != sign_in)
    }

    /// The sign-in whose tokens are handed out.
    pub(crate) fn serving(&self) -> Option<SignInId> {
        self.serving
    }

    /// Nothing is handed out any more; whether something was.
    pub(crate) fn stop_serving(&mut self) -> bool {
        self.serving.take().is_some()
    }
}

/// Whether the record shows that `change` has entered: what is pending beside it may hide that.
fn has_entered(change: &Change, loaded: &Loaded) -> bool {
    let has_entered = change.has_entered(loaded.session.as_ref());
    if has_entered {
        took(Transition::SignInFound);
    }
    has_entered
}

/// So many sign-ins are remembered.
const SIGN_INS: usize = 32;

#[cfg(test)]
mod tests;
