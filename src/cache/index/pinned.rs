//! What keeps a slot from being evicted.

use std::sync::Arc;

use super::Index;
use crate::{
    cache::slot::{Slot, SlotEntry},
    request::Details,
    scope::Scopes,
    time::Moment,
};

/// A slot that cannot be evicted as long as this lives.
pub(crate) struct Pinned {
    pub(super) slot: Arc<Slot>,
    pub(super) index: Arc<Index>,
}

impl Pinned {
    /// Pins `slot`; nothing if it is no longer in the index.
    pub(in super::super) fn new(index: &Arc<Index>, slot: &Arc<Slot>) -> Option<Self> {
        slot.pin().then(|| Self {
            slot: Arc::clone(slot),
            index: Arc::clone(index),
        })
    }

    pub(in super::super) fn entry_for(&self, scopes: &Scopes, now: Moment) -> SlotEntry {
        self.slot.entry_for(scopes, now)
    }

    pub(in super::super) fn stale_superset(&self, details: &Details) -> Option<SlotEntry> {
        self.slot.stale_superset(details, self.index.clock.now())
    }
}

impl Clone for Pinned {
    fn clone(&self) -> Self {
        // It is pinned already, so this cannot fail.
        self.slot.pin();
        Self {
            slot: Arc::clone(&self.slot),
            index: Arc::clone(&self.index),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.slot.unpin();
    }
}
