//! One audience of one principal: its tokens by scope set.

mod entry;
mod overflow;
mod scoped;
mod slot_entry;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use arc_swap::{ArcSwapOption, Guard};

pub(super) use entry::Flight;
pub(crate) use entry::{Entry, State};
use overflow::Overflow;
pub(crate) use slot_entry::SlotEntry;

use super::key::KeyRef;
use crate::{
    request::{CacheMode, Details, Parameters},
    scope::{Audience, Scopes},
    session::Principal,
    time::Moment,
    token::Token,
};

/// One audience of one principal, with one set of extra parameters.
///
/// - A scope set has at most one entry: in `scoped`, where a hit finds it, or in `overflow`, never in both
///   for longer than a move takes, which holds the lock of `overflow`.
/// - `scoped` changes only under the lock of `overflow`; readers take no lock.
/// - A slot that is retired is never pinned, and no flight is started in it; retired it stays.
pub(crate) struct Slot {
    principal: Principal,
    audience: Audience,
    parameters: Parameters,
    /// For requests without scopes.
    unscoped: Entry,
    /// For requests with scopes, at most [`SCOPE_SETS`] entries; copied on write, since they change rarely.
    scoped: ArcSwapOption<Vec<Arc<Entry>>>,
    /// Further entries; its lock is held for each change of `scoped` as well.
    overflow: Mutex<Overflow>,
    has_overflow: AtomicBool,
    /// How many flights, handles and waiting calls need the slot, and [`RETIRED`].
    pins: AtomicU32,
    /// Whether it was found since it was last a candidate for eviction.
    is_used: AtomicBool,
}

/// A slot keeps the tokens of at most this many scope sets.
///
/// An application has a handful of fixed sets; one that makes up new ones would otherwise fill the memory.
const SCOPE_SETS: usize = 16;

/// Marks a slot as evicted: no call will find it again, so no flight may be started in it.
const RETIRED: u32 = 1 << 31;

/// What becomes of a slot that is a candidate for eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// It was evicted for good.
    Retired,
    /// It was used since it was last a candidate, or to forget it would let a caller ask too early.
    Spared,
    /// A flight, a handle or a waiting call needs it.
    Needed,
}

impl Slot {
    pub(super) fn new(key: &KeyRef<'_>, audience: Audience, nothing: &Arc<Token>) -> Self {
        Self {
            principal: key.principal.clone(),
            audience,
            parameters: key.parameters.clone(),
            unscoped: Entry::new(Scopes::none(), Arc::clone(nothing)),
            scoped: ArcSwapOption::empty(),
            overflow: Mutex::default(),
            has_overflow: AtomicBool::new(false),
            pins: AtomicU32::new(0),
            is_used: AtomicBool::new(false),
        }
    }

    pub(super) fn key(&self) -> KeyRef<'_> {
        KeyRef {
            principal: &self.principal,
            audience: self.audience.as_str(),
            parameters: &self.parameters,
        }
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.audience
    }

    #[inline]
    pub(super) fn is_called(&self, audience: &str) -> bool {
        self.audience.as_str() == audience
    }

    #[inline]
    pub(super) fn unscoped(&self) -> &Entry {
        &self.unscoped
    }

    /// The token that was last fetched for exactly `scopes`, in whatever state.
    #[inline]
    pub(super) fn scoped_token(&self, scopes: &Scopes) -> Option<Guard<Arc<Token>>> {
        let entries = self.scoped.load();
        let entry = find(entries.as_deref()?, scopes)?;
        Some(entry.current())
    }

    /// The usable token that answers `scopes`: the one fetched for exactly these, else the one with the
    /// smallest reported grant that has them all, in whatever order they were fetched.
    pub(super) fn usable(
        self: &Arc<Self>,
        scopes: &Scopes,
        is_exact: bool,
        now: Moment,
    ) -> Option<(SlotEntry, Guard<Arc<Token>>)> {
        let own = self.existing(scopes).map(|slot_entry| {
            let token = slot_entry.entry().current();
            (slot_entry, token)
        });
        let is_usable = |token: &Token| token.freshness.is_usable(now) && !token.is_narrowed;
        if let Some((slot_entry, token)) = own
            && is_usable(&token)
        {
            return Some((slot_entry, token));
        }
        if is_exact || scopes.is_empty() {
            return None;
        }
        self.superset(scopes, |token| token.freshness.is_usable(now))
    }

    /// The entry whose token has all scopes of `details` and is no longer fresh, if these scopes have no
    /// entry of their own: to refresh it serves both, and leaves no second token behind.
    pub(super) fn stale_superset(
        self: &Arc<Self>,
        details: &Details,
        now: Moment,
    ) -> Option<SlotEntry> {
        let scopes = &details.scopes;
        let needs_its_own = details.exact_scopes || details.mode != CacheMode::Prefer;
        if needs_its_own || scopes.is_empty() || self.existing(scopes).is_some() {
            return None;
        }
        // A token that was narrowed once would be narrowed again: these scopes are better asked for alone.
        let has_aged = |token: &Token| !token.is_narrowed && !token.freshness.is_fresh(now);
        self.superset(scopes, has_aged)
            .map(|(slot_entry, _)| slot_entry)
    }

    /// The entry with the smallest reported grant that has all of `scopes` and passes `filter`.
    fn superset(
        self: &Arc<Self>,
        scopes: &Scopes,
        filter: impl Fn(&Token) -> bool,
    ) -> Option<(SlotEntry, Guard<Arc<Token>>)> {
        let entries = self.scoped.load();
        let entries = entries.iter().flat_map(|entries| entries.iter()).map(Some);
        std::iter::once(None)
            .chain(entries)
            .map(|entry| {
                (
                    entry,
                    entry.map_or(&self.unscoped, |entry| &**entry).current(),
                )
            })
            .filter(|(_, token)| token.reports(scopes) && filter(token))
            .min_by_key(|(_, token)| token.granted.len())
            .map(|(entry, token)| {
                (
                    SlotEntry {
                        slot: Arc::clone(self),
                        scoped: entry.cloned(),
                    },
                    token,
                )
            })
    }

    /// Shows every token of the slot.
    pub(super) fn tokens(&self, mut show: impl FnMut(&Token)) {
        show(&self.unscoped.current());
        self.each_scoped(|entry| show(&entry.current()));
    }

    /// Forgets every token and failure; flights under way publish nothing.
    pub(super) fn clear(&self, sequence: u64) {
        self.unscoped.clear(sequence);
        self.each_scoped(|entry| entry.clear(sequence));
    }

    /// Keeps it from being evicted; false if it was evicted already.
    pub(super) fn pin(&self) -> bool {
        let is_retired = self.pins.fetch_add(1, Ordering::AcqRel) & RETIRED != 0;
        if is_retired {
            self.unpin();
        }
        !is_retired
    }

    pub(super) fn unpin(&self) {
        self.pins.fetch_sub(1, Ordering::AcqRel);
    }

    /// Retires the slot, unless it is pinned, or was used since the last time and may be spared.
    pub(super) fn try_evict(&self, now: Moment, may_be_spared: bool) -> Eviction {
        if self.is_pinned() {
            return Eviction::Needed;
        }
        let was_used = self.is_used.swap(false, Ordering::Relaxed);
        if may_be_spared && (was_used || self.has_live_failure(now)) {
            return Eviction::Spared;
        }
        let retired = self
            .pins
            .compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire);
        if retired.is_ok() {
            Eviction::Retired
        } else {
            Eviction::Needed
        }
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(super) fn is_retired(&self) -> bool {
        self.pins.load(Ordering::Acquire) & RETIRED != 0
    }

    /// Notes that a call found the slot.
    #[inline]
    pub(super) fn touch(&self) {
        // A plain read first: a hit must not write what other threads read.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    fn has_live_failure(&self, now: Moment) -> bool {
        let mut is_live = self.unscoped.has_live_failure(now);
        self.each_scoped(|entry| is_live |= entry.has_live_failure(now));
        is_live
    }
}

fn find<'a>(entries: &'a [Arc<Entry>], scopes: &Scopes) -> Option<&'a Arc<Entry>> {
    entries.iter().find(|entry| entry.scopes() == scopes)
}
