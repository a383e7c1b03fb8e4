//! Which slot is evicted when there are too many: pins, pages, and the second-chance ("clock") policy.
//!
//! `moka` bounds the slots: it holds them in *pages* of up to 16 that were inserted one after the other, and
//! names the page to evict next, in the order of their insertion. The insertion that exceeded the bound
//! decides about the slots of that page:
//!
//! - a pinned slot is parked, and is a candidate again later: it is never evicted;
//! - a slot that was used since it was last a candidate, or whose failure still has to be remembered, is
//!   spared once more and goes to the end of the queue;
//! - any other is retired in one atomic step, and can never be pinned or found again.
//!
//! A hit tells `moka` nothing, and the work of one insertion is bounded.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use moka::{notification::RemovalCause, policy::EvictionPolicy, sync::Cache};

use super::locked::lock;
use crate::time::Moment;

/// What keeps a slot from being evicted, and whether it was used.
///
/// - It is retired only while nothing pins it, in one step; retired it stays, and can not be pinned.
/// - A hit sets the mark of use, and a candidate loses it.
#[derive(Default)]
pub(crate) struct Pins {
    /// How many flights, handles and waiting calls need the slot, and [`RETIRED`].
    count: AtomicU32,
    /// Whether the slot was found since it was last a candidate for eviction.
    is_used: AtomicBool,
}

/// Marks a slot as evicted: no call will find it again, so no flight may be started in it.
const RETIRED: u32 = 1 << 31;

/// What is counted and evicted.
pub(crate) trait Evictable: Clone + Send + Sync + 'static {
    fn pins(&self) -> &Pins;

    /// Whether to forget it would let a caller ask too early.
    fn is_remembered(&self, now: Moment) -> bool;
}

/// Counts slots, and says which one is evicted when there are too many.
///
/// - A slot that was admitted and not evicted is in `filling`, in a page of `bound`, in `due`, or `parked`.
/// - No lock is held over another one, nor over a call into `moka`.
pub(crate) struct Eviction<T> {
    capacity: u64,
    /// Built for the first page: a client of a few audiences has none.
    bound: OnceLock<Bound<T>>,
    page_size: usize,
    /// The page that is not full yet.
    filling: Mutex<Vec<T>>,
    pages: AtomicU64,
    /// Pages that `moka` evicted, and about whose slots no insertion has decided yet.
    due: Arc<Mutex<Vec<Arc<Page<T>>>>>,
    /// Slots that could not be evicted because they were pinned.
    parked: Mutex<VecDeque<T>>,
    inserted: AtomicU64,
}

/// Names the page to evict next.
type Bound<T> = Cache<u64, Arc<Page<T>>, RandomState>;

/// Slots that were inserted one after the other, and become candidates together.
struct Page<T>(Box<[T]>);

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// It is evicted for good.
    Retire,
    /// It was used since it was last a candidate, or to forget it would let a caller ask too early.
    Spare,
    /// A flight, a handle or a waiting call needs it.
    Park,
}

impl Pins {
    /// Keeps the slot from being evicted; false if it was evicted already.
    pub(crate) fn pin(&self) -> bool {
        let is_retired = self.count.fetch_add(1, Ordering::AcqRel) & RETIRED != 0;
        if is_retired {
            self.unpin();
        }
        !is_retired
    }

    pub(crate) fn unpin(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }

    fn is_pinned(&self) -> bool {
        self.count.load(Ordering::Acquire) != 0
    }

    /// Retires the slot, unless it is pinned.
    pub(crate) fn retire(&self) -> bool {
        self.count
            .compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        self.count.load(Ordering::Acquire) & RETIRED != 0
    }

    /// Notes that a call found the slot.
    #[inline]
    pub(crate) fn touch(&self) {
        // A plain read first: a hit must not write what other threads read.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    fn take_use(&self) -> bool {
        self.is_used.swap(false, Ordering::Relaxed)
    }
}

impl<T: Evictable> Eviction<T> {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            bound: OnceLock::new(),
            page_size: page_size(capacity),
            filling: Mutex::default(),
            pages: AtomicU64::new(0),
            due: Arc::default(),
            parked: Mutex::default(),
            inserted: AtomicU64::new(0),
        }
    }

    /// Counts a new slot, and hands those to `evict` that are too many: they are retired already.
    pub(crate) fn admit(&self, slot: T, now: impl FnOnce() -> Moment, evict: impl FnMut(&T)) {
        let inserted = self.inserted.fetch_add(1, Ordering::Relaxed);
        self.offer_parked();
        self.offer(slot);
        // `moka` works in batches; a small cache should not overshoot by one of them.
        if inserted >= self.capacity && inserted.is_multiple_of(SETTLE_EVERY) {
            self.settle(now(), evict);
        }
    }

    /// How many were ever admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.inserted.load(Ordering::Relaxed)
    }

    /// Adds `slot` to a page, and gives the page to `moka` once it is full.
    fn offer(&self, slot: T) {
        let mut filling = lock(&self.filling);
        filling.push(slot);
        if filling.len() < self.page_size {
            return;
        }
        let slots = std::mem::take(&mut *filling).into_boxed_slice();
        drop(filling);
        let id = self.pages.fetch_add(1, Ordering::Relaxed);
        self.bound().insert(id, Arc::new(Page(slots)));
    }

    /// Offers a few of the parked slots again, if they are no longer pinned.
    fn offer_parked(&self) {
        for _ in 0..PARKED_AT_ONCE {
            let Some(slot) = lock(&self.parked).pop_front() else {
                return;
            };
            if slot.pins().is_pinned() {
                lock(&self.parked).push_back(slot);
            } else {
                self.offer(slot);
            }
        }
    }

    /// Decides about the candidates, until there are no more slots than fit.
    fn settle(&self, now: Moment, mut evict: impl FnMut(&T)) {
        let mut left = SPARED_AT_ONCE;
        loop {
            self.bound().run_pending_tasks();
            let due = std::mem::take(&mut *lock(&self.due));
            if due.is_empty() {
                return;
            }
            for slot in due.iter().flat_map(|page| &page.0) {
                match decide(slot, now, left > 0) {
                    Decision::Retire => evict(slot),
                    Decision::Park => lock(&self.parked).push_back(slot.clone()),
                    Decision::Spare => {
                        left -= 1;
                        self.offer(slot.clone());
                    }
                }
            }
        }
    }

    fn bound(&self) -> &Bound<T> {
        self.bound.get_or_init(|| {
            let coming_due = Arc::clone(&self.due);
            Cache::builder()
                .max_capacity(self.capacity)
                .weigher(|_id, page: &Arc<Page<T>>| u32::try_from(page.0.len()).unwrap_or(u32::MAX))
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
}

/// Retires the slot, unless it is pinned, or was used since the last time and may be spared.
fn decide<T: Evictable>(slot: &T, now: Moment, may_be_spared: bool) -> Decision {
    let pins = slot.pins();
    if pins.is_pinned() {
        return Decision::Park;
    }
    let was_used = pins.take_use();
    if may_be_spared && (was_used || slot.is_remembered(now)) {
        return Decision::Spare;
    }
    if pins.retire() {
        Decision::Retire
    } else {
        Decision::Park
    }
}

/// Slots per page. `moka` takes 240 bytes for each item, so its items are pages: enough of them that their
/// order is nearly that of the slots, and none of more than 16.
fn page_size(capacity: u64) -> usize {
    usize::try_from(capacity / 64).map_or(PAGE_MAX, |size| size.clamp(1, PAGE_MAX))
}

const PAGE_MAX: usize = 16;

/// How many parked slots each insertion checks: more than one, so that they become fewer.
const PARKED_AT_ONCE: usize = 4;

/// After how many insertions the candidates are decided on: the cache exceeds its bound by no more than this.
const SETTLE_EVERY: u64 = 16;

/// How many slots are spared each time at most: enough to find an unused one if a sixteenth of them is
/// unused. If nearly all were used, the oldest is evicted.
const SPARED_AT_ONCE: usize = 16 * 16;
