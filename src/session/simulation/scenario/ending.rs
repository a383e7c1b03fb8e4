//! How a schedule ends: trouble passes, everything is written, and a fresh process finds what has to be there.

use std::time::Duration;

use super::Schedule;
use crate::session::simulation::{
    calls::{Caller, LONGEST_CALL},
    executor::Step,
    invariants::ending,
    program::{Ask, Program},
};

impl Schedule {
    pub(super) fn end(&mut self) {
        self.world.note(|| "trouble passes".to_owned());
        for trouble in self.world.with(|state| state.weather.all()) {
            self.end_trouble(trouble);
        }
        self.wake_hosts();
        for slot in 0..self.slots.len() {
            self.resume(slot);
        }
        self.await_calls("");
        self.close_all();
        // What was kept from being done has been done by now, and leases of the dead have run out.
        self.pass(Duration::from_secs(150));
        self.settle_people();
        ending::check_calm(&self.world);
        self.look_afresh();
        self.sign_in_afresh();
        ending::check(&self.world);
    }

    /// Waits for the calls that are under way.
    fn await_calls(&mut self, what: &str) {
        let until = self.world.now().plus(LONGEST_CALL * 2);
        while !self.world.with(|state| state.calls.is_empty()) {
            let is_stuck = match self.world.executor.step() {
                Step::Idle | Step::Runaway => true,
                Step::Polled | Step::Waited => self.world.now() > until,
            };
            if self.world.violation().is_some() {
                return;
            }
            if is_stuck {
                let calls = self.world.with(|state| state.calls.all());
                let calls: Vec<_> = calls
                    .iter()
                    .map(|(_, call)| format!("{} of p{}", call.kind, call.process.number()))
                    .collect();
                return self
                    .world
                    .violate(format!("a call does not end{what}: {}", calls.join(", ")));
            }
        }
    }

    /// Each process that still runs writes what it has not written.
    fn close_all(&mut self) {
        let callers = self.slots.iter().filter_map(|slot| slot.caller.clone());
        for caller in callers.collect::<Vec<_>>() {
            caller.close(Duration::from_secs(60));
            self.await_calls(" although nothing is wrong");
            self.world.with(|state| {
                let facts = state.process(caller.process).clone();
                let is_newer = state.people.has_to_be_left(0);
                if facts.close_failed_at > facts.closed_at && !is_newer {
                    let what = format!(
                        "p{} cannot write although nothing is wrong",
                        caller.process.number()
                    );
                    state.violation.get_or_insert(what);
                }
            });
        }
    }

    /// A process that knows nothing finds everything in the store.
    fn look_afresh(&mut self) {
        let fresh = self.fresh();
        for session in 0..self.world.settings.sessions {
            fresh.account(session);
            self.await_calls(" although nothing is wrong");
            let owed = self.world.with(|state| ending::audiences(state, session));
            for audience in owed {
                let departed = self.world.executor.clocks(fresh.process);
                let ask = Ask {
                    audience,
                    scopes: String::new(),
                    parameter: None,
                    is_forced: true,
                    replaces_usable: false,
                    departed,
                };
                let before = self.world.with(|state| state.people.handed_out.len());
                fresh.access_token(session, ask);
                self.await_calls(" although nothing is wrong");
                ending::check_yields(&self.world, fresh.process, (session, audience), before);
                if self.world.violation().is_some() {
                    return;
                }
            }
        }
    }

    fn fresh(&mut self) -> Caller {
        let process = self.world.executor.start_process(self.hosts[0]);
        self.world.note_of(process, || "starts afresh".to_owned());
        Caller {
            program: Program::start(&self.world, process),
            world: std::sync::Arc::clone(&self.world),
            process,
        }
    }

    /// Whatever is there, a person can sign in again.
    fn sign_in_afresh(&mut self) {
        if self.world.violation().is_some() {
            return;
        }
        let fresh = self.fresh();
        for session in 0..self.world.settings.sessions {
            if self
                .world
                .with(|state| state.people.has_to_be_left(session))
            {
                continue;
            }
            fresh.sign_in(super::events::signing_of(session));
            self.await_calls(" although nothing is wrong");
            ending::check_signed_in(&self.world);
        }
    }
}
