//! A call that finds its token: no lock, no allocation, no system call.

use std::sync::Arc;

use arc_swap::Guard;

use super::{key::KeyRef, settings::RefreshAhead, token_cache::TokenCache};
use crate::{
    request::{CacheMode, Details, Parameters, TokenRequest},
    session::Principal,
    slot::{Slot, SlotEntry},
    time::Moment,
    token::{Phase, Token},
};

/// What a call does about a token in its refresh window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStale {
    /// Start its refresh, or have the caller wait for it, as [`RefreshAhead`] says.
    Refresh,
    /// Start its refresh in the background or not at all: this caller cannot wait.
    RefreshInBackground,
    /// Return it as it is: the caller wants no request.
    Keep,
}

impl TokenCache {
    /// The cached token that answers `request`, without waiting; in its refresh window `on_stale` counts.
    ///
    /// `None` for a forced request and for an invalid one; [`CacheMode::Only`] starts no refresh.
    #[inline]
    pub(crate) fn get(
        self: &Arc<Self>,
        principal: &Principal,
        request: &TokenRequest<'_>,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<Token>>> {
        let Some(details) = request.details() else {
            let key = KeyRef::new(principal, request.audience(), &NO_PARAMETERS);
            return self.get_unscoped(key, on_stale);
        };
        if !details.is_sound() {
            return None;
        }
        let on_stale = match details.mode {
            CacheMode::Prefer => on_stale,
            CacheMode::Only => OnStale::Keep,
            CacheMode::Refresh => return None,
        };
        let key = KeyRef::of(principal, details);
        if details.scopes().is_empty() {
            self.get_unscoped(key, on_stale)
        } else {
            self.get_scoped(&key, details, on_stale)
        }
    }

    #[inline]
    fn get_unscoped(
        self: &Arc<Self>,
        key: KeyRef<'_>,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<Token>>> {
        let principal = key.principal;
        self.index.with_slot(&key, move |slot| {
            slot.pins().touch();
            let token = slot.unscoped().current();
            let now = self.clock.now();
            if token.is_hit(now) {
                return Some(token);
            }
            let slot_entry = || SlotEntry::unscoped(slot);
            self.serve_stale(principal, token, now, on_stale, slot_entry)
        })
    }

    fn get_scoped(
        self: &Arc<Self>,
        key: &KeyRef<'_>,
        details: &Details,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<Token>>> {
        let principal = key.principal;
        self.index.with_slot(key, move |slot| {
            slot.pins().touch();
            let token = slot.scoped_token(details.scopes());
            let now = self.clock.now();
            match token {
                Some(token) if token.is_hit(now) => Some(token),
                _ => self.get_superset(principal, slot, details, now, on_stale),
            }
        })
    }

    /// The token of a handle, which holds its entry: nothing is looked up.
    #[inline]
    pub(crate) fn read_entry(
        self: &Arc<Self>,
        principal: &Principal,
        slot_entry: &SlotEntry,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<Token>>> {
        let token = slot_entry.entry().current();
        let now = self.clock.now();
        if token.is_hit(now) {
            return Some(token);
        }
        self.read_stale_entry(principal, token, now, on_stale, slot_entry)
    }

    #[cold]
    fn read_stale_entry(
        self: &Arc<Self>,
        principal: &Principal,
        token: Guard<Arc<Token>>,
        now: Moment,
        on_stale: OnStale,
        slot_entry: &SlotEntry,
    ) -> Option<Guard<Arc<Token>>> {
        if token.is_narrowed {
            return None;
        }
        self.serve_stale(principal, token, now, on_stale, || slot_entry.clone())
    }

    /// The token fetched for exactly these scopes, else the one with the smallest reported grant that has
    /// them all.
    #[cold]
    fn get_superset(
        self: &Arc<Self>,
        principal: &Principal,
        slot: &Arc<Slot>,
        details: &Details,
        now: Moment,
        on_stale: OnStale,
    ) -> Option<Guard<Arc<Token>>> {
        let (slot_entry, token) = slot.usable(details.scopes(), details.exact_scopes, now)?;
        if token.freshness.is_fresh(now) {
            return Some(token);
        }
        self.serve_stale(principal, token, now, on_stale, move || slot_entry)
    }

    /// What to do with a token that is no longer fresh.
    #[cold]
    fn serve_stale(
        self: &Arc<Self>,
        principal: &Principal,
        token: Guard<Arc<Token>>,
        now: Moment,
        on_stale: OnStale,
        slot_entry: impl FnOnce() -> SlotEntry,
    ) -> Option<Guard<Arc<Token>>> {
        let is_due = token.freshness.phase(now) == Phase::Window;
        match self.settings.refresh_ahead {
            _ if !token.freshness.is_usable(now) => None,
            _ if on_stale == OnStale::Keep => Some(token),
            RefreshAhead::Background if is_due => {
                self.refresh_in_background(principal, &slot_entry(), &token, now);
                Some(token)
            }
            RefreshAhead::Inline if is_due && on_stale == OnStale::Refresh => {
                (!self.is_refresh_due(&slot_entry(), now)).then_some(token)
            }
            _ => Some(token),
        }
    }
}

static NO_PARAMETERS: Parameters = Parameters::none();
