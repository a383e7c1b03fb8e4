//! What keeps a slot from being evicted.

use std::sync::Arc;

use super::key::OwnedSlot;
use crate::{session::Principal, slot::Slot};

/// A slot that cannot be evicted as long as this lives.
pub(crate) struct Pinned(OwnedSlot);

impl Pinned {
    /// Pins the slot; `None` if it was evicted already.
    pub(super) fn new(owner: &Principal, slot: &Arc<Slot>) -> Option<Self> {
        slot.pins().pin().then(|| Self(OwnedSlot::new(owner, slot)))
    }

    pub(super) fn owner(&self) -> &Principal {
        &self.0.owner
    }

    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.0.slot
    }
}

impl Clone for Pinned {
    fn clone(&self) -> Self {
        // It is pinned already, so this cannot fail.
        self.slot().pins().pin();
        Self(self.0.clone())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.slot().pins().unpin();
    }
}
