//! What has to be found at the end of a schedule, when nothing is wrong any more.

use super::yielding::is_owed;
use crate::session::simulation::{
    AUDIENCES,
    executor::{Instant, ProcessId},
    issuer::Told,
    people::{Expected, SignInEnd},
    scenario::NEWER,
    world::{State, World},
};

/// Nothing is under way.
pub(crate) fn check_calm(world: &World) {
    let violation = world.with(|state| {
        let open = state.calls.all();
        (!open.is_empty()).then(|| format!("{} calls are open at the end", open.len()))
    });
    if let Some(what) = violation {
        world.violate(what);
    }
}

/// The audiences for which a session has to yield a token.
pub(crate) fn audiences(state: &State, session: usize) -> Vec<&'static str> {
    let own = AUDIENCES.iter().copied();
    own.filter(|audience| owes(state, session, audience).is_some())
        .collect()
}

/// The sign-in that has to yield a token for an audience, if its family can.
fn owes(state: &State, session: usize, audience: &str) -> Option<usize> {
    let Expected::SignedIn(sign_ins) = state.people.expected(session) else {
        return None;
    };
    let serves = |sign_in: &&usize| {
        let sign_in = &state.people.sign_ins[**sign_in];
        sign_in.family.is_some() && sign_in.audiences.iter().any(|one| one == audience)
    };
    sign_ins.iter().rfind(serves).copied()
}

/// A session that has to yield a token has done so, if its family lives still.
pub(crate) fn check_yields(
    world: &World,
    process: ProcessId,
    (session, audience): (usize, &str),
    before: usize,
) {
    let wrong = world.with(|state| {
        let has_yielded = state.people.handed_out.len() > before;
        let sign_in = owes(state, session, audience)?;
        let is_wrong = !has_yielded && is_owed(world, state, process, sign_in);
        is_wrong.then(|| format!("s{session} yields no token for {audience} in the end"))
    });
    if let Some(what) = wrong {
        world.violate(what);
    }
}

/// The last sign-in is kept: nothing was wrong.
pub(crate) fn check_signed_in(world: &World) {
    let how = world.with(|state| {
        let last = state.people.sign_ins.last();
        last.and_then(|last| last.ended).map(|(_, how)| how)
    });
    if how != Some(SignInEnd::Kept) {
        world.violate(format!("a person cannot sign in any more: {how:?}"));
    }
}

/// What was signed out of is revoked, where nothing was lost on the way.
pub(crate) fn check(world: &World) {
    let wrong = world.with(|state| {
        if state.people.has_to_be_left(0) {
            let kept = state.shelf.kept(0);
            let is_left = kept.is_some_and(|kept| kept.record.as_bytes() == NEWER.as_bytes());
            return (!is_left).then(|| "a newer version's record was written over".to_owned());
        }
        let mut all = 0..state.families.all.len();
        let alive = all.find(|number| has_to_be_revoked(world, state, *number));
        alive.map(|number| format!("family {number} was signed out of, and is alive"))
    });
    if let Some(what) = wrong {
        world.violate(what);
    }
}

/// So many sign-ins after it a record surely remembers a refresh token that it holds no more.
const REMEMBERED: usize = 7;

fn has_to_be_revoked(world: &World, state: &State, number: usize) -> bool {
    let family = &state.families.all[number];
    let sign_in = &state.people.sign_ins[family.sign_in];
    let Some((signed_in, SignInEnd::Kept)) = sign_in.ended else {
        return false;
    };
    let mut sign_outs = state.people.sign_outs.iter();
    // Whichever comes first has to revoke it.
    let first = sign_outs.find(|one| one.session == family.session && one.began >= signed_in);
    let is_signed_out = first.is_some_and(|sign_out| {
        let is_done = sign_out.ended.is_some_and(|(_, is_done)| is_done);
        let is_later = sign_out.began > signed_in;
        // Of two at one time one has the refresh tokens.
        let mut all = state.people.sign_outs.iter();
        let is_dead = all.any(|one| {
            let was_over = one.ended.is_some_and(|(ended, _)| ended < signed_in);
            let is_beside = one.session == family.session && !was_over;
            is_beside && state.is_dead(one.process)
        });
        is_later && is_done && !sign_out.was_lied_to && !is_dead
    });
    // A sign-in at the same time may have replaced it: then the next sign-out has to, if there is one.
    let ended = first.and_then(|sign_out| Some((sign_out.began, sign_out.ended?.0)));
    let mut others = state.people.sign_ins.iter().enumerate();
    let is_beside = others.any(|(other, one)| {
        let is_other = one.session == family.session && other != family.sign_in;
        let overlaps = |(began, ended): (Instant, Instant)| {
            one.began <= ended && one.ended.is_none_or(|(at, _)| at >= began)
        };
        is_other && ended.is_some_and(overlaps)
    });
    // What came before the sign-out was written may have pushed it out; else all that came since.
    let last = ended.map(|(_, ended)| ended).filter(|_| !is_beside);
    let current = family.current(number);
    let kept = state.shelf.kept(family.session);
    let is_left = kept.is_some_and(|kept| kept.mentions.refresh.contains(&current));
    // A record remembers eight that were replaced: those before end by the issuer's own time limit. One that its store
    // did not take at once comes late, and may come twice: as it was, and as it was rotated meanwhile.
    let sign_ins = state.people.sign_ins.iter().enumerate();
    let replacing = sign_ins.filter(|(other, one)| {
        let is_between = last.is_none_or(|last| one.began < last);
        one.session == family.session && *other != family.sign_in && is_between
    });
    let times = replacing.map(|(_, one)| {
        let is_kept = one.ended.is_some_and(|(_, how)| how == SignInEnd::Kept);
        usize::from(one.began >= sign_in.began) + usize::from(!is_kept)
    });
    let is_remembered = times.sum::<usize>() <= REMEMBERED;
    // The good one was told to a process that could still revoke it.
    let attempts = state
        .families
        .attempts
        .iter()
        .filter(|attempt| attempt.name.family == number);
    let mut tells = attempts.clone().filter(
        |attempt| matches!(attempt.told, Some((_, Told::Tokens(Some(next)))) if next == current),
    );
    let is_known = family.current == 0 || tells.any(|attempt| !state.is_dead(attempt.process));
    let was_lost = state.shelf.place(family.session).lost_at.is_some()
        || state.families.unrevoked.contains(&number)
        || family.is_mixed_up;
    // Replaced ones are left out of a record that has no room for them.
    let has_room = world.settings.record_limit > 1 << 16;
    let is_owed = is_signed_out && is_known && is_remembered && !is_left;
    family.death.is_none() && is_owed && !was_lost && has_room
}
