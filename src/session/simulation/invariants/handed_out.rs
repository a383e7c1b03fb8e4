//! What is handed out: the right person's, for the right API, not ended, and of no sign-in that is over.

use crate::{
    session::simulation::{
        executor::{Instant, ProcessId},
        invariants::causes::{is_misdated, why_unkept},
        issuer::{Access, Told},
        people::{SignIn, SignInEnd},
        tokens::access_number,
        world::{State, World},
    },
    time::Moment,
};

/// A token that a process has handed out.
pub(crate) struct HandedOut<'a> {
    pub(crate) process: ProcessId,
    pub(crate) session: usize,
    pub(crate) audience: &'a str,
    pub(crate) access_token: &'a str,
    pub(crate) requested_at: Moment,
    pub(crate) lifetime: std::time::Duration,
}

/// Looks at a token that is handed out now.
pub(crate) fn check(world: &World, handed_out: &HandedOut<'_>) {
    let clocks = world.executor.clocks(handed_out.process);
    let now = world.now();
    let wrong = world.with(|state| {
        let Some(number) = access_number(handed_out.access_token) else {
            return Some("a token is handed out that no issuer gave".to_owned());
        };
        let what = |wrong: String| format!("at-{number} {wrong}");
        let access = &state.families.access[number];
        // Who was not named at the sign-in cannot be told from another.
        let is_named = state.people.sign_ins[state.families.sign_in_of(access)].is_named;
        let outcome = is_the_right_one(access, is_named, handed_out)
            .and_then(|()| is_kept(world, state, access))
            .and_then(|()| is_not_over(world, state, (number, handed_out), now));
        let aged = has_not_ended(state, number, handed_out, clocks);
        outcome.and(aged).err().map(what)
    });
    if let Some(wrong) = wrong {
        world.violate(wrong);
    }
}

fn is_the_right_one(
    access: &Access,
    is_named: bool,
    handed_out: &HandedOut<'_>,
) -> Result<(), String> {
    if access.session != handed_out.session {
        return Err(format!(
            "is of s{} and handed out for s{}",
            access.session, handed_out.session
        ));
    }
    if access.audience != handed_out.audience {
        return Err(format!(
            "is for {} and handed out for {}",
            access.audience, handed_out.audience
        ));
    }
    if access.is_mixed_up && is_named {
        return Err("is of a person who was never in this session".to_owned());
    }
    Ok(())
}

/// The refresh token that came with it is in the store, unless the store would not have it.
fn is_kept(world: &World, state: &State, access: &Access) -> Result<(), String> {
    let Some((attempt, _)) = access.redemption else {
        return Ok(());
    };
    let sent = &state.families.attempts[attempt];
    let Some((told, Told::Tokens(Some(next)))) = sent.told else {
        return Ok(());
    };
    if state.shelf.first_kept(next).is_some() {
        return Ok(());
    }
    let why = why_unkept(&world.executor, state, sent.process, (access.session, told));
    let was_lost = state
        .shelf
        .place(access.session)
        .lost_at
        .is_some_and(|lost| lost >= sent.sent);
    if why.is_none() && !was_lost {
        return Err(format!("is handed out before {next} is kept"));
    }
    Ok(())
}

/// It has not reached its end, as this process has seen that until now.
fn has_not_ended(
    state: &mut State,
    number: usize,
    handed_out: &HandedOut<'_>,
    clocks: Moment,
) -> Result<(), String> {
    let end = handed_out.requested_at.plus(handed_out.lifetime);
    let ends = state
        .people
        .ends
        .entry((handed_out.process, number))
        .or_default();
    ends.push(end);
    if ends.iter().any(|end| clocks.has_reached(*end)) {
        return Err("is handed out after its end".to_owned());
    }
    Ok(())
}

/// The person has not signed out of it, and no other sign-in has come in its place, as far as this process has to
/// know.
fn is_not_over(
    world: &World,
    state: &State,
    (number, handed_out): (usize, &HandedOut<'_>),
    now: Instant,
) -> Result<(), String> {
    let access = &state.families.access[number];
    let sign_in = state.families.sign_in_of(access);
    let own = &state.people.sign_ins[sign_in];
    let Some((signed_in, how)) = own.ended else {
        return Ok(());
    };
    let was_kept = how == SignInEnd::Kept;
    let (process, session) = (handed_out.process, handed_out.session);
    let load = state.people.last_load(process, session).cloned();
    let lost_at = state.shelf.place(session).lost_at;
    // What it knows since then: it did it itself, or has loaded since.
    let has_known = |by: ProcessId, (began, ended): (Instant, Instant), is_done: bool| {
        let is_lie = load.as_ref().is_some_and(|load| load.is_lie);
        let is_own = by == process && ended < now && !stopped(world, process, ended) && !is_lie;
        let is_lost = lost_at.is_some_and(|lost| lost >= began);
        let has_loaded = load.as_ref().is_some_and(|load| {
            let is_later = load.begun > ended && load.delivered < now;
            is_later && !load.is_lie && !stopped(world, process, load.begun)
        });
        !is_lost && (is_own || (is_done && has_loaded))
    };
    let is_misdated = is_misdated(world, state, session);
    for sign_out in &state.people.sign_outs {
        let Some((ended, is_done)) = sign_out.ended else {
            continue;
        };
        let is_later = sign_out.session == session && sign_out.began > signed_in;
        let was_known = own
            .family
            .is_some_and(|family| sign_out.known.contains(&family));
        // What stood nowhere but in another process was not what they signed out of.
        let was_there = was_kept || own.process == sign_out.process;
        let was_told = was_known || (was_there && !sign_out.was_lied_to);
        // One that failed ends with the next sign-in, which it must not end.
        let is_over =
            !is_done && (!was_known || state.people.has_signed_in_since(session, sign_out.began));
        if is_later
            && was_told
            && !is_over
            && !is_misdated
            && has_known(sign_out.process, (sign_out.began, ended), is_done)
        {
            return Err(format!(
                "is handed out by p{} after a sign-out of p{}",
                process.number(),
                sign_out.process.number()
            ));
        }
    }
    let contested = |one: &SignIn| {
        let mut others = state.people.sign_ins.iter();
        others.any(|other| {
            let is_later = other.ended.is_none_or(|(at, _)| at > signed_in);
            other.session == session && other.process != one.process && is_later
        })
    };
    let mut later = state.people.sign_ins.iter();
    let replaced = !is_misdated
        && later.any(|one| {
            let ended = one
                .ended
                .filter(|_| one.session == session && one.began > signed_in);
            ended.is_some_and(|(ended, how)| {
                let knew = own.family.is_some_and(|family| one.known.contains(&family));
                // Of two that the store did not take, the one that it takes first counts.
                let counts = how == SignInEnd::Kept
                    || (how == SignInEnd::OnlyHere && was_kept && knew && !contested(one));
                // Of two at one time either may count.
                let overlaps = |other: &SignIn| {
                    let is_before = other.began <= ended;
                    is_before && other.ended.is_none_or(|(at, _)| at >= one.began)
                };
                let is_alone = state.people.sign_ins.iter().all(|other| {
                    std::ptr::eq(other, one) || other.session != session || !overlaps(other)
                });
                // Over another person's session it comes to nothing, once that is read.
                let is_refused = one.same_person && one.person != own.person;
                counts
                    && !is_refused
                    && is_alone
                    && replaces(one, own, access)
                    && has_known(one.process, (one.began, ended), how == SignInEnd::Kept)
            })
        });
    if replaced {
        return Err(format!(
            "is handed out by p{} although a sign-in has replaced it",
            process.number()
        ));
    }
    Ok(())
}

/// Whether a later sign-in takes the place of this token: another person's of any, the same person's of
/// those that were given out before for the API that it is for.
fn replaces(later: &SignIn, own: &SignIn, access: &Access) -> bool {
    let is_other = later.person != own.person;
    let is_same_api = later.audiences.first() == Some(&access.audience);
    is_other || (is_same_api && access.issued < later.began)
}

/// Whether it may have been decided before that: its process stood still in between.
fn stopped(world: &World, process: ProcessId, since: Instant) -> bool {
    world.executor.has_stopped_since(process, since)
}
