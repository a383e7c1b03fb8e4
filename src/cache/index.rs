//! From a request to its slot, without a lock; and how many slots are kept.
//!
//! A hit reads a lock-free map and never `moka`, whose look-up costs several times as much and more
//! with every thread. `moka` bounds: it holds the same slots under a small key, evicts the one that
//! was not seen in use for longest, and what it evicts is taken out of the map. Two things it cannot
//! know are arranged here: a slot in use is put to its front once in a while (once per *epoch*, an
//! eighth of the capacity in insertions), and a slot that somebody needs is *parked* when its turn
//! comes, and offered again later.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};
use papaya::{HashMap, LocalGuard};

use super::{
    lock,
    slot::{Indexed, KeyRef, Place, Slot},
};
use crate::{
    request::Details,
    scope::{Audience, Scopes},
    time::{Moment, TimeSource},
    token::Token,
};

pub(super) struct Index {
    shared: Arc<Shared>,
    bound: Cache<u64, Arc<Slot>, RandomState>,
    epoch: AtomicU32,
    epoch_length: u64,
    inserted: AtomicU64,
    capacity: u64,
    nothing: Arc<Token>,
    clock: TimeSource,
}

/// What the eviction needs as well.
struct Shared {
    map: HashMap<Indexed, (), RandomState>,
    parked: Mutex<VecDeque<Arc<Slot>>>,
    evictions: AtomicU64,
}

impl Index {
    pub(super) fn new(capacity: u64, clock: TimeSource) -> Arc<Self> {
        let shared = Arc::new(Shared {
            map: HashMap::with_hasher(RandomState::default()),
            parked: Mutex::default(),
            evictions: AtomicU64::new(0),
        });
        let (evicting, at) = (Arc::clone(&shared), clock.clone());
        let bound = Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |_id, slot: Arc<Slot>, cause| {
                if cause == RemovalCause::Size {
                    evicting.evict(&slot, at.now());
                }
            })
            .build_with_hasher(RandomState::default());
        Arc::new(Self {
            shared,
            bound,
            epoch: AtomicU32::new(0),
            epoch_length: (capacity / 8).max(1),
            inserted: AtomicU64::new(0),
            capacity,
            nothing: Arc::new(Token::nothing()),
            clock,
        })
    }

    #[inline]
    pub(super) fn guard(&self) -> LocalGuard<'_> {
        self.shared.map.guard()
    }

    #[inline]
    pub(super) fn get<'g>(
        &self,
        key: &KeyRef<'_>,
        guard: &'g LocalGuard<'_>,
    ) -> Option<&'g Arc<Slot>> {
        self.shared
            .map
            .get_key_value(key, guard)
            .map(|(indexed, ())| &indexed.0)
    }

    /// Tells `moka`, once per epoch, that the slot is in use.
    #[inline]
    pub(super) fn touch(&self, slot: &Arc<Slot>) {
        if slot.touch(self.epoch.load(Ordering::Relaxed)) {
            self.move_to_front(slot);
        }
    }

    #[cold]
    fn move_to_front(&self, slot: &Arc<Slot>) {
        // An insertion is never dropped, as `moka` drops reads when it is busy.
        if !slot.is_retired() {
            self.bound.insert(slot.id(), Arc::clone(slot));
        }
    }

    /// The slot for `key`, kept in place as long as the result lives; a new one if there is none.
    pub(super) fn pinned(self: &Arc<Self>, key: &KeyRef<'_>, audience: &Audience) -> Pinned {
        loop {
            let slot = self.get_or_insert(key, audience);
            if slot.pin() {
                return Pinned {
                    slot,
                    index: Arc::clone(self),
                };
            }
            // It was evicted this very moment, and is about to leave the map.
            std::thread::yield_now();
        }
    }

    fn get_or_insert(&self, key: &KeyRef<'_>, audience: &Audience) -> Arc<Slot> {
        let guard = self.guard();
        if let Some(slot) = self.get(key, &guard) {
            self.touch(slot);
            return Arc::clone(slot);
        }
        let id = self.inserted.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::new(id, key, audience.clone(), &self.nothing));
        if let Err(_occupied) = self
            .shared
            .map
            .try_insert(Indexed(Arc::clone(&slot)), (), &guard)
        {
            return self.get(key, &guard).map_or(slot, Arc::clone);
        }
        self.admit(&slot, id);
        slot
    }

    /// Counts a new slot, and lets the oldest go where it is one too many.
    fn admit(&self, slot: &Arc<Slot>, id: u64) {
        if id.is_multiple_of(self.epoch_length) {
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
        slot.touch(self.epoch.load(Ordering::Relaxed));
        self.offer_parked();
        self.bound.insert(slot.id(), Arc::clone(slot));
        // `moka` evicts in batches of its own; a small cache should not overshoot by one of them.
        if id >= self.capacity && id.is_multiple_of(SETTLE_EVERY) {
            self.bound.run_pending_tasks();
        }
    }

    /// Offers a few of the slots whose eviction had to wait.
    fn offer_parked(&self) {
        for _ in 0..OFFERED_AT_ONCE {
            let Some(slot) = lock(&self.shared.parked).pop_front() else {
                return;
            };
            slot.set_parked(false);
            if !slot.is_retired() {
                self.bound.insert(slot.id(), slot);
            }
        }
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Slot>)) {
        let guard = self.guard();
        for indexed in self.shared.map.keys(&guard) {
            visit(&indexed.0);
        }
    }

    pub(super) fn evictions(&self) -> u64 {
        self.shared.evictions.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// `moka` has let `slot` go: so does the map, unless somebody needs it.
    fn evict(&self, slot: &Arc<Slot>, now: Moment) {
        if slot.retire(now) {
            let guard = self.map.guard();
            let is_same = |indexed: &Indexed, (): &()| Arc::ptr_eq(&indexed.0, slot);
            // By identity: another slot with the same key may have taken its place.
            let _removed = self.map.remove_if(&slot.key(), is_same, &guard);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        } else if !slot.is_retired() && slot.set_parked(true) {
            lock(&self.parked).push_back(Arc::clone(slot));
        }
    }
}

/// How many parked slots each insertion offers: more than one, so that they become fewer.
const OFFERED_AT_ONCE: usize = 4;

/// How often evictions are carried out at once: the cache exceeds its bound by no more than this.
const SETTLE_EVERY: u64 = 16;

/// A slot that cannot be evicted as long as this lives.
pub(crate) struct Pinned {
    slot: Arc<Slot>,
    index: Arc<Index>,
}

impl Pinned {
    /// Pins `slot`; nothing if it is no longer in the index.
    pub(super) fn new(index: &Arc<Index>, slot: &Arc<Slot>) -> Option<Self> {
        slot.pin().then(|| Self {
            slot: Arc::clone(slot),
            index: Arc::clone(index),
        })
    }

    pub(super) fn place(&self, scopes: &Scopes, now: Moment) -> Place {
        self.slot.place(scopes, now)
    }

    pub(super) fn aged_answer(&self, details: &Details) -> Option<Place> {
        self.slot.aged_answer(details, self.index.clock.now())
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
