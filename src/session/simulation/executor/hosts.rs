//! Hosts and their clocks; processes that are paused, killed, and whose host sleeps.

use std::{mem, time::Duration};

use super::{Executor, Inner, Instant, ProcessId, TaskId, timers::Timers};
use crate::time::Moment;

/// A machine: its processes share its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostId(pub(super) usize);

pub(super) struct Host {
    /// How long it had been up when the schedule began; less once it has been started again. In nanoseconds.
    uptime: i128,
    /// How long its monotonic clock stood still, in nanoseconds.
    slept: u64,
    pub(super) suspended_at: Option<Instant>,
    /// How far its wall clock is ahead, in nanoseconds.
    ahead: i128,
}

pub(super) struct Process {
    pub(super) host: HostId,
    pub(super) is_alive: bool,
    pub(super) is_paused: bool,
    /// When it stood still: paused, or with its host.
    stops: Vec<(Instant, Option<Instant>)>,
    /// Tasks that were woken while it stood still.
    pub(super) parked: Vec<TaskId>,
    pub(super) timers: Timers,
}

impl HostId {
    pub(super) const WORLD: Self = Self(0);
}

impl Host {
    pub(super) fn new(uptime: Duration, ahead: i128) -> Self {
        Self {
            uptime: i128::try_from(uptime.as_nanos()).unwrap_or(0),
            slept: 0,
            suspended_at: None,
            ahead,
        }
    }

    /// Its monotonic clock, which stands still while it sleeps.
    pub(super) fn monotonic(&self, now: Instant) -> u64 {
        let asleep = self.suspended_at.map_or(0, |at| now.0 - at.0);
        let up = i128::from(now.0 - self.slept - asleep) + self.uptime;
        u64::try_from(up).unwrap_or(0)
    }

    /// When its monotonic clock shows `monotonic`, if it does not sleep until then.
    pub(super) fn instant(&self, monotonic: u64) -> Instant {
        let since_start = i128::from(monotonic) - self.uptime;
        let instant = since_start + i128::from(self.slept);
        Instant(u64::try_from(instant.max(0)).unwrap_or(u64::MAX))
    }

    pub(super) fn clocks(&self, now: Instant) -> Moment {
        let monotonic = Duration::from_nanos(self.monotonic(now));
        let wall = i128::from(START) + i128::from(now.0) + self.ahead;
        let wall = u64::try_from(wall).unwrap_or(0);
        Moment::new(monotonic, Duration::from_nanos(wall))
    }
}

impl Process {
    pub(super) fn on(host: HostId) -> Self {
        Self {
            host,
            is_alive: true,
            is_paused: false,
            stops: Vec::new(),
            parked: Vec::new(),
            timers: Timers::new(),
        }
    }

    fn stop(&mut self, now: Instant) {
        if self.stops.last().is_none_or(|(_, until)| until.is_some()) {
            self.stops.push((now, None));
        }
    }

    fn go_on(&mut self, now: Instant) {
        if let Some((_, until @ None)) = self.stops.last_mut() {
            *until = Some(now);
        }
    }
}

impl Executor {
    /// A machine that has been up for so long; its wall clock is ahead by so many nanoseconds.
    pub(crate) fn add_host(&self, uptime: Duration, ahead: i128) -> HostId {
        let mut inner = self.lock();
        inner.hosts.push(Host::new(uptime, ahead));
        inner.note_spread();
        HostId(inner.hosts.len() - 1)
    }

    pub(crate) fn start_process(&self, host: HostId) -> ProcessId {
        let mut inner = self.lock();
        let (mut process, now) = (Process::on(host), inner.now);
        if inner.hosts[host.0].suspended_at.is_some() {
            process.stop(now);
        }
        inner.processes.push(process);
        ProcessId(inner.processes.len() - 1)
    }

    pub(crate) fn is_alive(&self, process: ProcessId) -> bool {
        self.lock().processes[process.0].is_alive
    }

    /// Ends a process where it stands: nothing of it runs any more, not even what is dropped.
    pub(crate) fn kill(&self, process: ProcessId) {
        let mut inner = self.lock();
        let entry = &mut inner.processes[process.0];
        entry.is_alive = false;
        let timers = mem::take(&mut entry.timers);
        let dropped = inner.tasks.take_of(process);
        drop(inner);
        // They ask whether their process is alive before they do anything.
        drop((timers, dropped));
    }

    /// As SIGSTOP does.
    pub(crate) fn pause(&self, process: ProcessId) {
        let mut inner = self.lock();
        let now = inner.now;
        let process = &mut inner.processes[process.0];
        process.is_paused = true;
        process.stop(now);
    }

    pub(crate) fn resume(&self, process: ProcessId) {
        self.lock().processes[process.0].is_paused = false;
        self.wake(process);
    }

    /// Its processes stand still, and so does its monotonic clock.
    pub(crate) fn suspend(&self, host: HostId) {
        let mut inner = self.lock();
        let now = inner.now;
        inner.hosts[host.0].suspended_at.get_or_insert(now);
        let processes = inner.processes.iter_mut();
        let own = processes.filter(|process| process.host == host && process.is_alive);
        own.for_each(|process| process.stop(now));
    }

    pub(crate) fn wake_host(&self, host: HostId) {
        let mut inner = self.lock();
        let now = inner.now;
        let entry = &mut inner.hosts[host.0];
        if let Some(at) = entry.suspended_at.take() {
            entry.slept += now.0 - at.0;
        }
        let all = 0..inner.processes.len();
        let own: Vec<_> = all
            .filter(|number| inner.processes[*number].host == host)
            .collect();
        drop(inner);
        for number in own {
            self.wake(ProcessId(number));
        }
    }

    /// Its monotonic clock starts anew; its processes were killed before.
    pub(crate) fn reboot(&self, host: HostId) {
        let mut inner = self.lock();
        let now = inner.now;
        let entry = &mut inner.hosts[host.0];
        entry.suspended_at = None;
        entry.uptime = i128::from(entry.slept) - i128::from(now.0);
    }

    /// Sets its wall clock forward or back, by so many nanoseconds.
    pub(crate) fn step_clock(&self, host: HostId, by: i128) {
        let mut inner = self.lock();
        inner.hosts[host.0].ahead += by;
        inner.note_spread();
    }

    /// How far apart wall clocks have been at most, those of one host before and after it was set included.
    pub(crate) fn clock_spread(&self) -> Duration {
        let inner = self.lock();
        let (least, most) = inner.spread;
        Duration::from_nanos(u64::try_from(most - least).unwrap_or(u64::MAX))
    }

    /// Whether the process stood still at any time since `from`.
    pub(crate) fn has_stopped_since(&self, process: ProcessId, from: Instant) -> bool {
        let inner = self.lock();
        let stops = &inner.processes[process.0].stops;
        stops
            .iter()
            .any(|(_, until)| until.is_none_or(|until| until >= from))
    }

    /// How long the process stood still since `from`.
    pub(crate) fn stopped_since(&self, process: ProcessId, from: Instant) -> Duration {
        let inner = self.lock();
        let stops = &inner.processes[process.0].stops;
        let parts = stops.iter().map(|(start, until)| {
            let end = until.unwrap_or(inner.now);
            end.since(from.max(*start))
        });
        parts.sum()
    }

    /// Since when the process has run for `duration` until `at`.
    pub(crate) fn ran_since(&self, process: ProcessId, duration: Duration, at: Instant) -> Instant {
        let inner = self.lock();
        let mut since = at.before(duration);
        for (start, until) in inner.processes[process.0].stops.iter().rev() {
            let end = until.unwrap_or(inner.now).min(at);
            if *start < at && end > since {
                since = since.before(end.since(*start));
            }
        }
        since
    }

    /// What was woken while it stood still can be polled, if it runs again.
    fn wake(&self, process: ProcessId) {
        let mut inner = self.lock();
        if !inner.is_running(process) {
            return;
        }
        let now = inner.now;
        let entry = &mut inner.processes[process.0];
        entry.go_on(now);
        let parked = mem::take(&mut entry.parked);
        drop(inner);
        for task in parked {
            self.ready.push(task);
        }
    }
}

impl Inner {
    fn note_spread(&mut self) {
        let own = self.hosts.iter().skip(1).map(|host| host.ahead);
        let (least, most) = &mut self.spread;
        for ahead in own {
            *least = ahead.min(*least);
            *most = ahead.max(*most);
        }
    }
}

/// The wall clock when a schedule begins, in nanoseconds since the Unix epoch: some day in 2027.
const START: u64 = 1_800_000_000_000_000_000;
