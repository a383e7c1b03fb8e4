//! Which slot is evicted when there are too many: the second-chance ("clock") policy.
//!
//! `moka` names the candidates in the order of their insertion. Of these,
//!
//! - a pinned slot is parked, and is a candidate again later: it is never evicted;
//! - a slot that was used since it was last a candidate, or whose failure still has to be remembered, is
//!   spared once more and goes to the end of the queue;
//! - any other is retired in one atomic step, and can never be pinned or found again.
//!
//! A hit tells `moka` nothing, and the work of one insertion is bounded.

use std::sync::{Arc, atomic::Ordering};

use super::{Index, lock};
use crate::cache::slot::{Eviction, Slot};

/// Slots that were inserted one after the other, and become candidates together.
pub(super) struct Page(Box<[Arc<Slot>]>);

impl Page {
    pub(super) fn weight(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// Slots per page. `moka` takes 240 bytes for each item, so its items are pages: enough of them that their
/// order is nearly that of the slots, and none of more than 16.
pub(super) fn page_size(capacity: u64) -> usize {
    usize::try_from(capacity / 64).map_or(PAGE_MAX, |size| size.clamp(1, PAGE_MAX))
}

const PAGE_MAX: usize = 16;

/// How many parked slots each insertion checks: more than one, so that they become fewer.
const PARKED_AT_ONCE: usize = 4;

/// After how many insertions the candidates are decided on: the cache exceeds its bound by no more than this.
const SETTLE_EVERY: u64 = 16;

/// How many slots are spared each time at most: enough to find an unused one if a sixteenth of them is
/// unused. If nearly all were used, the oldest is evicted.
const SPARED_AT_ONCE: usize = 16 * 16;

impl Index {
    /// Counts a new slot, and evicts others where it is one too many.
    pub(super) fn admit(&self, slot: &Arc<Slot>) {
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed);
        self.offer_parked();
        self.offer(Arc::clone(slot));
        // `moka` works in batches; a small cache should not overshoot by one of them.
        if inserted >= self.capacity && inserted.is_multiple_of(SETTLE_EVERY) {
            self.settle();
        }
    }

    /// Adds `slot` to a page, and gives the page to `moka` once it is full.
    fn offer(&self, slot: Arc<Slot>) {
        let mut filling = lock(&self.filling);
        filling.push(slot);
        if filling.len() < self.page_size {
            return;
        }
        let slots = std::mem::take(&mut *filling).into_boxed_slice();
        drop(filling);
        let id = self.pages.fetch_add(1, Ordering::Relaxed);
        self.bound().insert(id, Arc::new(Page(slots)));
    }

    /// Offers a few of the parked slots again, if they are no longer pinned.
    fn offer_parked(&self) {
        for _ in 0..PARKED_AT_ONCE {
            let Some(slot) = lock(&self.parked).pop_front() else {
                return;
            };
            if slot.is_pinned() {
                lock(&self.parked).push_back(slot);
            } else {
                self.offer(slot);
            }
        }
    }

    /// Decides about the candidates, until there are no more slots than fit.
    fn settle(&self) {
        let now = self.clock.now();
        let mut left = SPARED_AT_ONCE;
        loop {
            self.bound().run_pending_tasks();
            let due = std::mem::take(&mut *lock(&self.due));
            if due.is_empty() {
                return;
            }
            for slot in due.iter().flat_map(|page| &page.0) {
                match slot.try_evict(now, left > 0) {
                    Eviction::Retired => self.remove(slot),
                    Eviction::Needed => lock(&self.parked).push_back(Arc::clone(slot)),
                    Eviction::Spared => {
                        left -= 1;
                        self.offer(Arc::clone(slot));
                    }
                }
            }
        }
    }
}
