//! From a request to its slot, without a lock; and how many slots there are at most.
//!
//! A hit reads a lock-free map and never `moka`, whose look-up costs several times as much and more
//! with every thread; all that a hit writes is a mark on its slot.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use foldhash::fast::RandomState;
use papaya::{HashMap, LocalGuard};

use super::{
    fast_path::FastPath,
    interner::AudienceInterner,
    key::{KeyRef, OwnedSlot},
    pinned::Pinned,
};
use crate::{
    request::Parameters,
    scope::Audience,
    session::{OpenSession, Principal},
    slot::{Eviction, Slot, SlotNames},
    time::TimeSource,
    token::Token,
};

/// All slots of a cache, by their keys.
///
/// - There is at most one slot for a key that is not retired, and it is in `map`.
/// - What `map` holds is named by its owner's list: by the session's own, or `with_parameters`. The
///   application's plain slots are on none.
/// - A slot is retired before it is removed.
pub(super) struct Index {
    map: HashMap<OwnedSlot, (), RandomState>,
    fast_path: FastPath,
    audiences: AudienceInterner,
    /// The application's slots with parameters of their own; a session knows its slots itself.
    with_parameters: SlotNames,
    eviction: Eviction<OwnedSlot>,
    evictions: AtomicU64,
    nothing: Arc<Token>,
    clock: TimeSource,
}

impl Index {
    pub(super) fn new(capacity: u64, clock: TimeSource) -> Self {
        Self {
            map: HashMap::with_hasher(RandomState::default()),
            fast_path: FastPath::new(),
            audiences: AudienceInterner::default(),
            with_parameters: SlotNames::default(),
            eviction: Eviction::new(capacity),
            evictions: AtomicU64::new(0),
            nothing: Arc::new(Token::nothing()),
            clock,
        }
    }

    /// What `read` returns for the slot of `key`; `None` if there is no slot.
    #[inline]
    pub(super) fn with_slot<R>(
        &self,
        key: &KeyRef<'_>,
        read: impl FnOnce(&Arc<Slot>) -> Option<R>,
    ) -> Option<R> {
        match self.fast_path.find(key) {
            Some(slot) => read(slot),
            None => self.with_mapped(key, read),
        }
    }

    #[inline(never)]
    fn with_mapped<R>(
        &self,
        key: &KeyRef<'_>,
        read: impl FnOnce(&Arc<Slot>) -> Option<R>,
    ) -> Option<R> {
        let guard = self.map.guard();
        read(self.get(key, &guard)?)
    }

    #[inline]
    fn get<'g>(&self, key: &KeyRef<'_>, guard: &'g LocalGuard<'_>) -> Option<&'g Arc<Slot>> {
        self.map
            .get_key_value(key, guard)
            .map(|(owned, ())| &owned.slot)
    }

    /// The slot for `key`, pinned as long as the result lives; a new one if there is none.
    pub(super) fn pin(&self, key: &KeyRef<'_>, audience: &Audience) -> Pinned {
        loop {
            let slot = self.get_or_insert(key, audience);
            if let Some(pinned) = Pinned::new(key.principal, &slot) {
                return pinned;
            }
            // Another thread evicts it at this moment, and is about to remove it from the map.
            std::thread::yield_now();
        }
    }

    fn get_or_insert(&self, key: &KeyRef<'_>, audience: &Audience) -> Arc<Slot> {
        let guard = self.map.guard();
        loop {
            if let Some(slot) = self.get(key, &guard) {
                slot.pins().touch();
                return Arc::clone(slot);
            }
            let audience = self.audiences.intern(audience);
            let slot = Slot::new(audience, key.parameters.clone(), &self.nothing);
            let owned = OwnedSlot::new(key.principal, &Arc::new(slot));
            let names = self.names_of(key);
            // Locked over both steps, so that the names are those of the slots in the map.
            let mut names = names.map(SlotNames::lock);
            // Another call may have inserted one first, and that one may have been evicted since.
            if self.map.try_insert(owned.clone(), (), &guard).is_ok() {
                if let Some(names) = &mut names {
                    names.add(owned.slot.audience(), key.parameters);
                }
                drop(names);
                self.fast_path.add(key, &owned.slot);
                let slot = Arc::clone(&owned.slot);
                let now = || self.clock.now();
                self.eviction.admit(owned, now, |owned| self.remove(owned));
                return slot;
            }
        }
    }

    /// Removes a retired slot by identity: another slot may have its key by now.
    fn remove(&self, owned: &OwnedSlot) {
        let (key, slot, guard) = (owned.key(), &owned.slot, self.map.guard());
        let mut names = self.names_of(&key).map(SlotNames::lock);
        let is_same = |other: &OwnedSlot, (): &()| Arc::ptr_eq(&other.slot, slot);
        let removed = self.map.remove_if(&key, is_same, &guard);
        if let (Some(names), Ok(Some(_))) = (&mut names, removed) {
            names.remove(slot.audience(), key.parameters);
        }
        drop(names);
        if key.is_plain() {
            // The fast path may keep the slot for good; it must not keep its tokens.
            slot.clear(u64::MAX);
        }
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    /// The list that names the slot of this key; the application's plain slots are on none.
    fn names_of<'a>(&'a self, key: &KeyRef<'a>) -> Option<&'a SlotNames> {
        match key.principal {
            Principal::Session(open) => Some(open.slots()),
            Principal::Application if key.parameters.is_empty() => None,
            Principal::Application => Some(&self.with_parameters),
        }
    }

    /// Visits every slot of this audience: the plain one, and those with parameters.
    pub(super) fn of_audience(
        &self,
        principal: &Principal,
        audience: &Audience,
        mut visit: impl FnMut(&Slot),
    ) {
        let (plain, named) = match principal {
            Principal::Application => (Some(Parameters::none()), &self.with_parameters),
            Principal::Session(open) => (None, open.slots()),
        };
        for parameters in plain.into_iter().chain(named.of(audience)) {
            self.visit(principal, audience, &parameters, &mut visit);
        }
    }

    /// Visits every slot of this session, and no other.
    pub(super) fn of_session(&self, open: &Arc<OpenSession>, mut visit: impl FnMut(&Slot)) {
        let principal = Principal::Session(Arc::clone(open));
        for (audience, parameters) in open.slots().all() {
            self.visit(&principal, &audience, &parameters, &mut visit);
        }
    }

    fn visit(
        &self,
        principal: &Principal,
        audience: &Audience,
        parameters: &Parameters,
        visit: &mut impl FnMut(&Slot),
    ) {
        let key = KeyRef::new(principal, audience.as_str(), parameters);
        let guard = self.map.guard();
        if let Some(slot) = self.get(&key, &guard) {
            visit(slot);
        }
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.map.len()
    }
}
