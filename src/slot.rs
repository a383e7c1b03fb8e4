//! What is kept of one audience of one principal: its tokens by scope set, the flights for them, the last
//! failures.
//!
//! Whose slot it is stands beside it and not in it: a session leads to its slots, and none of them back.

mod entry;
mod eviction;
mod failure;
mod flight;
mod locked;
mod mixed;
mod overflow;
mod scope_sets;
mod session_slots;
mod slot_names;

use std::sync::Arc;

use arc_swap::Guard;

pub(crate) use entry::{Entry, State};
pub(crate) use eviction::{Evictable, Eviction, Pins};
pub(crate) use flight::{Admitted, Flight, FlightResult, Outcome};
pub(crate) use locked::lock;
pub(crate) use mixed::mixed;
use scope_sets::ScopeSets;
pub(crate) use session_slots::SessionSlots;
pub(crate) use slot_names::SlotNames;

use crate::{
    request::{CacheMode, Details, Parameters, Target},
    scope::{Audience, Scopes},
    time::Moment,
    token::Token,
};

/// One audience of one principal, with one set of extra parameters.
///
/// - Its audience and parameters never change.
/// - A scope set has at most one entry: the one for requests without scopes, or one of the scope sets.
/// - A slot that is retired is never pinned, and no flight is started in it; retired it stays.
pub(crate) struct Slot {
    audience: Audience,
    parameters: Parameters,
    /// For requests without scopes.
    unscoped: Entry,
    scoped: ScopeSets,
    pins: Pins,
}

/// Where a request is answered: a slot and, if scopes are named, one of its entries.
#[derive(Clone)]
pub(crate) struct SlotEntry {
    slot: Arc<Slot>,
    scoped: Option<Arc<Entry>>,
}

impl Slot {
    pub(crate) fn new(audience: Audience, parameters: Parameters, nothing: &Arc<Token>) -> Self {
        Self {
            audience,
            parameters,
            unscoped: Entry::new(Scopes::none(), Arc::clone(nothing)),
            scoped: ScopeSets::default(),
            pins: Pins::default(),
        }
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    #[inline]
    pub(crate) fn is_called(&self, audience: &str) -> bool {
        self.audience.as_str() == audience
    }

    /// What keeps the slot from being evicted.
    #[inline]
    pub(crate) fn pins(&self) -> &Pins {
        &self.pins
    }

    #[inline]
    pub(crate) fn unscoped(&self) -> &Entry {
        &self.unscoped
    }

    /// The token that was last fetched for exactly `scopes`, in whatever state.
    #[inline]
    pub(crate) fn scoped_token(&self, scopes: &Scopes) -> Option<Guard<Arc<Token>>> {
        self.scoped.current(scopes)
    }

    /// The entry of `scopes`, if there is one.
    pub(crate) fn existing(self: &Arc<Self>, scopes: &Scopes) -> Option<SlotEntry> {
        if scopes.is_empty() {
            return Some(SlotEntry::unscoped(self));
        }
        self.scoped
            .existing(scopes)
            .map(|entry| self.at(Some(entry)))
    }

    /// The entry of `scopes`; a new one if there is none.
    pub(crate) fn entry_for(self: &Arc<Self>, scopes: &Scopes, now: Moment) -> SlotEntry {
        let entry = (!scopes.is_empty()).then(|| self.scoped.entry_for(scopes, now));
        self.at(entry)
    }

    fn at(self: &Arc<Self>, scoped: Option<Arc<Entry>>) -> SlotEntry {
        SlotEntry {
            slot: Arc::clone(self),
            scoped,
        }
    }

    /// The usable token that answers `scopes`: the one fetched for exactly these, else the one with the
    /// smallest reported grant that has them all, in whatever order they were fetched.
    pub(crate) fn usable(
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
    pub(crate) fn stale_superset(
        self: &Arc<Self>,
        details: &Details,
        now: Moment,
    ) -> Option<SlotEntry> {
        let scopes = details.scopes();
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
        let (mut best, mut best_entry) = (None, None);
        let mut offer = |entry: &Entry, scoped: Option<&Arc<Entry>>| {
            let token = entry.current();
            let is_smaller = |best: &Guard<Arc<Token>>| token.granted.len() < best.granted.len();
            let is_better = best.as_ref().is_none_or(is_smaller);
            if is_better && token.reports(scopes) && filter(&token) {
                (best, best_entry) = (Some(token), scoped.cloned());
            }
        };
        offer(&self.unscoped, None);
        self.scoped.each_listed(|entry| offer(entry, Some(entry)));
        best.map(|token| (self.at(best_entry), token))
    }

    /// Shows every token of the slot.
    pub(crate) fn tokens(&self, mut show: impl FnMut(&Token)) {
        show(&self.unscoped.current());
        self.scoped.each(|entry| show(&entry.current()));
    }

    /// Forgets every token and failure; flights under way publish nothing.
    pub(crate) fn clear(&self, sequence: u64) {
        self.unscoped.clear(sequence);
        self.scoped.each(|entry| entry.clear(sequence));
    }

    /// Whether to forget the slot would let a caller ask too early.
    pub(crate) fn has_live_failure(&self, now: Moment) -> bool {
        let mut is_live = self.unscoped.has_live_failure(now);
        self.scoped
            .each(|entry| is_live |= entry.has_live_failure(now));
        is_live
    }
}

impl SlotEntry {
    pub(crate) fn unscoped(slot: &Arc<Slot>) -> Self {
        slot.at(None)
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry {
        self.scoped.as_deref().unwrap_or(&self.slot.unscoped)
    }

    /// A flight for this entry has ended.
    pub(crate) fn settle(&self, now: Moment) {
        if let Some(entry) = &self.scoped {
            self.slot.scoped.settle(entry, now);
        }
    }

    /// What a flight for this entry asks for.
    pub(crate) fn target(&self) -> Target {
        let (slot, scopes) = (&self.slot, self.entry().scopes().clone());
        Target::new(slot.audience.clone(), scopes, slot.parameters.clone())
    }
}
