//! What happens between two steps: what people and programs do, and what befalls them.

use std::{sync::Arc, time::Duration};

use super::{Schedule, skew};
use crate::{
    dialect::TokenFamily,
    session::simulation::{
        AUDIENCES,
        calls::people::Signing,
        executor::{Step, WORLD},
        invariants::{causes::Cause, ending},
        issuer::{Death, scopes_of},
        people::Expected,
        program::Ask,
        random::Random,
        settings::Settings,
        weather::Trouble,
    },
};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    AccessToken,
    SignIn,
    SignOut,
    Account,
    Close,
    Reject,
    GiveUp,
    Wait,
    Kill,
    KillHolder,
    Start,
    Pause,
    PauseHolder,
    Resume,
    Suspend,
    WakeHost,
    Reboot,
    StepClock,
    TroubleBegins,
    TroubleEnds,
    Wipe,
    Damage,
    IssuerEnds,
}

impl Event {
    pub(super) fn draw(schedule: &Schedule) -> Self {
        let settings = &schedule.world.settings;
        let weights = weights(settings);
        schedule.draw(|random| random.weighted(&weights))
    }
}

fn weights(settings: &Settings) -> [(u32, Event); 23] {
    let kills = u32::from(settings.has_kills);
    let pauses = u32::from(settings.has_pauses);
    let loses = u32::from(settings.loses_records);
    let troubles = u32::from(!settings.troubles.is_empty());
    [
        (42, Event::AccessToken),
        (9, Event::SignIn),
        (5, Event::SignOut),
        (3, Event::Account),
        (2, Event::Close),
        (2, Event::Reject),
        (2, Event::GiveUp),
        (14, Event::Wait),
        (2 * kills, Event::Kill),
        (7 * kills, Event::KillHolder),
        (8, Event::Start),
        (2 * pauses, Event::Pause),
        (6 * pauses, Event::PauseHolder),
        (6 * pauses, Event::Resume),
        (pauses, Event::Suspend),
        (2 * pauses, Event::WakeHost),
        (kills, Event::Reboot),
        (3 * u32::from(settings.has_clock_steps), Event::StepClock),
        (9 * troubles, Event::TroubleBegins),
        (6 * troubles, Event::TroubleEnds),
        (2 * loses, Event::Wipe),
        (2 * loses, Event::Damage),
        (1, Event::IssuerEnds),
    ]
}

impl Schedule {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::AccessToken => self.ask(),
            Event::SignIn => self.sign_in(),
            Event::SignOut => self.with_session(super::super::calls::Caller::sign_out),
            Event::Account => self.with_session(super::super::calls::Caller::account),
            Event::Close => {
                let limit = Duration::from_secs(30);
                self.with_session(|caller, _| caller.close(limit));
            }
            Event::Reject => self.reject(),
            Event::GiveUp => self.give_up(),
            Event::Wait => self.wait(),
            Event::Start => self.start_one(),
            Event::TroubleBegins => self.trouble_begins(),
            Event::TroubleEnds => self.trouble_ends(),
            Event::Wipe | Event::Damage => self.lose(event),
            Event::IssuerEnds => self.issuer_ends(),
            _ => self.befall(event),
        }
    }

    /// Chooses a process that runs, and a session.
    fn with_session(&self, act: impl FnOnce(&super::Caller, usize)) {
        let running = self.running();
        if running.is_empty() {
            return;
        }
        let sessions = self.world.settings.sessions;
        let (slot, session) =
            self.draw(|random| (*random.choose(&running), random.below(sessions)));
        if let Some(caller) = &self.slots[slot].caller {
            act(caller, session);
        }
    }

    fn ask(&self) {
        self.with_session(|caller, session| {
            let departed = self.world.executor.clocks(caller.process);
            let covered = self.world.with(|state| ending::audiences(state, session));
            let ask = self.draw(|random| {
                let is_covered = !covered.is_empty() && random.percent(75);
                let audience = if is_covered {
                    *random.choose(&covered)
                } else {
                    *random.choose(AUDIENCES)
                };
                let scopes = match random.below(10) {
                    0..6 => String::new(),
                    6..9 => format!("read:{audience}"),
                    _ => scopes_of(audience),
                };
                Ask {
                    audience,
                    scopes,
                    parameter: random.percent(10).then_some("detail"),
                    is_forced: random.percent(50),
                    replaces_usable: random.percent(20),
                    departed,
                }
            });
            caller.access_token(session, ask);
        });
    }

    fn sign_in(&self) {
        self.with_session(|caller, session| {
            let is_apart = self.world.settings.dialect.token_family == TokenFamily::PerAudience;
            let known = self
                .world
                .with(|state| match state.people.expected(session) {
                    Expected::SignedIn(known) => known
                        .last()
                        .map(|known| state.people.sign_ins[*known].person),
                    Expected::SignedOut | Expected::Unclear => None,
                });
            let signing = self.draw(|random| signing(random, (session, known), is_apart));
            caller.sign_in(signing);
        });
    }

    fn reject(&self) {
        let handed_out = self.world.with(|state| state.people.handed_out.clone());
        if handed_out.is_empty() {
            return;
        }
        let (process, session, text) = self.draw(|random| random.choose(&handed_out).clone());
        if let Some(slot) = self.slot_of(process)
            && let Some(caller) = &self.slots[slot].caller
        {
            caller.reject(session, &text);
        }
    }

    fn give_up(&self) {
        let calls = self.world.with(|state| state.calls.all());
        if calls.is_empty() {
            return;
        }
        let (number, call) = self.draw(|random| random.choose(&calls).clone());
        self.world
            .note_of(call.process, || format!("gives up its {}", call.kind));
        let now = self.world.now();
        self.world.with(|state| {
            state.calls.remove(number);
            if let Some(session) = call.acts_on {
                state.people.give_up(session, call.process, now);
            }
        });
        call.give_up(&self.world.executor);
    }

    fn wait(&mut self) {
        let lifetime = self.world.settings.lifetime;
        let time = self.draw(|random| match random.below(20) {
            0..8 => random.milliseconds(10, 2000),
            8..14 => random.seconds(2, 25),
            14..19 => {
                random.milliseconds(10, 1500) * u32::try_from(lifetime.as_secs()).unwrap_or(1)
            }
            _ => random.seconds(1000, 90_000),
        });
        self.world.note(|| format!("{time:?} go by"));
        self.pass(time);
    }

    /// Lets this time go by.
    pub(super) fn pass(&mut self, time: Duration) {
        let executor = Arc::clone(&self.world.executor);
        let until = executor.now().plus(time);
        let sleep = executor.sleep(WORLD, time);
        executor.spawn(WORLD, Box::pin(sleep));
        while executor.now() < until {
            if self.world.violation().is_some() || executor.step() == Step::Runaway {
                return;
            }
        }
    }

    fn start_one(&mut self) {
        let all = 0..self.slots.len();
        let free: Vec<_> = all
            .filter(|slot| self.slots[*slot].caller.is_none())
            .collect();
        if let Some(slot) = free.first() {
            self.start(*slot);
        }
    }

    fn befall(&mut self, event: Event) {
        let executor = Arc::clone(&self.world.executor);
        let running = self.running();
        let holders = self.world.with(|state| state.locks.holders());
        let holders: Vec<_> = holders
            .into_iter()
            .filter_map(|it| self.slot_of(it))
            .collect();
        let from = match event {
            Event::KillHolder | Event::PauseHolder => &holders,
            _ => &running,
        };
        let host = self.draw(|random| random.below(self.hosts.len()));
        match event {
            Event::Kill | Event::KillHolder if !from.is_empty() => {
                let slot = self.draw(|random| *random.choose(from));
                self.kill(slot);
            }
            Event::Pause | Event::PauseHolder if !from.is_empty() => {
                let slot = self.draw(|random| *random.choose(from));
                self.pause(slot);
            }
            Event::Resume => self.resume_one(),
            Event::Suspend => {
                self.world.note(|| format!("host {host} sleeps"));
                executor.suspend(self.hosts[host]);
            }
            Event::WakeHost => self.wake_hosts(),
            Event::Reboot => self.reboot(host),
            Event::StepClock => self.step_clock(host),
            _ => {}
        }
    }

    fn pause(&mut self, slot: usize) {
        let Some(caller) = &self.slots[slot].caller else {
            return;
        };
        self.world
            .note_of(caller.process, || "is paused".to_owned());
        self.world.executor.pause(caller.process);
        self.slots[slot].paused = Some(self.world.now());
    }

    fn resume_one(&mut self) {
        let all = 0..self.slots.len();
        let paused: Vec<_> = all
            .filter(|slot| self.slots[*slot].paused.is_some())
            .collect();
        if !paused.is_empty() {
            let slot = self.draw(|random| *random.choose(&paused));
            self.resume(slot);
        }
    }

    pub(super) fn resume(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        if let (Some(caller), Some(_)) = (&slot.caller, slot.paused.take()) {
            self.world.note_of(caller.process, || "goes on".to_owned());
            self.world.executor.resume(caller.process);
        }
    }

    pub(super) fn wake_hosts(&mut self) {
        for host in &self.hosts {
            self.world.executor.wake_host(*host);
        }
    }

    fn reboot(&mut self, host: usize) {
        self.world.note(|| format!("host {host} starts again"));
        for slot in 0..self.slots.len() {
            if self.slots[slot].host == host {
                self.kill(slot);
            }
        }
        self.world.executor.reboot(self.hosts[host]);
    }

    fn step_clock(&mut self, host: usize) {
        let lifetime = i128::try_from(self.world.settings.lifetime.as_nanos()).unwrap_or(0);
        let settings = self.world.settings.clone();
        let by = self.draw(|random| match random.below(3) {
            0 => skew(random, &settings),
            1 => lifetime,
            _ => -lifetime,
        });
        self.world
            .note(|| format!("host {host}'s clock is set by {} ms", by / 1_000_000));
        self.world.executor.step_clock(self.hosts[host], by);
    }

    fn trouble_begins(&self) {
        let trouble = self.draw(|random| *random.choose(&self.world.settings.troubles));
        let now = self.world.now();
        self.world.note(|| format!("{trouble:?} begins"));
        self.world.with(|state| {
            state.weather.begins(trouble, now);
            if trouble == Trouble::Away && !state.shelf.is_away {
                state.shelf.goes_away();
                state.people.disturb();
            }
        });
    }

    fn trouble_ends(&self) {
        let all = self.world.with(|state| state.weather.all());
        if !all.is_empty() {
            let trouble = self.draw(|random| *random.choose(&all));
            self.end_trouble(trouble);
        }
    }

    pub(super) fn end_trouble(&self, trouble: Trouble) {
        let now = self.world.now();
        self.world.note(|| format!("{trouble:?} ends"));
        self.world.with(|state| {
            state.weather.ends(trouble);
            if trouble == Trouble::Away {
                for session in state.shelf.comes_back(now) {
                    state.people.lost(session);
                }
                state.people.disturb();
            }
        });
    }

    fn lose(&self, event: Event) {
        let sessions = self.world.settings.sessions;
        let session = self.draw(|random| random.below(sessions));
        let now = self.world.now();
        if self
            .world
            .with(|state| state.people.has_to_be_left(session))
        {
            return;
        }
        self.world
            .note(|| format!("the record of s{session} is lost: {event:?}"));
        self.world.with(|state| {
            if event == Event::Wipe {
                state.shelf.wipe(session, now);
            } else if let Some(kept) = state.shelf.kept(session) {
                let bytes = kept.record.as_bytes();
                let torn = bytes[..bytes.len() / 2].to_vec();
                state.shelf.spoil(session, torn, now);
            }
            state.people.lost(session);
        });
    }

    fn issuer_ends(&self) {
        let count = self.world.with(|state| state.families.all.len());
        if count == 0 || self.draw(|random| random.percent(50)) {
            return;
        }
        let number = self.draw(|random| random.below(count));
        self.world.with(|state| {
            let family = &mut state.families.all[number];
            if family.death.is_none() {
                (family.death, family.cause) = (Some(Death::Ended), Some(Cause::IssuerEnded));
            }
        });
        self.world
            .note(|| format!("the issuer ends family {number}"));
    }
}

/// The usual person signs in for everything.
pub(super) fn signing_of(session: usize) -> Signing {
    Signing {
        session,
        person: 2 * session,
        audiences: AUDIENCES[..1].to_vec(),
        brings_refresh_token: true,
        is_named: true,
        same_person: false,
    }
}

pub(super) fn signing(
    random: &mut Random,
    (session, known): (usize, Option<usize>),
    is_apart: bool,
) -> Signing {
    let own = known.unwrap_or(2 * session);
    let is_other = random.percent(20);
    // Two people share a session's name.
    let person = if is_other { own ^ 1 } else { own };
    let mut audiences = AUDIENCES.to_vec();
    let first = random.below(audiences.len());
    audiences.swap(0, first);
    let count = if is_apart { 1 } else { 1 + random.below(3) };
    audiences.truncate(count);
    let is_step_up = known.is_some() && random.percent(30);
    Signing {
        session,
        person,
        audiences,
        brings_refresh_token: !is_step_up,
        // Where no person is named, a family for one API more is taken for the same person's.
        is_named: is_apart || !random.percent(8),
        same_person: random.percent(40),
    }
}
