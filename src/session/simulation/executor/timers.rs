//! Timers: by the monotonic clock of the host whose process waits.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Executor, Inner, Instant, ProcessId};

/// The timers of one process, by their ends on its host's monotonic clock.
pub(super) type Timers = BTreeMap<(u64, u64), Waker>;

/// Ends when its process's monotonic clock has moved on by so much, and its process runs.
#[must_use = "nothing is waited for before this is awaited"]
pub(crate) struct Sleep {
    executor: Arc<Executor>,
    process: ProcessId,
    deadline: u64,
    /// Its number among the timers, once it is one.
    timer: Option<u64>,
}

impl Sleep {
    pub(super) fn new(executor: Arc<Executor>, process: ProcessId, duration: Duration) -> Self {
        let deadline = {
            let inner = executor.lock();
            let monotonic = inner.host(process).monotonic(inner.now);
            Instant(monotonic).plus(duration).0
        };
        Self {
            executor,
            process,
            deadline,
            timer: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let executor = Arc::clone(&self.executor);
        let mut inner = executor.lock();
        if inner.host(self.process).monotonic(inner.now) >= self.deadline {
            return Poll::Ready(());
        }
        let number = *self.timer.get_or_insert_with(|| {
            inner.next_timer += 1;
            inner.next_timer
        });
        let timers = &mut inner.processes[self.process.0].timers;
        timers.insert((self.deadline, number), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            let mut inner = self.executor.lock();
            let timers = &mut inner.processes[self.process.0].timers;
            timers.remove(&(self.deadline, number));
        }
    }
}

impl Inner {
    /// Moves time to the next timer of a running process, and fires all that have ended by then; false
    /// if there is none within so long.
    pub(super) fn fire_next(&mut self, within: Duration) -> bool {
        let ends = (0..self.processes.len()).filter_map(|number| self.next_end(ProcessId(number)));
        let latest = self.now.plus(within);
        let Some(next) = ends.min().filter(|next| *next <= latest) else {
            return false;
        };
        self.now = self.now.max(next);
        for number in 0..self.processes.len() {
            if self.is_running(ProcessId(number)) {
                let ended = self.host(ProcessId(number)).monotonic(self.now);
                let timers = &mut self.processes[number].timers;
                let later = timers.split_off(&(ended + 1, 0));
                let fired = std::mem::replace(timers, later);
                fired.into_values().for_each(Waker::wake);
            }
        }
        true
    }

    /// When the next timer of a running process ends.
    pub(super) fn next_end(&self, process: ProcessId) -> Option<Instant> {
        let (deadline, _) = *self.processes[process.0].timers.keys().next()?;
        self.is_running(process)
            .then(|| self.host(process).instant(deadline))
    }
}
