//! Everything that the parts of one schedule share.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    calls::Calls,
    executor::{Executor, Instant, ProcessId},
    issuer::Families,
    people::People,
    settings::Settings,
    store::{Locks, Shelf},
    trace::Trace,
    weather::{Trouble, Weather},
};
use crate::store::SessionRecord;

/// One schedule's world, as none of its processes sees it.
pub(super) struct World {
    pub(super) executor: Arc<Executor>,
    pub(super) settings: Settings,
    trace: Trace,
    state: Mutex<State>,
}

/// What has happened so far.
pub(super) struct State {
    pub(super) weather: Weather,
    pub(super) shelf: Shelf,
    pub(super) locks: Locks,
    pub(super) families: Families,
    pub(super) people: People,
    pub(super) calls: Calls,
    pub(super) processes: BTreeMap<ProcessId, ProcessFacts>,
    pub(super) violation: Option<String>,
}

/// What is known of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessFacts {
    pub(super) killed_at: Option<Instant>,
    /// When `close` said last that everything is written.
    pub(super) closed_at: Option<Instant>,
    /// When it said last that something is not.
    pub(super) close_failed_at: Option<Instant>,
    /// When a save of a session, or a lock before one, was kept from it last by the world.
    pub(super) hindered_at: BTreeMap<usize, Instant>,
    /// Sessions that it has begun to save.
    pub(super) saves_begun: BTreeMap<usize, Instant>,
    /// And the records that it would save last.
    pub(super) written: BTreeMap<usize, SessionRecord>,
    /// Sessions whose last save found no room, and would have without their access tokens.
    pub(super) could_shed: BTreeSet<usize>,
    /// When it found last that the issuer answers.
    pub(super) probed_at: Option<Instant>,
}

impl World {
    pub(super) fn new(executor: Arc<Executor>, settings: Settings, is_traced: bool) -> Arc<Self> {
        let state = State {
            weather: Weather::default(),
            shelf: Shelf::new(settings.sessions),
            locks: Locks::default(),
            families: Families::default(),
            people: People::new(settings.sessions),
            calls: Calls::default(),
            processes: BTreeMap::new(),
            violation: None,
        };
        Arc::new(Self {
            executor,
            settings,
            trace: Trace::new(is_traced),
            state: Mutex::new(state),
        })
    }

    /// Looks at or changes what has happened; nothing that is dropped inside may come back here.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn now(&self) -> Instant {
        self.executor.now()
    }

    /// Whether this trouble is in force and strikes now.
    pub(super) fn meets(&self, trouble: Trouble) -> bool {
        let is_on = self.with(|state| state.weather.since(trouble).is_some());
        is_on
            && self
                .executor
                .draw(|random| random.percent(trouble.percent()))
    }

    /// Notes what happened.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.trace.line(self.now(), line);
    }

    /// Notes what a process did.
    pub(super) fn note_of(&self, process: ProcessId, line: impl FnOnce() -> String) {
        self.trace
            .line(self.now(), || format!("p{}  {}", process.number(), line()));
    }

    pub(super) fn trace(&self) -> String {
        self.trace.text()
    }

    /// An invariant does not hold: the schedule ends here.
    pub(super) fn violate(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("VIOLATION: {what}"));
        self.with(|state| state.violation.get_or_insert(what).clone());
    }

    pub(super) fn violation(&self) -> Option<String> {
        self.with(|state| state.violation.clone())
    }
}

impl State {
    pub(super) fn process(&mut self, process: ProcessId) -> &mut ProcessFacts {
        self.processes.entry(process).or_default()
    }

    pub(super) fn is_dead(&self, process: ProcessId) -> bool {
        let facts = self.processes.get(&process);
        facts.is_some_and(|facts| facts.killed_at.is_some())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
