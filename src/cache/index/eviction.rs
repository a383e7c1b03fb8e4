//! Which slot goes when there are too many: by turns, as a clock's hand goes round.
//!
//! `moka` says whose turn it is, in the order in which they came. A slot that was used since its last turn,
//! or whose failure is still to be remembered, is spared and goes to the end of the queue; the next one has
//! to make room in its place. A hit tells `moka` nothing, and what an insertion does is bounded.

use std::sync::{Arc, atomic::Ordering};

use super::{Index, lock};
use crate::cache::slot::{Eviction, Slot};

/// Slots that came one after the other, and whose turn comes together.
pub(super) struct Page(Box<[Arc<Slot>]>);

impl Page {
    pub(super) fn weight(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// `moka` takes 240 bytes for whatever it counts, so it counts pages: enough of them that its order
/// still is that of the slots, and none of more than 16.
pub(super) fn page_size(capacity: u64) -> usize {
    usize::try_from(capacity / 64).map_or(PAGE_MAX, |size| size.clamp(1, PAGE_MAX))
}

const PAGE_MAX: usize = 16;

/// How many parked slots each insertion looks at: more than one, so that they become fewer.
const PARKED_AT_ONCE: usize = 4;

/// After how many insertions those that are due make room: the cache exceeds its bound by no more than this.
const SETTLE_EVERY: u64 = 16;

/// How many slots are spared each time at most: enough to find one that was not used if a sixteenth of
/// them was not. If nearly all were used, the one that came first goes.
const SPARED_AT_ONCE: usize = 16 * 16;

impl Index {
    /// Counts a new slot, and lets others go where it is one too many.
    pub(super) fn admit(&self, slot: &Arc<Slot>) {
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed);
        self.offer_parked();
        self.offer(Arc::clone(slot));
        // `moka` works in batches of its own; a small cache should not overshoot by one of them.
        if inserted >= self.capacity && inserted.is_multiple_of(SETTLE_EVERY) {
            self.settle();
        }
    }

    /// Gives `slot` a place on a page, and the page to `moka` once it is full.
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

    /// Offers a few of the slots whose turn came while they were needed, if they no longer are.
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

    /// Decides about the slots whose turn has come, until there are no more of them than fit.
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
