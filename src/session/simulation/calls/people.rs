//! What people do: they sign in and out.

use std::{sync::Arc, time::Duration};

use super::Caller;
use crate::{
    dialect::TokenFamily,
    error::Error,
    session::simulation::{
        executor::ProcessId,
        issuer::{Access, NewFamily, Origin, login_reply, subject},
        people::{Expected, Load, SignIn, SignInEnd, SignOut},
        program::{Kept, Login},
        session_name,
        world::State,
    },
};

/// How a person signs in.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(crate) session: usize,
    pub(crate) person: usize,
    pub(crate) audiences: Vec<&'static str>,
    /// Whether the issuer gives a refresh token.
    pub(crate) brings_refresh_token: bool,
    /// Whether it is told who they are.
    pub(crate) is_named: bool,
    pub(crate) same_person: bool,
}

impl Caller {
    pub(crate) fn sign_in(&self, signing: Signing) {
        let (world, process) = (&self.world, self.process);
        let number = self.begin_sign_in(&signing);
        let login = self.login(number, &signing);
        world.note_of(process, || {
            let SignIn { family, .. } = world.with(|state| state.people.sign_ins[number].clone());
            format!("sign-in {number} begins: {signing:?}, family {family:?}")
        });
        let outcome = Arc::clone(&self.program).sign_in(session_name(signing.session), login);
        let caller = self.clone();
        self.call("sign_in", Some(signing.session), async move {
            let outcome = outcome.await;
            caller.signed_in(number, &signing, &outcome);
        });
    }

    /// The person's part: the issuer gives tokens for it.
    fn begin_sign_in(&self, signing: &Signing) -> usize {
        let (world, now, process) = (&self.world, self.world.now(), self.process);
        let audiences: Vec<String> = signing.audiences.iter().map(ToString::to_string).collect();
        world.with(|state| {
            let number = state.people.sign_ins.len();
            let known = state.people.known(process, signing.session);
            let family = signing.brings_refresh_token.then(|| {
                let family = NewFamily {
                    session: signing.session,
                    person: signing.person,
                    sign_in: number,
                    covers: audiences.clone(),
                };
                state.families.found(family).family
            });
            if let Some(family) = family {
                state.people.knows(process, signing.session, family);
            }
            state.people.begin(signing.session);
            state.people.sign_ins.push(SignIn {
                session: signing.session,
                person: signing.person,
                process,
                family,
                audiences,
                known,
                is_named: signing.is_named,
                same_person: signing.same_person,
                began: now,
                ended: None,
            });
            number
        })
    }

    fn login(&self, number: usize, signing: &Signing) -> Login {
        let (world, now) = (&self.world, self.world.now());
        let access = world.with(|state| {
            state.families.give(Access {
                session: signing.session,
                audience: signing.audiences[0].to_owned(),
                redemption: None,
                origin: Origin::SignIn(number),
                issued: now,
                lifetime: world.settings.lifetime,
                is_mixed_up: false,
            })
        });
        let family = world.with(|state| state.people.sign_ins[number].family);
        let refresh =
            family.map(|family| world.with(|state| state.families.all[family].current(family)));
        let requested_at = world.executor.clocks(self.process);
        Login {
            reply: login_reply(world, access, refresh, requested_at),
            audiences: signing.audiences.clone(),
            subject: signing.is_named.then(|| subject(signing.person)),
            same_person: signing.same_person,
        }
    }

    fn signed_in(&self, number: usize, signing: &Signing, outcome: &Result<Kept, Error>) {
        let (world, process, now) = (&self.world, self.process, self.world.now());
        let how = match outcome {
            Ok(Kept::InStore) => SignInEnd::Kept,
            Ok(Kept::OnlyHere) => SignInEnd::OnlyHere,
            Err(Error::Protocol(_)) if signing.same_person => SignInEnd::Refused,
            Err(_) => SignInEnd::Unclear,
        };
        world.note_of(self.process, || {
            format!(
                "sign-in {number}: {:?}, {how:?}",
                outcome.as_ref().map_err(Error::kind)
            )
        });
        let is_apart = world.settings.dialect.token_family == TokenFamily::PerAudience;
        let wrong = world.with(|state| {
            let wrong = is_impostor(state, process, signing, how);
            let is_alone = state.calls.count_of(process) == 1;
            let could_shed = state.process(process).could_shed.contains(&signing.session);
            let is_waste = how == SignInEnd::OnlyHere && is_alone && could_shed;
            state.people.sign_ins[number].ended = Some((now, how));
            let before = same_persons(state, signing);
            // Where the store could not be read, clocks decide which of two came later.
            let close = world.executor.clock_spread() + CLOSE;
            let since = state.people.sign_ins[number].began.before(close);
            let is_sure = !state.people.has_unwritten(signing.session, since);
            let end = (process, how, now);
            state.people.end_sign_in(signing.session, end, |expected| {
                let next = expected_after(expected, number, (how, before), is_apart, signing);
                if is_sure { next } else { Expected::Unclear }
            });
            (wrong, is_waste)
        });
        let (wrong, is_waste) = wrong;
        if is_waste {
            let what =
                format!("sign-in {number} is not kept, and only its access tokens had no room");
            world.violate(what);
        }
        if wrong {
            let what =
                format!("sign-in {number} is another person's, and only the same was let in");
            world.violate(what);
        }
    }

    pub(crate) fn sign_out(&self, session: usize) {
        let (world, process, now) = (&self.world, self.process, self.world.now());
        let number = world.with(|state| {
            let known = state.people.known(process, session);
            state.people.begin(session);
            state.people.sign_outs.push(SignOut {
                session,
                process,
                began: now,
                ended: None,
                known,
                was_lied_to: false,
            });
            state.people.sign_outs.len() - 1
        });
        world.note_of(process, || {
            format!("sign-out {number} of s{session} begins")
        });
        let outcome = Arc::clone(&self.program).sign_out(session_name(session));
        let caller = self.clone();
        self.call("sign_out", Some(session), async move {
            let outcome = outcome.await;
            caller.signed_out(number, session, &outcome);
        });
    }

    fn signed_out(&self, number: usize, session: usize, outcome: &Result<(), Error>) {
        let (world, process, now) = (&self.world, self.process, self.world.now());
        world.note_of(self.process, || {
            format!(
                "sign-out {number}: {:?}",
                outcome.as_ref().map_err(Error::kind)
            )
        });
        let is_done = outcome.is_ok();
        world.with(|state| {
            let sign_out: &mut SignOut = &mut state.people.sign_outs[number];
            sign_out.ended = Some((now, is_done));
            let is_sure = is_done && !sign_out.was_lied_to;
            let began = sign_out.began;
            state
                .people
                .end_sign_out(session, (process, began), is_sure);
        });
    }
}

/// Whether another person was let in where only the same one may be.
fn is_impostor(state: &State, process: ProcessId, signing: &Signing, how: SignInEnd) -> bool {
    let is_in = matches!(how, SignInEnd::Kept | SignInEnd::OnlyHere);
    let Expected::SignedIn(known) = state.people.expected(signing.session) else {
        return false;
    };
    // Its own beginning is the only one since.
    let load = state.people.last_load(process, signing.session);
    let is_away = state.shelf.is_away || load.is_some_and(|load: &Load| load.is_lie);
    // A process that cannot read the record goes by who it knows.
    let changed = state.people.changed_at(signing.session);
    let has_read = load.is_some_and(|load| Some(load.begun) >= changed);
    // Beside this very one: then it is itself who knows of another.
    let is_own = state.people.unkept(process, signing.session) > 1;
    let is_clear = state.people.is_clear(signing.session) && !is_away && !is_own;
    let is_other = |known: &usize| {
        let known = &state.people.sign_ins[*known];
        known.is_named && known.person != signing.person
    };
    let other = known.last().is_some_and(is_other);
    is_in && signing.same_person && is_clear && has_read && other
}

/// Whether all who are known to be signed in are surely the person who signs in now.
fn same_persons(state: &State, signing: &Signing) -> bool {
    match state.people.expected(signing.session) {
        Expected::SignedIn(known) => {
            let is_same = |one: &usize| {
                let known = &state.people.sign_ins[*one];
                known.is_named && signing.is_named && known.person == signing.person
            };
            known.iter().all(is_same)
        }
        Expected::SignedOut | Expected::Unclear => true,
    }
}

fn expected_after(
    expected: &Expected,
    number: usize,
    (how, is_same): (SignInEnd, bool),
    is_apart: bool,
    signing: &Signing,
) -> Expected {
    match (how, expected) {
        (SignInEnd::Refused, expected) => expected.clone(),
        (SignInEnd::Unclear | SignInEnd::OnlyHere, _) => Expected::Unclear,
        (SignInEnd::Kept, Expected::SignedIn(before)) if is_same => {
            let stays = is_apart || !signing.brings_refresh_token;
            let before = before.iter().copied().filter(|_| stays);
            Expected::SignedIn(before.chain([number]).collect())
        }
        (SignInEnd::Kept, _) => Expected::SignedIn(vec![number]),
    }
}

/// Clocks do not tell which of two sign-ins came later that are so close.
const CLOSE: Duration = Duration::from_secs(1);
