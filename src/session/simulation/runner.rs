//! Many schedules, on as many threads as there are processors, and what came of them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{
    scenario::{self, Outcome},
    summary::Summary,
};

/// What a run has come to.
#[derive(Default)]
pub(super) struct Report {
    pub(super) summary: Summary,
    /// The seeds of the schedules in which something did not hold, and what; the smallest seed first.
    pub(super) violations: Vec<(u64, String)>,
}

impl Report {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.violations
            .extend(outcome.violation.map(|what| (seed, what)));
        self.summary.add(outcome.summary);
    }

    fn merge(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.violations.sort();
        self.summary.add(other.summary);
    }
}

/// Runs the schedule of one seed; a panic in it is a violation like others.
pub(super) fn schedule(seed: u64, is_traced: bool) -> Outcome {
    let ran = catch_unwind(AssertUnwindSafe(|| scenario::run(seed, is_traced)));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Outcome {
            violation: Some(format!("panic: {}", text.unwrap_or_default())),
            trace: String::new(),
            summary: Summary::default(),
        }
    })
}

/// Runs the schedules of `count` seeds from `first` on, on all processors; `progress` hears how many are
/// done.
pub(super) fn run(first: u64, count: u64, progress: impl Fn(u64) + Sync) -> Report {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, Into::into);
    let work = || {
        let mut report = Report::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || report.violations.len() >= ENOUGH {
                return report;
            }
            let seed = first.wrapping_add(number);
            report.add(seed, schedule(seed, false));
            progress(number + 1);
        }
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Report::default();
        for thread in running {
            if let Ok(report) = thread.join() {
                all.merge(report);
            }
        }
        all
    })
}

/// So many violations on one thread tell enough.
const ENOUGH: usize = 500;
