//! From a request to its slot, without a lock; and how many slots are kept.
//!
//! A hit reads a lock-free map and never `moka`, whose look-up costs several times as much and more
//! with every thread. `moka` bounds: it holds the same slots, by the *page* of up to 16 that came one
//! after the other, evicts the page that was not seen in use for longest, and what it evicts is taken
//! out of the map. Two things it cannot know are arranged here: the page of a slot in use is put to its
//! front once in a while (once per *epoch*, an eighth of the capacity in insertions), and a slot that
//! somebody needs is *parked* when its turn comes, and offered again later.

mod front;
mod names;
mod pinned;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use front::Front;
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};
use names::Names;
use papaya::{HashMap, LocalGuard};
pub(crate) use pinned::Pinned;

use super::{
    key::{Indexed, KeyRef},
    lock,
    slot::{self, Slot},
};
use crate::{
    request::{Parameters, Principal},
    scope::Audience,
    time::{Moment, TimeSource},
    token::Token,
};

pub(super) struct Index {
    shared: Arc<Shared>,
    front: Front,
    names: Names,
    bound: Cache<u64, Arc<Page>, RandomState>,
    /// The page that fills up.
    filling: Mutex<Vec<Arc<Slot>>>,
    page_size: usize,
    pages: AtomicU64,
    epoch: AtomicU32,
    epoch_length: u64,
    inserted: AtomicU64,
    capacity: u64,
    /// Whether any slot was ever made for a request with parameters of its own.
    has_parameters: AtomicBool,
    nothing: Arc<Token>,
    clock: TimeSource,
}

/// Slots that came one after the other, and go together.
struct Page {
    id: u64,
    slots: Box<[Arc<Slot>]>,
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
            .weigher(|_id, page: &Arc<Page>| u32::try_from(page.slots.len()).unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |_id, page: Arc<Page>, cause| {
                if cause == RemovalCause::Size {
                    evicting.evict(&page, at.now());
                }
            })
            .build_with_hasher(RandomState::default());
        Arc::new(Self {
            shared,
            front: Front::new(),
            names: Names::default(),
            bound,
            filling: Mutex::default(),
            page_size: page_size(capacity),
            pages: AtomicU64::new(slot::FIRST_PAGE),
            epoch: AtomicU32::new(0),
            epoch_length: (capacity / 8).max(1),
            inserted: AtomicU64::new(0),
            capacity,
            has_parameters: AtomicBool::new(false),
            nothing: Arc::new(Token::nothing()),
            clock,
        })
    }

    /// The slot for `key` if it is one of the first, found without the map.
    #[inline]
    pub(super) fn in_front(&self, key: &KeyRef<'_>) -> Option<&Arc<Slot>> {
        self.front.find(key)
    }

    /// What `look` sees in the slot for `key`; nothing if there is none.
    #[inline(never)]
    pub(super) fn look<R>(
        &self,
        key: &KeyRef<'_>,
        look: impl FnOnce(&Arc<Slot>) -> Option<R>,
    ) -> Option<R> {
        let guard = self.shared.map.guard();
        look(self.get(key, &guard)?)
    }

    #[inline]
    fn get<'g>(&self, key: &KeyRef<'_>, guard: &'g LocalGuard<'_>) -> Option<&'g Arc<Slot>> {
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
    fn move_to_front(&self, slot: &Slot) {
        // An insertion is never dropped, as `moka` drops reads when it is busy.
        if let Some(page) = self.bound.get(&slot.page()) {
            self.bound.insert(page.id, page);
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
        let guard = self.shared.map.guard();
        loop {
            if let Some(slot) = self.get(key, &guard) {
                self.touch(slot);
                return Arc::clone(slot);
            }
            let slot = Arc::new(Slot::new(key, self.names.shared(audience), &self.nothing));
            let indexed = Indexed(Arc::clone(&slot));
            if !key.parameters.is_empty() {
                // Before it can be found, so that no `clear` passes it over.
                self.has_parameters.store(true, Ordering::Release);
            }
            // Somebody else may have been faster, and theirs may be gone again already.
            if self.shared.map.try_insert(indexed, (), &guard).is_ok() {
                self.front.add(&slot);
                self.admit(&slot);
                return slot;
            }
        }
    }

    /// Counts a new slot, and lets the oldest go where it is one too many.
    fn admit(&self, slot: &Arc<Slot>) {
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed);
        if inserted.is_multiple_of(self.epoch_length) {
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
        slot.touch(self.epoch.load(Ordering::Relaxed));
        self.offer_parked();
        self.offer(Arc::clone(slot));
        // `moka` evicts in batches of its own; a small cache should not overshoot by one of them.
        if inserted >= self.capacity && inserted.is_multiple_of(SETTLE_EVERY) {
            self.bound.run_pending_tasks();
        }
    }

    /// Gives `slot` a place on a page, and the page to `moka` once it is full.
    fn offer(&self, slot: Arc<Slot>) {
        let mut filling = lock(&self.filling);
        slot.set_page(slot::FILLING);
        filling.push(slot);
        if filling.len() < self.page_size {
            return;
        }
        let slots = std::mem::take(&mut *filling).into_boxed_slice();
        drop(filling);
        let id = self.pages.fetch_add(1, Ordering::Relaxed);
        for slot in &slots {
            slot.set_page(id);
        }
        self.bound.insert(id, Arc::new(Page { id, slots }));
    }

    /// Offers a few of the slots whose eviction had to wait, if nobody needs them any more.
    fn offer_parked(&self) {
        let now = self.clock.now();
        for _ in 0..OFFERED_AT_ONCE {
            let Some(slot) = lock(&self.shared.parked).pop_front() else {
                return;
            };
            if slot.is_idle(now) {
                self.offer(slot);
            } else {
                lock(&self.shared.parked).push_back(slot);
            }
        }
    }

    /// Visits every slot of this audience: the plain one, and those with parameters if there are any.
    pub(super) fn of_audience(
        &self,
        principal: &Principal,
        audience: &Audience,
        mut visit: impl FnMut(&Slot),
    ) {
        let guard = self.shared.map.guard();
        if self.has_parameters.load(Ordering::Acquire) {
            let slots = self.shared.map.keys(&guard).map(|indexed| &indexed.0);
            slots
                .filter(|slot| slot.belongs_to(principal, audience))
                .for_each(|slot| visit(slot));
        } else if let Some(slot) = self.get(
            &KeyRef::new(principal, audience.as_str(), &Parameters::none()),
            &guard,
        ) {
            visit(slot);
        }
    }

    /// Visits every slot of the principals that `is_one` picks.
    pub(super) fn of_principals(
        &self,
        is_one: impl Fn(&Principal) -> bool,
        visit: impl FnMut(&Slot),
    ) {
        let guard = self.shared.map.guard();
        let slots = self.shared.map.keys(&guard).map(|indexed| &*indexed.0);
        slots
            .filter(|slot| is_one(slot.key().principal))
            .for_each(visit);
    }

    pub(super) fn evictions(&self) -> u64 {
        self.shared.evictions.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// `moka` has let `page` go: so does the map, for each slot that nobody needs.
    fn evict(&self, page: &Page, now: Moment) {
        // Slots that were parked from this page once stand on another one now.
        for slot in page.slots.iter().filter(|slot| slot.page() == page.id) {
            if slot.retire(now) {
                let guard = self.map.guard();
                let is_same = |indexed: &Indexed, (): &()| Arc::ptr_eq(&indexed.0, slot);
                // By identity: another slot with the same key may have taken its place.
                let _removed = self.map.remove_if(&slot.key(), is_same, &guard);
                if front::is_plain(&slot.key()) {
                    // It may stand in the front for good: no token is kept there.
                    slot.clear(u64::MAX);
                }
                self.evictions.fetch_add(1, Ordering::Relaxed);
            } else if !slot.is_retired() {
                slot.set_page(slot::PARKED);
                lock(&self.parked).push_back(Arc::clone(slot));
            }
        }
    }
}

/// `moka` takes 240 bytes for whatever it counts, so it counts pages: enough of them that its order
/// still is that of use, and none of more than 16 slots.
fn page_size(capacity: u64) -> usize {
    usize::try_from(capacity / 64).map_or(PAGE_MAX, |size| size.clamp(1, PAGE_MAX))
}

const PAGE_MAX: usize = 16;

/// How many parked slots each insertion offers: more than one, so that they become fewer.
const OFFERED_AT_ONCE: usize = 4;

/// How often evictions are carried out at once: the cache exceeds its bound by no more than this.
const SETTLE_EVERY: u64 = 16;
