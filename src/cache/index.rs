//! From a request to its slot, without a lock; and how many slots there are at most.
//!
//! A hit finds the slot of an application's audience on the fast path, that of a session through the session
//! itself, and any other in a lock-free map. It never reads `moka`, whose look-up costs several times as much
//! and more with every thread; all that a hit writes is a mark on its slot.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use foldhash::fast::RandomState;
use papaya::HashMap;

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
/// - There is at most one slot for a key that is not retired. It is among the first of its session, or else in
///   `map`.
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
        if key.parameters.is_empty() {
            match key.principal {
                Principal::Application => {
                    if let Some(slot) = self.fast_path.find(key.audience) {
                        return read(slot);
                    }
                }
                Principal::Session(open) => {
                    if let Some(slot) = open.slots().find(key.audience) {
                        return read(slot);
                    }
                }
            }
        }
        self.with_mapped(key, read)
    }

    #[inline(never)]
    fn with_mapped<R>(
        &self,
        key: &KeyRef<'_>,
        read: impl FnOnce(&Arc<Slot>) -> Option<R>,
    ) -> Option<R> {
        let map = self.map.pin();
        let (owned, ()) = map.get_key_value(key)?;
        read(&owned.slot)
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
        if let Some(slot) = self.find(key) {
            slot.pins().touch();
            return slot;
        }
        let audience = self.audiences.intern(audience);
        let slot = Arc::new(Slot::new(audience, key.parameters.clone(), &self.nothing));
        let owned = OwnedSlot::new(key.principal, &slot);
        if let Some(faster) = self.insert(&owned) {
            return faster;
        }
        let now = || self.clock.now();
        self.eviction.admit(owned, now, |owned| self.remove(owned));
        slot
    }

    fn find(&self, key: &KeyRef<'_>) -> Option<Arc<Slot>> {
        self.with_slot(key, |slot| Some(Arc::clone(slot)))
    }

    /// Inserts a new slot, unless another call was faster: then the result is the slot of that one.
    fn insert(&self, owned: &OwnedSlot) -> Option<Arc<Slot>> {
        let (key, slot) = (owned.key(), &owned.slot);
        match key.principal {
            Principal::Session(open) => {
                let mut slots = open.slots().lock();
                if let Some(faster) = self.find(&key) {
                    return Some(faster);
                }
                if !slots.add(slot) {
                    self.map.pin().insert(owned.clone(), ());
                    slots.mapped.add(slot.audience(), key.parameters);
                }
            }
            Principal::Application if key.is_plain() => {
                // The one that is there may be removed before it is found.
                while self.map.pin().try_insert(owned.clone(), ()).is_err() {
                    if let Some(faster) = self.find(&key) {
                        return Some(faster);
                    }
                }
                self.fast_path.add(slot);
            }
            Principal::Application => {
                let mut names = self.with_parameters.lock();
                if let Some(faster) = self.find(&key) {
                    return Some(faster);
                }
                self.map.pin().insert(owned.clone(), ());
                names.add(slot.audience(), key.parameters);
            }
        }
        None
    }

    /// Removes a retired slot by identity: another slot may have its key by now.
    fn remove(&self, owned: &OwnedSlot) {
        let (key, slot) = (owned.key(), &owned.slot);
        let is_same = |other: &OwnedSlot, (): &()| Arc::ptr_eq(&other.slot, slot);
        let unmap = || matches!(self.map.pin().remove_if(&key, is_same), Ok(Some(_)));
        match key.principal {
            Principal::Session(open) => {
                let mut slots = open.slots().lock();
                if slots.is_first(slot) {
                    // Its session may keep it for good; it must not keep its tokens.
                    slot.clear(u64::MAX);
                } else if unmap() {
                    slots.mapped.remove(slot.audience(), key.parameters);
                }
            }
            Principal::Application if key.is_plain() => {
                unmap();
                // The fast path may keep the slot for good; it must not keep its tokens.
                slot.clear(u64::MAX);
            }
            Principal::Application => {
                let mut names = self.with_parameters.lock();
                if unmap() {
                    names.remove(slot.audience(), key.parameters);
                }
            }
        }
        self.evictions.fetch_add(1, Ordering::Relaxed);
    }

    /// Visits every slot of this audience: the plain one, and those with parameters.
    pub(super) fn of_audience(
        &self,
        principal: &Principal,
        audience: &Audience,
        mut visit: impl FnMut(&Slot),
    ) {
        let none = Parameters::none();
        let (first, mapped) = match principal {
            Principal::Application => {
                self.visit(principal, audience, &none, &mut visit);
                (Vec::new(), self.with_parameters.lock().of(audience))
            }
            Principal::Session(open) => {
                let slots = open.slots().lock();
                (slots.of(audience), slots.mapped.of(audience))
            }
        };
        for slot in &first {
            visit(slot);
        }
        for parameters in mapped {
            self.visit(principal, audience, &parameters, &mut visit);
        }
    }

    /// Visits every slot of this session, and no other.
    pub(super) fn of_session(&self, open: &Arc<OpenSession>, mut visit: impl FnMut(&Slot)) {
        let principal = Principal::Session(Arc::clone(open));
        let slots = open.slots().lock();
        let (first, mapped) = (slots.first(), slots.mapped.all());
        drop(slots);
        for slot in &first {
            visit(slot);
        }
        for (audience, parameters) in mapped {
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
        if let Some(slot) = self.find(&key) {
            visit(&slot);
        }
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        let slots = self.eviction.admitted().saturating_sub(self.evictions());
        usize::try_from(slots).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::OpenSessions;

    /// The slots of one session: more than it leads to itself, and one with parameters.
    fn filled(index: &Index, alice: &Principal) -> Vec<Pinned> {
        let (none, audience) = (Parameters::none(), |n| Audience::from(format!("api{n}")));
        let some = none.with("prompt".into(), "none".into());
        let pin = |audience: &Audience, parameters: &Parameters| {
            let key = KeyRef::new(alice, audience.as_str(), parameters);
            index.pin(&key, audience)
        };
        let mut all: Vec<Pinned> = (0..6).map(|n| pin(&audience(n), &none)).collect();
        all.push(pin(&audience(0), &some));
        for pinned in &all {
            let again = pin(pinned.slot().audience(), pinned.slot().parameters());
            assert!(
                Arc::ptr_eq(again.slot(), pinned.slot()),
                "a key has one slot"
            );
        }
        all
    }

    fn count(index: &Index, open: &Arc<OpenSession>) -> usize {
        let mut count = 0;
        index.of_session(open, |_| count += 1);
        count
    }

    #[test]
    fn a_session_has_all_its_slots_whether_it_leads_to_them_or_the_map_does() {
        let index = Index::new(1000, TimeSource::default());
        let open = Arc::<OpenSessions>::default().open("alice");
        let (alice, other) = (Principal::Session(Arc::clone(&open)), "api0".into());
        let all = filled(&index, &alice);
        assert_eq!((index.slots(), count(&index, &open)), (7, 7));
        let mut named = 0;
        index.of_audience(&alice, &other, |_| named += 1);
        assert_eq!(named, 2, "the plain one, and the one with parameters");
        index.of_audience(&Principal::Application, &other, |_| named += 1);
        assert_eq!(named, 2, "none of them is the application's");
        drop(all);
    }

    #[test]
    fn a_slot_that_was_evicted_is_gone_from_its_session_and_the_next_takes_its_place() {
        let index = Index::new(1000, TimeSource::default());
        let open = Arc::<OpenSessions>::default().open("alice");
        let alice = Principal::Session(Arc::clone(&open));
        let slots: Vec<_> = filled(&index, &alice)
            .iter()
            .map(|pinned| Arc::clone(pinned.slot()))
            .collect();
        for slot in &slots {
            assert!(slot.pins().retire());
            index.remove(&OwnedSlot::new(&alice, slot));
        }
        assert_eq!((index.slots(), count(&index, &open)), (0, 0));
        assert!(open.slots().is_empty());
        let all = filled(&index, &alice);
        let is_old = |pinned: &Pinned| slots.iter().any(|slot| Arc::ptr_eq(slot, pinned.slot()));
        assert!(!all.iter().any(is_old));
        assert_eq!((index.slots(), count(&index, &open)), (7, 7));
    }

    #[test]
    fn threads_that_ask_and_evict_never_have_two_slots_of_one_key() {
        let index = Index::new(1000, TimeSource::default());
        let open = Arc::<OpenSessions>::default().open("alice");
        let alice = Principal::Session(Arc::clone(&open));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let slots: Vec<_> = filled(&index, &alice)
                            .iter()
                            .map(|pinned| Arc::clone(pinned.slot()))
                            .collect();
                        for slot in slots.iter().filter(|slot| slot.pins().retire()) {
                            index.remove(&OwnedSlot::new(&alice, slot));
                        }
                    }
                });
            }
        });
        assert_eq!(count(&index, &open), index.slots());
    }
}
