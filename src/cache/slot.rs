//! One audience of one principal: its tokens by scope set.

mod entry;
mod named;
mod place;
mod room;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use arc_swap::{ArcSwapOption, Guard};

pub(super) use entry::Flight;
pub(crate) use entry::{Entry, State};
pub(crate) use place::Place;
use room::Crowd;

use super::key::KeyRef;
use crate::{
    request::{CacheMode, Details, Parameters},
    scope::{Audience, Scopes},
    session::Principal,
    time::Moment,
    token::Token,
};

/// One audience of one principal, with one set of extra parameters.
pub(crate) struct Slot {
    principal: Principal,
    audience: Audience,
    parameters: Parameters,
    /// Whoever names no scopes.
    bare: Entry,
    /// Those who do, at most [`SCOPE_SETS`]; copied on write, since they change rarely.
    named: ArcSwapOption<Vec<Arc<Entry>>>,
    /// More of them; locked by whoever changes either.
    crowd: Mutex<Crowd>,
    is_crowded: AtomicBool,
    /// How many flights, handles and waiting calls need it; or that it is no longer in the index.
    pins: AtomicU32,
    /// Whether it was found since its turn to go came last.
    is_used: AtomicBool,
}

/// A slot keeps the tokens of at most this many scope sets.
///
/// An application has a handful of fixed sets; one that makes them up would otherwise fill the memory.
const SCOPE_SETS: usize = 16;

/// The sign that a slot was evicted: it will never be found again, so nothing may be started in it.
const RETIRED: u32 = 1 << 31;

/// What becomes of a slot whose turn to go has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was given up for good.
    Retired,
    /// It was used since its last turn, or to forget it would let a caller ask too early.
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
            bare: Entry::new(Scopes::none(), Arc::clone(nothing)),
            named: ArcSwapOption::empty(),
            crowd: Mutex::default(),
            is_crowded: AtomicBool::new(false),
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
    pub(super) fn bare(&self) -> &Entry {
        &self.bare
    }

    /// The token that was last fetched for exactly `scopes`, in whatever state.
    #[inline]
    pub(super) fn named_token(&self, scopes: &Scopes) -> Option<Guard<Arc<Token>>> {
        let named = self.named.load();
        let entry = find(named.as_deref()?, scopes)?;
        Some(entry.current())
    }

    /// The usable token that answers `scopes`: the one fetched for exactly these, else the smallest
    /// whose reported grant has them all, whatever the order in which they came.
    pub(super) fn answer(
        self: &Arc<Self>,
        scopes: &Scopes,
        is_exact: bool,
        now: Moment,
    ) -> Option<(Place, Guard<Arc<Token>>)> {
        let own = self.existing(scopes).map(|place| {
            let token = place.entry().current();
            (place, token)
        });
        let is_answer = |token: &Token| token.freshness.is_usable(now) && !token.is_narrowed;
        if let Some((place, token)) = own
            && is_answer(&token)
        {
            return Some((place, token));
        }
        if is_exact || scopes.is_empty() {
            return None;
        }
        self.broader(scopes, |token| token.freshness.is_usable(now))
    }

    /// The place whose token holds all of the scopes that `details` names and has grown old, if these
    /// have no place of their own: to renew it serves both, and leaves no second token behind.
    pub(super) fn aged_answer(self: &Arc<Self>, details: &Details, now: Moment) -> Option<Place> {
        let scopes = &details.scopes;
        let needs_its_own = details.exact_scopes || details.mode != CacheMode::Prefer;
        if needs_its_own || scopes.is_empty() || self.existing(scopes).is_some() {
            return None;
        }
        // What was narrowed once would be narrowed again: then these scopes are better asked for alone.
        let has_aged = |token: &Token| !token.is_narrowed && !token.freshness.is_fresh(now);
        self.broader(scopes, has_aged).map(|(place, _)| place)
    }

    /// The place with the smallest reported grant that has all of `scopes` and passes `filter`.
    fn broader(
        self: &Arc<Self>,
        scopes: &Scopes,
        filter: impl Fn(&Token) -> bool,
    ) -> Option<(Place, Guard<Arc<Token>>)> {
        let named = self.named.load();
        let named = named.iter().flat_map(|named| named.iter()).map(Some);
        std::iter::once(None)
            .chain(named)
            .map(|entry| (entry, entry.map_or(&self.bare, |entry| &**entry).current()))
            .filter(|(_, token)| token.reports(scopes) && filter(token))
            .min_by_key(|(_, token)| token.granted.len())
            .map(|(entry, token)| {
                (
                    Place {
                        slot: Arc::clone(self),
                        named: entry.cloned(),
                    },
                    token,
                )
            })
    }

    /// Shows every token that there is.
    pub(super) fn tokens(&self, mut show: impl FnMut(&Token)) {
        show(&self.bare.current());
        self.each_named(|entry| show(&entry.current()));
    }

    /// Forgets every token and failure; what is in the air publishes nothing.
    pub(super) fn clear(&self, sequence: u64) {
        self.bare.clear(sequence);
        self.each_named(|entry| entry.clear(sequence));
    }

    /// Keeps it in the index; false if it is no longer there.
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

    /// Its turn to go has come. It goes if it was not used since the last one, and, where it cannot be
    /// `spared` any more, unless it is needed.
    pub(super) fn take_turn(&self, now: Moment, may_be_spared: bool) -> Turn {
        if self.is_pinned() {
            return Turn::Needed;
        }
        let was_used = self.is_used.swap(false, Ordering::Relaxed);
        if may_be_spared && (was_used || self.has_live_failure(now)) {
            return Turn::Spared;
        }
        let retired = self
            .pins
            .compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire);
        if retired.is_ok() {
            Turn::Retired
        } else {
            Turn::Needed
        }
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(super) fn is_retired(&self) -> bool {
        self.pins.load(Ordering::Acquire) & RETIRED != 0
    }

    /// Takes note that it was found.
    #[inline]
    pub(super) fn touch(&self) {
        // A plain read first: a hit must not write what other threads read.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }

    fn has_live_failure(&self, now: Moment) -> bool {
        let mut is_live = self.bare.has_live_failure(now);
        self.each_named(|entry| is_live |= entry.has_live_failure(now));
        is_live
    }
}

fn find<'a>(named: &'a [Arc<Entry>], scopes: &Scopes) -> Option<&'a Arc<Entry>> {
    named.iter().find(|entry| entry.scopes() == scopes)
}
