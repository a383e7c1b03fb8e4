//! Why a redemption may come twice, and why a family may end: what no client could have prevented, by name.

use crate::session::simulation::{
    executor::{Executor, Instant, ProcessId},
    issuer::{Attempt, Told},
    people::SignInEnd,
    world::{State, World},
};

/// What excuses that a refresh token is sent again, or that its family has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// The issuer has done its part, and its answer did not arrive.
    AnswerLost,
    /// The answer arrived in a process that was killed before the store had it.
    HolderKilled,
    /// The answer arrived, and the store did not take it.
    StoreRefused,
    /// A lease ran out under a process that stood still after it had asked for it.
    LeaseLost,
    /// The store lost what it had said yes to.
    StoreLost,
    /// A request arrived after the one that repeated it.
    Overtaken,
    /// A gateway said that nothing was done, and it was.
    GatewayLied,
    /// It was signed out of, or another sign-in came in its place.
    Ended,
    /// The issuer ended it by itself.
    IssuerEnded,
}

/// What an earlier attempt means for one that is sent now, with the same refresh token.
pub(crate) enum Earlier {
    /// It counts for nothing: it was surely not redeemed.
    Nothing,
    /// It was answered, and its refresh token stays: all before it counts for nothing.
    Stays,
    /// Its outcome could not be known.
    Uncertain(Cause),
    /// There is no reason to send the token again.
    Wrong(String),
}

/// What `earlier` means for a redemption of the same token by `process` at `now`.
pub(crate) fn earlier(
    world: &World,
    state: &State,
    earlier: &Attempt,
    (process, now): (ProcessId, Instant),
) -> Earlier {
    let executor = &world.executor;
    let session = state.families.all[earlier.name.family].session;
    let has_lost_lease = |process| has_lost_lease(executor, state, process, earlier, now);
    match earlier.told {
        Some((_, Told::NotRedeemed | Told::Refused)) => Earlier::Nothing,
        Some((_, Told::Tokens(None))) => Earlier::Stays,
        Some((_, Told::Unknown)) => Earlier::Uncertain(Cause::AnswerLost),
        None if earlier.given_up.is_some() || state.is_dead(earlier.process) => {
            Earlier::Uncertain(Cause::AnswerLost)
        }
        None if has_lost_lease(earlier.process) || has_lost_lease(process) => {
            Earlier::Uncertain(Cause::LeaseLost)
        }
        None => Earlier::Wrong(format!(
            "{} is redeemed by p{} while p{} redeems it",
            earlier.name,
            process.number(),
            earlier.process.number()
        )),
        Some((told, Told::Tokens(Some(next)))) => {
            let lost_at = state.shelf.place(session).lost_at;
            // What came into the store after this process has read it is not known to it.
            let load = state.people.last_load(process, session);
            let read = load.map_or(now, |load| load.delivered);
            // Nor what another one wrote, late, once it had the lock.
            let audience = &earlier.request.audience;
            let lock = state.locks.last_of(process, session, audience);
            let read = lock.map_or(read, |lock| read.min(lock.taken));
            let kept = state.shelf.first_kept(next).filter(|kept| *kept <= read);
            // Where the share looks empty a process goes by its own sign-in, which may have entered without its
            // knowing: what came of it since it cannot know.
            let was_lied_to = load.is_some_and(|load| load.is_lie)
                && !state.people.has_read(process, next)
                && earlier.process != process;
            if was_lied_to || lost_at.is_some_and(|lost| lost >= kept.unwrap_or(told)) {
                return Earlier::Uncertain(Cause::StoreLost);
            }
            if has_lost_lease(earlier.process) || has_lost_lease(process) {
                return Earlier::Uncertain(Cause::LeaseLost);
            }
            if earlier.process == process {
                return Earlier::Wrong(format!(
                    "{} is redeemed by p{}, which has {next}",
                    earlier.name,
                    process.number()
                ));
            }
            if kept.is_some() {
                return Earlier::Wrong(format!(
                    "{} is redeemed although the store has {next}",
                    earlier.name
                ));
            }
            why_unkept(executor, state, earlier.process, (session, told)).map_or_else(
                || Earlier::Wrong(format!("{} is redeemed although p{} has {next}, and nothing kept it from saving that", earlier.name, earlier.process.number())),
                Earlier::Uncertain,
            )
        }
    }
}

/// Whether the clocks decide about this session, and differ: between a sign-in that the store has not taken
/// and what its process has not seen nothing else can.
pub(crate) fn is_misdated(world: &World, state: &State, session: usize) -> bool {
    let mut sign_ins = state.people.sign_ins.iter();
    let is_dated = sign_ins.any(|one| {
        let is_kept = one.ended.is_some_and(|(_, how)| how == SignInEnd::Kept);
        one.session == session && !is_kept
    });
    is_dated && !world.executor.clock_spread().is_zero()
}

/// What kept a process from saving what it was told then.
pub(crate) fn why_unkept(
    executor: &Executor,
    state: &State,
    process: ProcessId,
    (session, told): (usize, Instant),
) -> Option<Cause> {
    let facts = state.processes.get(&process)?;
    if state.people.signs_out(process, session) {
        return Some(Cause::Ended);
    }
    let has_closed = facts.closed_at.is_some_and(|closed| closed >= told);
    if facts.killed_at.is_some() && !has_closed {
        return Some(Cause::HolderKilled);
    }
    let hindered = facts.hindered_at.get(&session);
    let was_away = state.shelf.away_until.is_some_and(|until| until >= told);
    // What takes long because the process stands still is given up like other trouble.
    let has_stopped = executor.has_stopped_since(process, told);
    let is_hindered = was_away || has_stopped || hindered.is_some_and(|at| *at >= told);
    is_hindered.then_some(Cause::StoreRefused)
}

/// Whether `sent` comes from a process that stood still after it had asked whether its lock is held.
pub(crate) fn is_without_lock(world: &World, state: &State, sent: &Attempt) -> bool {
    has_lost_lease(&world.executor, state, sent.process, sent, sent.sent)
}

/// Whether the lock under which `process` redeems ran out while it stood still after it had asked.
fn has_lost_lease(
    executor: &Executor,
    state: &State,
    process: ProcessId,
    attempt: &Attempt,
    now: Instant,
) -> bool {
    let session = state.families.all[attempt.name.family].session;
    let lock = state
        .locks
        .last_of(process, session, &attempt.request.audience);
    let Some(lock) = lock.filter(|lock| lock.has_run_out(now)) else {
        return false;
    };
    let checked = lock.checked;
    checked.is_some_and(|checked| executor.has_stopped_since(process, checked))
}
