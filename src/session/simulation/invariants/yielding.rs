//! No person is sent to sign in who need not be.

use std::time::Duration;

use super::causes::{is_misdated, why_unkept};
use crate::{
    account::Account,
    error::Error,
    session::simulation::{
        executor::{Instant, ProcessId},
        issuer::{Attempt, Told, subject},
        people::Expected,
        tokens::TokenName,
        weather::Trouble,
        world::{State, World},
    },
};

/// A request for an access token, from its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) process: ProcessId,
    pub(crate) session: usize,
    pub(crate) audience: String,
    pub(crate) began: Instant,
    /// What had changed by then, if nothing was under way.
    pub(crate) quiet_since: Option<u64>,
}

/// Looks at an error that sends the person to sign in.
pub(crate) fn check_refused(world: &World, asking: &Asking, error: &Error) {
    let is_for_person = matches!(
        error,
        Error::Login(_) | Error::Consent(_) | Error::Denied(_)
    );
    if !is_for_person {
        return;
    }
    let wrong = world.with(|state| {
        let is_quiet = asking.quiet_since.is_some()
            && asking.quiet_since == state.people.quiet_since(asking.session);
        let is_away = state.weather.since(Trouble::Away).is_some();
        if !is_quiet || is_away || is_misdated(world, state, asking.session) {
            return None;
        }
        let Expected::SignedIn(sign_ins) = state.people.expected(asking.session) else {
            return None;
        };
        let serves = |sign_in: &&usize| {
            let sign_in = &state.people.sign_ins[**sign_in];
            sign_in.family.is_some() && sign_in.audiences.contains(&asking.audience)
        };
        let sign_in = *sign_ins.iter().rfind(serves)?;
        is_owed(world, state, asking.process, sign_in).then(|| {
            format!(
                "p{} sends the person of s{} to sign in for {}, and need not: {error}",
                asking.process.number(),
                asking.session,
                asking.audience
            )
        })
    });
    if let Some(wrong) = wrong {
        world.violate(wrong);
    }
}

/// Looks at who is said to be signed in.
pub(crate) fn check_account(
    world: &World,
    asking: &Asking,
    outcome: &Result<Option<Account>, Error>,
) {
    let Ok(account) = outcome else {
        return;
    };
    let wrong = world.with(|state| {
        let is_quiet = asking.quiet_since.is_some()
            && asking.quiet_since == state.people.quiet_since(asking.session);
        let is_away = state.weather.since(Trouble::Away).is_some();
        if !is_quiet || is_away || is_misdated(world, state, asking.session) {
            return None;
        }
        let who = || format!("p{} finds s{}", asking.process.number(), asking.session);
        // What its process cannot have read it does not know.
        let load = state.people.last_load(asking.process, asking.session);
        let changed = state.people.changed_at(asking.session);
        let has_read = load.is_some_and(|load| !load.is_lie && Some(load.begun) >= changed);
        // One whose own look has failed says what it knew before, whatever another call has read meanwhile.
        let facts = state.processes.get(&asking.process);
        let hindered = facts.and_then(|facts| facts.hindered_at.get(&asking.session));
        let has_failed = hindered.is_some_and(|at| *at >= asking.began);
        if !has_read || has_failed {
            return None;
        }
        match (state.people.expected(asking.session), account) {
            (Expected::SignedOut, Some(_)) if !state.people.was_given_up(asking.session) => {
                Some(format!("{} signed in, after a sign-out", who()))
            }
            (Expected::SignedIn(_), None) => Some(format!("{} signed out, after a sign-in", who())),
            (Expected::SignedIn(sign_ins), Some(account)) => {
                let last = &state.people.sign_ins[*sign_ins.last()?];
                let is_other = account
                    .subject()
                    .is_some_and(|it| it != subject(last.person));
                is_other.then(|| format!("{} to be another person's", who()))
            }
            _ => None,
        }
    });
    if let Some(wrong) = wrong {
        world.violate(wrong);
    }
}

/// Whether this sign-in has to yield tokens: its family lives, and what was lost of it can be made up for.
pub(crate) fn is_owed(world: &World, state: &State, process: ProcessId, sign_in: usize) -> bool {
    let sign_in = &state.people.sign_ins[sign_in];
    let Some(number) = sign_in.family else {
        return false;
    };
    let family = &state.families.all[number];
    if family.death.is_some() || family.is_mixed_up || family.is_older {
        return false;
    }
    // As this process has read it.
    let load = state.people.last_load(process, sign_in.session);
    let Some(load) = load.filter(|load| !load.is_lie && load.delivered < world.now()) else {
        return false;
    };
    let Some(kept) = load.mentions.as_ref().and_then(|it| it.of(number)) else {
        return sign_in.ended.is_some_and(|(ended, _)| load.begun > ended);
    };
    let lost = lost(world, state, (sign_in.session, kept));
    let grace = world.settings.dialect.refresh_grace.unwrap_or_default();
    let spread = world.executor.clock_spread();
    let is_within_grace = |first: &Instant| world.now().since(*first) + spread <= grace;
    lost.len() < 2 || lost.first().is_some_and(is_within_grace)
}

/// When redemptions of this token that may have been lost were marked, at the earliest: sent without a known outcome,
/// or marked by a process that was killed, or has not yet been able to take its mark back.
fn lost(world: &World, state: &State, (session, name): (usize, TokenName)) -> Vec<Instant> {
    let now = world.now();
    let comes_late = world.settings.troubles.contains(&Trouble::SavesLate);
    let mut lost: Vec<Instant> = Vec::new();
    for attempt in state
        .families
        .attempts
        .iter()
        .filter(|attempt| attempt.name == name)
    {
        match attempt.told {
            Some((_, Told::NotRedeemed | Told::Refused)) => {}
            // As soon as the store has that.
            Some((told, Told::Tokens(None))) if is_settled(world, state, attempt, told) => {
                lost.clear();
            }
            // A process may stand still between the two.
            _ => lost.push(
                world
                    .executor
                    .ran_since(attempt.process, ON_ITS_WAY, attempt.sent),
            ),
        }
    }
    let kept = state.shelf.first_kept(name).unwrap_or_default();
    let told = state.families.told(name).unwrap_or(kept);
    let kept_since = kept.min(told);
    for (process, facts) in &state.processes {
        let attempts = state.families.attempts.iter();
        let own = attempts.filter(|one| one.process == *process && one.name == name);
        let last_sent = own.map(|attempt| attempt.sent).max().unwrap_or(kept_since);
        let has_marked = facts
            .saves_begun
            .get(&session)
            .is_some_and(|begun| *begun >= last_sent);
        let closed = facts.closed_at.unwrap_or_default();
        let hindered = facts.hindered_at.get(&session);
        let is_hindered =
            hindered.is_some_and(|at| *at >= kept_since && (*at >= closed || comes_late));
        // What takes long because the process stands still is given up like other trouble.
        let has_stopped = world.executor.has_stopped_since(*process, last_sent);
        let has_lost_lock = state
            .locks
            .has_run_out(*process, session, (kept_since, now));
        let is_excused = facts.killed_at.is_some() || is_hindered || has_stopped || has_lost_lock;
        if has_marked && is_excused {
            // Each may have left several.
            lost.extend([last_sent; 2]);
        }
    }
    lost.sort_unstable();
    lost
}

/// Whether the mark of an attempt has surely been taken back since its process was told that the token stays.
fn is_settled(world: &World, state: &State, attempt: &Attempt, told: Instant) -> bool {
    let session = state.families.all[attempt.name.family].session;
    let facts = state.processes.get(&attempt.process);
    let has_closed = facts.is_some_and(|facts| facts.closed_at.is_some_and(|at| at >= told));
    has_closed || why_unkept(&world.executor, state, attempt.process, (session, told)).is_none()
}

/// How long after its mark a redemption may be sent.
const ON_ITS_WAY: Duration = Duration::from_secs(25);
