//! What makes two requests meet in one slot.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use papaya::Equivalent;

use super::slot::Slot;
use crate::{
    request::{Details, Parameters},
    session::Principal,
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

    /// The key of what `details` ask for on behalf of `principal`.
    #[inline]
    pub(super) fn of(principal: &'a Principal, details: &'a Details) -> Self {
        Self::new(principal, details.audience.as_str(), &details.parameters)
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

/// A slot in the index, which finds it by its key.
pub(super) struct Indexed(pub(super) Arc<Slot>);

impl PartialEq for Indexed {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for Indexed {}

impl Hash for Indexed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}

impl Equivalent<Indexed> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, indexed: &Indexed) -> bool {
        *self == indexed.0.key()
    }
}
