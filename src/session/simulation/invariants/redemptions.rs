//! Each refresh token is redeemed once; again only as promised; and a family ends for a reason that has a
//! name.

use super::causes::{Cause, Earlier, earlier, is_misdated, is_without_lock};
use crate::{
    secret::Secret,
    session::{
        record::Session,
        simulation::{
            executor::{Instant, ProcessId},
            issuer::{Attempt, Death, Origin, Outcome, Told},
            people::Expected,
            tokens::TokenName,
            world::{State, World},
        },
    },
};

/// Looks at a redemption that is about to be sent.
pub(crate) fn check_sent(world: &World, sent: &Attempt) {
    let wrong = world.with(|state| {
        let name = sent.name;
        let family = &state.families.all[name.family];
        let is_covered = family.covers.contains(&sent.request.audience);
        if !is_covered && !world.settings.dialect.refresh_may_exceed {
            return Some(format!(
                "{} is not covered by {name}",
                sent.request.audience
            ));
        }
        repetition(world, state, sent).err()
    });
    if let Some(wrong) = wrong {
        world.violate(wrong);
    }
}

/// Whether the session held a token as good as a new one, when this process has read it last.
fn needless(world: &World, state: &State, sent: &Attempt) -> Option<String> {
    let session = state.families.all[sent.name.family].session;
    let load = state.people.last_load(sent.process, session)?;
    let is_sure = world.executor.clock_spread().is_zero() && !load.is_lie;
    let mut asked = state.calls.asked(sent.process, session);
    // Else it may be forced, or what a mark names that counts for nothing.
    let is_wanted = asked.any(|it| it.request == sent.asked);
    let is_forced = state
        .calls
        .asked(sent.process, session)
        .any(|it| it.is_forced);
    if !is_sure || !is_wanted || is_forced || marks(state, session, sent)? > 1 {
        return None;
    }
    let mentions = load.mentions.as_ref()?;
    let mut tokens = mentions.access.iter().copied();
    let same = tokens.find(|number| {
        let access = &state.families.access[*number];
        let is_of_it = access.origin == Origin::Family(sent.name.family);
        let asked = access.redemption.as_ref().map(|(_, asked)| asked);
        let is_fresh = sent.sent.since(access.issued) * 2 < access.lifetime;
        let known = (sent.process, *number);
        let is_in_force = !state.people.has_signed_in_since(session, access.issued)
            && state.people.unkept(sent.process, session) == 0;
        is_of_it
            && asked == Some(&sent.asked)
            && is_fresh
            && is_in_force
            && !state.people.rejected.contains(&known)
    })?;
    Some(format!(
        "{} is redeemed although at-{same} is as good as a new one",
        sent.name
    ))
}

/// How many attempts its process has marked, with the one that is about to be sent: more than one make it a
/// repetition, which asks for what the mark names. Nothing if it has written another record since.
fn marks(state: &State, session: usize, sent: &Attempt) -> Option<usize> {
    let record = state.processes.get(&sent.process)?.written.get(&session)?;
    let mut read = Session::read(record, &Session::key_in(record)?).ok()?;
    let family = read.signed_in.as_mut()?;
    let family = family.family_of(&Secret::from(sent.name.to_string()))?;
    Some(family.mark.as_ref().map_or(0, |mark| mark.attempts.len()))
}

/// Whether sending this token again is as promised.
fn repetition(world: &World, state: &mut State, sent: &Attempt) -> Result<(), String> {
    let name = sent.name;
    let mut uncertain: Vec<usize> = Vec::new();
    for number in 0..state.families.attempts.len() {
        let attempt = &state.families.attempts[number];
        if attempt.name != name {
            continue;
        }
        match earlier(world, state, attempt, (sent.process, sent.sent)) {
            Earlier::Nothing => {}
            Earlier::Stays => uncertain.clear(),
            Earlier::Uncertain(cause) => {
                state.families.attempts[number].excuse = Some(cause);
                uncertain.push(number);
            }
            Earlier::Wrong(why) => return Err(why),
        }
    }
    let Some(first) = uncertain
        .first()
        .map(|number| &state.families.attempts[*number])
    else {
        return needless(world, state, sent).map_or(Ok(()), Err);
    };
    state.families.repetitions += 1;
    // What has lost its record may come back as it was before.
    let session = state.families.all[name.family].session;
    let lost_at = state.shelf.place(session).lost_at;
    let is_unknown = first.excuse == Some(Cause::StoreLost);
    if is_unknown || lost_at.is_some_and(|lost| lost >= first.sent) {
        return Ok(());
    }
    // Who was stopped with the lock, or has lost its record, knows nothing of what was sent meanwhile.
    // The same holds for what the first was: another process may have settled its mark before it was sent.
    let is_known = first.excuse != Some(Cause::LeaseLost)
        && !first.is_without_lock
        && !is_without_lock(world, state, sent);
    if first.request != sent.request && is_known {
        return Err(format!(
            "{name} is repeated for {:?}, and was sent for {:?}",
            sent.request, first.request
        ));
    }
    if sent.is_in_outage && is_known {
        return Err(format!(
            "{name} is repeated while the issuer answers nothing"
        ));
    }
    if uncertain.len() > 1 && is_known && !is_within_grace(world, first.sent, sent.sent) {
        let count = uncertain.len();
        return Err(format!(
            "{name} is sent again although {count} answers were lost"
        ));
    }
    Ok(())
}

/// Whether the grace period that the client was told of lasts, by any clock.
pub(crate) fn is_within_grace(world: &World, first: Instant, now: Instant) -> bool {
    let grace = world.settings.dialect.refresh_grace;
    let spread = world.executor.clock_spread();
    grace.is_some_and(|grace| now.since(first) <= grace + spread)
}

/// A refresh token that this process was told of before then, and that is the good one and not in the store.
pub(crate) fn unwritten(state: &State, process: ProcessId, before: Instant) -> Option<TokenName> {
    let own = state
        .families
        .attempts
        .iter()
        .filter(|attempt| attempt.process == process);
    let told = own.filter_map(|attempt| match attempt.told {
        Some((at, Told::Tokens(Some(next)))) if at < before => Some(next),
        _ => None,
    });
    let mut told = told.filter(|name| {
        let family = &state.families.all[name.family];
        let is_good =
            family.death.is_none() && !family.is_mixed_up && family.current == name.serial;
        let is_kept = state.shelf.first_kept(*name).is_some();
        // A sign-out that has not ended may stand in the store, and what revokes this one may be lost.
        let mut sign_outs = state.people.sign_outs.iter();
        let is_signed_out = sign_outs.any(|one| {
            let told = state.families.told(*name);
            let is_over = one.ended.is_some_and(|(ended, _)| Some(ended) < told);
            one.session == family.session && !is_over
        });
        let is_wanted = matches!(state.people.expected(family.session),
            Expected::SignedIn(sign_ins) if sign_ins.contains(&family.sign_in));
        let was_lost = state.shelf.place(family.session).lost_at.is_some();
        // Into a record that is gone nothing can be written, and it looked so.
        let load = state.people.last_load(process, family.session);
        let is_away = state.shelf.is_away || load.is_some_and(|load| load.is_lie);
        is_good && is_wanted && !is_signed_out && !is_kept && !was_lost && !is_away
    });
    told.next()
}

/// Looks at a redemption that has ended its family.
pub(crate) fn check_reuse(world: &World, attempt: usize) {
    let why = world.with(|state| {
        let fatal = &state.families.attempts[attempt];
        let name = fatal.name;
        let why = cause(world, state, attempt);
        if let Ok(cause) = why {
            state.families.all[name.family].cause = Some(cause);
        }
        why
    });
    match why {
        Ok(cause) => world.note(|| format!("a family has ended: {cause:?}")),
        Err(wrong) => world.violate(wrong),
    }
}

fn cause(world: &World, state: &State, attempt: usize) -> Result<Cause, String> {
    let fatal = &state.families.attempts[attempt];
    let name = fatal.name;
    let all = || state.families.attempts.iter();
    let is_first = |one: &&Attempt| {
        one.name == name && matches!(one.processed, Some((_, Outcome::Rotated(_))))
    };
    let Some(first) = all().find(is_first) else {
        return Err(format!(
            "{name} has ended its family, and was never redeemed"
        ));
    };
    let is_older = fatal.sent < first.sent;
    if is_older
        && fatal
            .given_up
            .is_some_and(|given_up| given_up <= first.sent)
    {
        return Ok(Cause::Overtaken);
    }
    if let Some((_, Told::NotRedeemed)) = first.told {
        return Ok(Cause::GatewayLied);
    }
    let (one, other) = if is_older {
        (fatal, first)
    } else {
        (first, fatal)
    };
    match earlier(world, state, one, (other.process, other.sent)) {
        Earlier::Uncertain(cause) => Ok(cause),
        // It was answered after the other had been sent, which was looked at then.
        Earlier::Nothing | Earlier::Stays => one
            .excuse
            .ok_or_else(|| format!("{name} has ended its family for no reason")),
        Earlier::Wrong(why) => one.excuse.ok_or(why),
    }
}

/// Looks at a revocation: whatever is in use is none of its business.
pub(crate) fn check_revoked(world: &World, name: TokenName) {
    let now = world.now();
    let wrong = world.with(|state| {
        let family = &mut state.families.all[name.family];
        if family.death.is_some() {
            family.cause.get_or_insert(Cause::Ended);
        }
        let family = &state.families.all[name.family];
        let (session, own) = (family.session, family.sign_in);
        let sign_in = &state.people.sign_ins[own];
        let is_not_before = |ended: Option<Instant>| ended.is_none_or(|at| at >= sign_in.began);
        let sign_outs = &state.people.sign_outs;
        let is_signed_out = sign_outs
            .iter()
            .any(|one| one.session == session && is_not_before(one.ended.map(|(at, _)| at)));
        let mut others = state.people.sign_ins.iter().enumerate();
        let is_replaced = others.any(|(number, one)| {
            number != own && one.session == session && is_not_before(one.ended.map(|(at, _)| at))
        });
        let was_refused = sign_in.has_failed();
        // Nothing more is lost where it had ended before, or where its record was.
        let had_ended = match family.death {
            Some(Death::Revoked { at, .. }) => at < now,
            Some(Death::Reuse { .. } | Death::Ended) => true,
            None => false,
        };
        let was_lost = state.shelf.place(session).lost_at.is_some();
        let is_excused =
            had_ended || was_lost || family.is_mixed_up || is_misdated(world, state, session);
        let is_wanted = is_signed_out || is_replaced || was_refused || is_excused;
        (!is_wanted).then(|| format!("{name} is revoked, and its person has not signed out"))
    });
    if let Some(wrong) = wrong {
        world.violate(wrong);
    }
}
