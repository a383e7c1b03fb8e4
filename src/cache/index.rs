//! From a request to its slot, without a lock; and how many slots there are at most.
//!
//! A hit reads a lock-free map and never `moka`, whose look-up costs several times as much and more
//! with every thread; all that a hit writes is a mark on its slot. `moka` bounds the slots: it holds them
//! in *pages* of up to 16 that were inserted one after the other, and names the page to evict next.
//! The insertion that exceeded the bound decides about the slots of that page, in `eviction.rs`.

mod eviction;
mod fast_path;
mod interner;
mod pinned;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use fast_path::FastPath;
use foldhash::fast::RandomState;
use interner::AudienceInterner;
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};
use papaya::{HashMap, LocalGuard};
pub(crate) use pinned::Pinned;

use eviction::Page;

use super::{
    key::{Indexed, KeyRef},
    lock,
    slot::Slot,
};
use crate::{
    request::Parameters,
    scope::Audience,
    session::{OpenSession, Principal, SlotNames},
    time::TimeSource,
    token::Token,
};

pub(super) struct Index {
    map: HashMap<Indexed, (), RandomState>,
    fast_path: FastPath,
    audiences: AudienceInterner,
    /// The application's slots with parameters of their own; a session knows its slots itself.
    with_parameters: SlotNames,
    /// Built for the first page: a client of a few audiences has none.
    bound: OnceLock<Bound>,
    /// The page that is not full yet.
    filling: Mutex<Vec<Arc<Slot>>>,
    page_size: usize,
    pages: AtomicU64,
    /// Pages that `moka` evicted, and about whose slots no insertion has decided yet.
    due: Arc<Mutex<Vec<Arc<Page>>>>,
    /// Slots that could not be evicted because they were pinned.
    parked: Mutex<VecDeque<Arc<Slot>>>,
    inserted: AtomicU64,
    evictions: AtomicU64,
    capacity: u64,
    nothing: Arc<Token>,
    clock: TimeSource,
}

/// Names the page to evict next.
type Bound = Cache<u64, Arc<Page>, RandomState>;

impl Index {
    pub(super) fn new(capacity: u64, clock: TimeSource) -> Arc<Self> {
        Arc::new(Self {
            map: HashMap::with_hasher(RandomState::default()),
            fast_path: FastPath::new(),
            audiences: AudienceInterner::default(),
            with_parameters: SlotNames::default(),
            bound: OnceLock::new(),
            filling: Mutex::default(),
            page_size: eviction::page_size(capacity),
            pages: AtomicU64::new(0),
            due: Arc::default(),
            parked: Mutex::default(),
            inserted: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            capacity,
            nothing: Arc::new(Token::nothing()),
            clock,
        })
    }

    fn bound(&self) -> &Bound {
        self.bound.get_or_init(|| {
            let coming_due = Arc::clone(&self.due);
            Cache::builder()
                .max_capacity(self.capacity)
                .weigher(|_id, page: &Arc<Page>| page.weight())
                .eviction_policy(EvictionPolicy::lru())
                .eviction_listener(move |_id, page, cause| {
                    if cause == RemovalCause::Size {
                        // `moka` holds locks of its own here, so the decision is made later.
                        lock(&coming_due).push(page);
                    }
                })
                .build_with_hasher(RandomState::default())
        })
    }

    /// The slot for `key` if the fast path has it, found without the map.
    #[inline]
    pub(super) fn fast_path(&self, key: &KeyRef<'_>) -> Option<&Arc<Slot>> {
        self.fast_path.find(key)
    }

    /// What `read` returns for the slot of `key`; `None` if there is no slot.
    #[inline(never)]
    pub(super) fn with_slot<R>(
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
            .map(|(indexed, ())| &indexed.0)
    }

    /// The slot for `key`, pinned as long as the result lives; a new one if there is none.
    pub(super) fn pin(self: &Arc<Self>, key: &KeyRef<'_>, audience: &Audience) -> Pinned {
        loop {
            let slot = self.get_or_insert(key, audience);
            if slot.pin() {
                return Pinned {
                    slot,
                    index: Arc::clone(self),
                };
            }
            // Another thread evicts it at this moment, and is about to remove it from the map.
            std::thread::yield_now();
        }
    }

    fn get_or_insert(&self, key: &KeyRef<'_>, audience: &Audience) -> Arc<Slot> {
        let guard = self.map.guard();
        loop {
            if let Some(slot) = self.get(key, &guard) {
                slot.touch();
                return Arc::clone(slot);
            }
            let slot = Arc::new(Slot::new(
                key,
                self.audiences.intern(audience),
                &self.nothing,
            ));
            let names = self.names_of(key);
            // Locked over both steps, so that the names are those of the slots in the map.
            let mut names = names.map(SlotNames::lock);
            let indexed = Indexed(Arc::clone(&slot));
            // Another call may have inserted one first, and that one may have been evicted since.
            if self.map.try_insert(indexed, (), &guard).is_ok() {
                if let Some(names) = &mut names {
                    names.add(slot.audience(), key.parameters);
                }
                drop(names);
                self.fast_path.add(&slot);
                self.admit(&slot);
                return slot;
            }
        }
    }

    /// Removes `slot` by identity: another slot may have its key by now.
    fn remove(&self, slot: &Arc<Slot>) {
        let (key, guard) = (slot.key(), self.map.guard());
        let mut names = self.names_of(&key).map(SlotNames::lock);
        let is_same = |indexed: &Indexed, (): &()| Arc::ptr_eq(&indexed.0, slot);
        let removed = self.map.remove_if(&key, is_same, &guard);
        if let (Some(names), Ok(Some(_))) = (&mut names, removed) {
            names.remove(slot.audience(), key.parameters);
        }
        drop(names);
        if fast_path::is_plain(&key) {
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
