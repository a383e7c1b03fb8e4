//! What makes two requests meet in one slot, and whose slot that is.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use papaya::Equivalent;

use crate::{
    request::{Details, Parameters},
    session::Principal,
    slot::{Evictable, Pins, Slot},
    time::Moment,
};

/// The key of a slot, borrowed: principal, audience and extra parameters.
#[derive(Clone, Copy)]
pub(super) struct KeyRef<'a> {
    pub(super) principal: &'a Principal,
    pub(super) audience: &'a str,
    pub(super) parameters: &'a Parameters,
}

impl<'a> KeyRef<'a> {
    #[inline]
    pub(super) fn new(
        principal: &'a Principal,
        audience: &'a str,
        parameters: &'a Parameters,
    ) -> Self {
        Self {
            principal,
            audience,
            parameters,
        }
    }

    /// Whether it is the application's, without parameters.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        *self.principal == Principal::Application && self.parameters.is_empty()
    }

    /// The key of what `details` ask for on behalf of `principal`.
    #[inline]
    pub(super) fn of(principal: &'a Principal, details: &'a Details) -> Self {
        Self::new(principal, details.audience().as_str(), details.parameters())
    }
}

impl PartialEq for KeyRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.audience == other.audience
            && self.principal == other.principal
            && (self.parameters.is_empty() && other.parameters.is_empty()
                || self.parameters == other.parameters)
    }
}

impl Hash for KeyRef<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Keys that differ only in where a part ends collide here; the comparison tells them apart.
        state.write(self.audience.as_bytes());
        if *self.principal != Principal::Application {
            self.principal.hash(state);
        }
        if !self.parameters.is_empty() {
            self.parameters.hash(state);
        }
    }
}

/// A slot, and whose it is.
#[derive(Clone)]
pub(super) struct OwnedSlot {
    pub(super) owner: Principal,
    pub(super) slot: Arc<Slot>,
}

impl OwnedSlot {
    pub(super) fn new(owner: &Principal, slot: &Arc<Slot>) -> Self {
        Self {
            owner: owner.clone(),
            slot: Arc::clone(slot),
        }
    }

    #[inline]
    pub(super) fn key(&self) -> KeyRef<'_> {
        let audience = self.slot.audience().as_str();
        KeyRef::new(&self.owner, audience, self.slot.parameters())
    }
}

impl PartialEq for OwnedSlot {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for OwnedSlot {}

impl Hash for OwnedSlot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Equivalent<OwnedSlot> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, other: &OwnedSlot) -> bool {
        *self == other.key()
    }
}

impl Evictable for OwnedSlot {
    fn pins(&self) -> &Pins {
        self.slot.pins()
    }

    fn is_remembered(&self, now: Moment) -> bool {
        self.slot.has_live_failure(now)
    }
}
