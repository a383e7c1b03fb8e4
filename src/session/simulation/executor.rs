//! One thread, many processes: tasks in an order that the seed draws, and time that only this moves.
//!
//! Each task belongs to a process and each process to a host. A process that is paused is not polled,
//! and its timers do not fire before it goes on; one that is killed is dropped where it stands.

mod hosts;
mod tasks;
mod timers;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

pub(super) use hosts::HostId;
use hosts::{Host, Process};
pub(super) use tasks::TaskId;
use tasks::{Ready, TaskWaker, Tasks};
pub(super) use timers::Sleep;

use super::random::Random;
use crate::{session::environment::Boxed, time::Moment};

/// The processes of one schedule, and the only clock that they have.
pub(super) struct Executor {
    inner: Mutex<Inner>,
    ready: Arc<Ready>,
}

/// One process, from its start to its end: one that is started again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessId(usize);

/// Where the store's server, the issuer and the people are: it is never paused nor killed.
pub(super) const WORLD: ProcessId = ProcessId(0);

/// Since the schedule began, by a clock that no process sees. In nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) u64);

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A task was polled.
    Polled,
    /// Nothing could be polled: time has moved to the next timer.
    Waited,
    /// Nothing can be polled and nothing is waited for.
    Idle,
    /// So much was polled that this schedule does not end by itself.
    Runaway,
}

struct Inner {
    random: Random,
    now: Instant,
    polls: u64,
    tasks: Tasks,
    processes: Vec<Process>,
    hosts: Vec<Host>,
    next_timer: u64,
    /// How far ahead wall clocks have been, at least and at most; in nanoseconds.
    spread: (i128, i128),
}

impl Executor {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let (world, nowhere) = (Process::on(HostId::WORLD), Host::new(Duration::ZERO, 0));
        Arc::new(Self {
            ready: Arc::default(),
            inner: Mutex::new(Inner {
                random: Random::new(seed),
                now: Instant(0),
                polls: 0,
                tasks: Tasks::default(),
                processes: vec![world],
                hosts: vec![nowhere],
                next_timer: 0,
                spread: (0, 0),
            }),
        })
    }

    /// Draws from the schedule's one source of chance.
    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.lock().random)
    }

    pub(super) fn now(&self) -> Instant {
        self.lock().now
    }

    /// How many tasks were polled.
    pub(super) fn polls(&self) -> u64 {
        self.lock().polls
    }

    /// Both clocks, as this process reads them.
    pub(super) fn clocks(&self, process: ProcessId) -> Moment {
        let inner = self.lock();
        inner.host(process).clocks(inner.now)
    }

    /// Runs `work` in `process`; one that has been killed runs nothing.
    pub(super) fn spawn(&self, process: ProcessId, work: Boxed<'static, ()>) -> TaskId {
        let mut inner = self.lock();
        let is_alive = inner.processes[process.0].is_alive;
        let id = inner
            .tasks
            .add(process, &self.ready, is_alive.then_some(work));
        drop(inner);
        self.ready.push(id);
        id
    }

    /// Ends a task where it stands: what it holds is dropped as in a running process.
    pub(super) fn abort(&self, task: TaskId) {
        let dropped = self.lock().tasks.remove(task);
        drop(dropped);
    }

    pub(super) fn sleep(self: &Arc<Self>, process: ProcessId, duration: Duration) -> Sleep {
        Sleep::new(Arc::clone(self), process, duration)
    }

    /// Polls one task, or moves time where there is none to poll.
    pub(super) fn step(&self) -> Step {
        let mut inner = self.lock();
        if inner.polls > POLLS {
            return Step::Runaway;
        }
        // A machine is slow now and then: a timer fires although there is work to do.
        let is_slow = inner.random.once_in(SLOW) && inner.fire_next(SOON);
        let Some(id) = self.runnable(&mut inner) else {
            let has_waited = is_slow || inner.fire_next(Duration::MAX);
            return if has_waited { Step::Waited } else { Step::Idle };
        };
        inner.polls += 1;
        let Some((work, waker)) = inner.tasks.take(id) else {
            return Step::Polled;
        };
        drop(inner);
        self.poll(id, work, &waker);
        Step::Polled
    }

    fn poll(&self, id: TaskId, mut work: Boxed<'static, ()>, waker: &Arc<TaskWaker>) {
        waker.is_polled();
        let waker = Waker::from(Arc::clone(waker));
        let outcome = work.as_mut().poll(&mut Context::from_waker(&waker));
        let left = match outcome {
            Poll::Ready(()) => {
                self.lock().tasks.remove(id);
                Some(work)
            }
            Poll::Pending => self.lock().tasks.put_back(id, work),
        };
        // Without the lock: what it holds may want something here while it is dropped.
        drop(left);
    }

    /// One of the tasks that can be polled.
    fn runnable(&self, inner: &mut Inner) -> Option<TaskId> {
        let mut ready = self.ready.lock();
        while !ready.is_empty() {
            let drawn = inner.random.below(ready.len());
            let id = ready.swap_remove(drawn);
            let Some(process) = inner.tasks.process(id) else {
                continue;
            };
            if inner.is_running(process) {
                return Some(id);
            }
            inner.processes[process.0].parked.push(id);
        }
        None
    }

    /// Ends everything: tasks hold the executor that holds them.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        for process in &mut inner.processes {
            process.is_alive = false;
        }
        let dropped = inner.tasks.take_all();
        drop(inner);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn host(&self, process: ProcessId) -> &Host {
        &self.hosts[self.processes[process.0].host.0]
    }

    fn is_running(&self, process: ProcessId) -> bool {
        let process = &self.processes[process.0];
        let is_suspended = self.hosts[process.host.0].suspended_at.is_some();
        process.is_alive && !process.is_paused && !is_suspended
    }
}

impl Instant {
    pub(super) fn plus(self, duration: Duration) -> Self {
        let by = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(by))
    }

    pub(super) fn before(self, duration: Duration) -> Self {
        let by = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(by))
    }

    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl ProcessId {
    pub(super) fn number(self) -> usize {
        self.0
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

/// A schedule of a hundred events takes some thousands: this one goes round in a circle.
const POLLS: u64 = 400_000;

/// How seldom a timer overtakes work that could be done: once in so many steps.
const SLOW: u32 = 250;

/// And how soon it has to end for that.
const SOON: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
