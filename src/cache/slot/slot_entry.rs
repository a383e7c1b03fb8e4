//! Where in a slot a request is answered.

use std::sync::Arc;

use super::{Entry, Slot};
use crate::{request::Details, session::Principal, time::Moment};

/// Where a request is answered: a slot and, if scopes are named, one of its entries.
#[derive(Clone)]
pub(crate) struct SlotEntry {
    pub(super) slot: Arc<Slot>,
    pub(super) scoped: Option<Arc<Entry>>,
}

impl SlotEntry {
    pub(in super::super) fn unscoped(slot: &Arc<Slot>) -> Self {
        Self {
            slot: Arc::clone(slot),
            scoped: None,
        }
    }

    #[inline]
    pub(in super::super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry {
        self.scoped.as_deref().unwrap_or(self.slot.unscoped())
    }

    /// A flight for this entry has ended.
    pub(in super::super) fn settle(&self, now: Moment) {
        if let Some(entry) = &self.scoped {
            self.slot.settle(entry, now);
        }
    }

    /// What a flight for this entry asks for.
    pub(in super::super) fn details(&self) -> Details {
        Details::for_key(
            &self.slot.audience,
            self.entry().scopes(),
            &self.slot.parameters,
        )
    }

    pub(in super::super) fn principal(&self) -> &Principal {
        &self.slot.principal
    }
}
