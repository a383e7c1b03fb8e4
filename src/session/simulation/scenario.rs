//! One schedule: processes on hosts, what people and operators do, and how it ends.

mod ending;
mod events;
mod planted;

use std::sync::Arc;

use events::Event;
pub(super) use planted::NEWER;

use super::{
    calls::Caller,
    executor::{Executor, HostId, Instant, ProcessId, Step},
    program::Program,
    random::Random,
    settings::Settings,
    summary::Summary,
    world::World,
};
use crate::dialect::TokenFamily;

/// One schedule while it runs.
pub(super) struct Schedule {
    world: Arc<World>,
    hosts: Vec<HostId>,
    slots: Vec<Slot>,
    events: u64,
}

/// A place where one process runs at a time.
struct Slot {
    host: usize,
    caller: Option<Caller>,
    paused: Option<Instant>,
}

/// How a schedule has ended.
pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: String,
    pub(super) summary: Summary,
}

/// Runs the schedule that this seed draws.
pub(super) fn run(seed: u64, is_traced: bool) -> Outcome {
    // What the crate draws for itself is drawn by this thread.
    fastrand::seed(seed);
    let executor = Executor::new(seed);
    let settings = executor.draw(Settings::draw);
    let world = World::new(Arc::clone(&executor), settings, is_traced);
    let mut schedule = Schedule::new(&world);
    schedule.run();
    let outcome = Outcome {
        violation: world.violation(),
        trace: world.trace(),
        summary: Summary::of(&world, schedule.events),
    };
    drop(schedule);
    executor.end();
    outcome
}

impl Schedule {
    fn new(world: &Arc<World>) -> Self {
        let executor = &world.executor;
        let settings = &world.settings;
        world.note(|| format!("{settings:?}"));
        let hosts = (0..settings.hosts).map(|_| {
            let (uptime, ahead) = executor.draw(|random| {
                let uptime = *random.choose(&[1, 300, 86_400, 1_000_000]);
                (
                    std::time::Duration::from_secs(uptime),
                    skew(random, settings),
                )
            });
            executor.add_host(uptime, ahead)
        });
        let mut schedule = Self {
            hosts: hosts.collect(),
            slots: Vec::new(),
            world: Arc::clone(world),
            events: 0,
        };
        schedule.plant();
        for number in 0..settings.processes {
            schedule.slots.push(Slot {
                host: number % settings.hosts,
                caller: None,
                paused: None,
            });
            schedule.start(number);
        }
        schedule
    }

    fn run(&mut self) {
        self.begin();
        while self.events < self.world.settings.events as u64 {
            self.go_on();
            if self.world.violation().is_some() {
                return;
            }
            let event = Event::draw(self);
            self.happen(event);
            self.events += 1;
            self.settle_people();
        }
        self.end();
    }

    /// Most sessions are signed in to before anything else happens.
    fn begin(&mut self) {
        let is_apart = self.world.settings.dialect.token_family == TokenFamily::PerAudience;
        for session in 0..self.world.settings.sessions {
            if self.draw(|random| random.percent(25)) {
                continue;
            }
            let signing = self.draw(|random| events::signing(random, (session, None), is_apart));
            let slot = self.draw(|random| random.below(self.slots.len()));
            if let Some(caller) = &self.slots[slot].caller {
                caller.sign_in(signing);
            }
        }
    }

    /// Lets things go on for a while that the seed draws.
    fn go_on(&mut self) {
        let steps = self.draw(|random| match random.below(10) {
            0..4 => random.between(0, 6),
            4..7 => random.between(5, 40),
            _ => random.between(40, 200),
        });
        for _ in 0..steps {
            match self.world.executor.step() {
                Step::Polled | Step::Waited => {}
                Step::Idle => return,
                Step::Runaway => return self.world.violate("this schedule does not end"),
            }
            if self.world.violation().is_some() {
                return;
            }
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        self.world.executor.draw(draw)
    }

    /// Starts a new process.
    fn start(&mut self, slot: usize) {
        let host = self.hosts[self.slots[slot].host];
        let process = self.world.executor.start_process(host);
        self.world.with(|state| {
            state.process(process);
        });
        self.world.note_of(process, || {
            format!("starts on host {}", self.slots[slot].host)
        });
        self.slots[slot].caller = Some(Caller {
            program: Program::start(&self.world, process),
            world: Arc::clone(&self.world),
            process,
        });
    }

    /// Ends a process where it stands.
    fn kill(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        slot.paused = None;
        let Some(caller) = slot.caller.take() else {
            return;
        };
        self.world.kill(caller.process);
    }

    /// The slots whose process lives and is not paused.
    fn running(&self) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        let running = slots.filter(|(_, slot)| slot.caller.is_some() && slot.paused.is_none());
        running.map(|(number, _)| number).collect()
    }

    fn slot_of(&self, process: ProcessId) -> Option<usize> {
        let is_it = |slot: &Slot| slot.caller.as_ref().is_some_and(|it| it.process == process);
        self.slots.iter().position(is_it)
    }

    /// Forgets calls that were given up so long ago that they have been carried out.
    fn settle_people(&self) {
        let (world, now) = (&self.world, self.world.now());
        let executor = &world.executor;
        world.with(|state| {
            let facts = state.processes.clone();
            let is_over = |process: ProcessId, since: Instant| {
                let killed = facts.get(&process).and_then(|facts| facts.killed_at);
                killed.map_or_else(
                    || {
                        let stopped = executor.stopped_since(process, since);
                        now.since(since).saturating_sub(stopped) >= LATEST
                    },
                    |killed| now.since(killed) >= LATEST,
                )
            };
            // Until its process says that everything is written, a sign-in may be written at any time.
            let is_written = |process: ProcessId, since: Instant| {
                let facts = facts.get(&process);
                let is_gone = facts.is_some_and(|it| it.killed_at.is_some());
                let has_closed = facts.is_some_and(|it| it.closed_at > Some(since));
                has_closed || (is_gone && is_over(process, since))
            };
            state.people.settle(is_over, is_written);
        });
    }
}

impl World {
    fn kill(self: &Arc<Self>, process: ProcessId) {
        let now = self.now();
        self.note_of(process, || "is killed".to_owned());
        self.executor.kill(process);
        self.with(|state| {
            state.process(process).killed_at = Some(now);
            if self.settings.store == super::settings::StoreKind::File {
                state.locks.free_all_of(process, now);
            }
            for (number, call) in state.calls.all() {
                if call.process == process {
                    state.calls.remove(number);
                    if let Some(session) = call.acts_on {
                        state.people.give_up(session, process, now);
                    }
                }
            }
        });
    }
}

/// How far a wall clock is ahead, in nanoseconds.
fn skew(random: &mut Random, settings: &Settings) -> i128 {
    if !settings.has_clock_steps || random.percent(40) {
        return 0;
    }
    let milliseconds = random.between(0, 240_000);
    (i128::from(milliseconds) - 120_000) * 1_000_000
}

/// What was given up, or died with its process, has been carried out or lost after this.
const LATEST: std::time::Duration = std::time::Duration::from_secs(90);
