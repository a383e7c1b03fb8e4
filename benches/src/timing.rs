//! Nanoseconds per call, taken in turns.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::case::Loop;

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) batch: Duration,
}

/// The median of the rounds for each case, in their order.
///
/// Every round runs one batch of every case, so that whatever slows the machine for longer than a
/// round hits all of them alike and leaves their ratios in place.
pub(crate) fn medians(loops: &[Loop], threads: usize, effort: Effort) -> Vec<f64> {
    let sizes: Vec<u64> = loops
        .iter()
        .map(|calls| size(calls, threads, effort.batch))
        .collect();
    let mut samples = vec![Vec::with_capacity(effort.rounds); loops.len()];
    for _ in 0..effort.rounds {
        for ((calls, times), sample) in loops.iter().zip(&sizes).zip(&mut samples) {
            sample.push(batch(calls, threads, *times));
        }
    }
    samples.into_iter().map(median).collect()
}

/// The middle one; of none, nothing that could be mistaken for a figure.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many calls fill a batch.
fn size(calls: &Loop, threads: usize, length: Duration) -> u64 {
    let length = length.as_nanos() as f64;
    let mut times = 64;
    loop {
        let each = batch(calls, threads, times);
        if each * times as f64 >= length / 8.0 {
            return (length / each).ceil() as u64;
        }
        times *= 4;
    }
}

/// Nanoseconds per call and thread; of several threads the slowest counts.
fn batch(calls: &Loop, threads: usize, times: u64) -> f64 {
    let measured = |calls: &Loop| {
        let start = Instant::now();
        calls(times);
        start.elapsed().as_nanos() as f64 / times as f64
    };
    if threads == 1 {
        return measured(calls);
    }
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    measured(calls)
                })
            })
            .collect();
        let figures = runs.into_iter().filter_map(|run| run.join().ok());
        figures.fold(0.0, f64::max)
    })
}
