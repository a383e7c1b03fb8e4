//! What a client has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use super::index::Index;

/// What a client has done so far, from [`Client::stats`](crate::Client::stats).
///
/// Hits are not counted: a counter that all threads write would cost more than the hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Flights that were started: each makes one token request, or a few where it is retried.
    pub flights: u64,
    /// Of these, the ones that no caller waited for: refreshes ahead of time.
    pub background_flights: u64,
    /// Calls that waited for a flight which another call had started.
    pub joined: u64,
    /// Flights that ended with an error, or with a token that has fewer scopes than were asked for.
    pub failures: u64,
    /// Calls that got a remembered failure, without a request.
    pub remembered: u64,
    /// Slots that were evicted to make room for others.
    pub evictions: u64,
    /// Slots in the cache now: one for each audience of each session that tokens were asked for.
    pub slots: usize,
    /// Sessions that this process knows now: those with slots, clients or handles, and those with changes
    /// that the store has not taken yet.
    pub open_sessions: usize,
}

/// The counters behind [`Stats`]; only misses write them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) flights: AtomicU64,
    pub(super) background: AtomicU64,
    pub(super) joined: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) remembered: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self, index: &Index, open_sessions: usize) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            flights: read(&self.flights),
            background_flights: read(&self.background),
            joined: read(&self.joined),
            failures: read(&self.failures),
            remembered: read(&self.remembered),
            evictions: index.evictions(),
            slots: index.slots(),
            open_sessions,
        }
    }
}
