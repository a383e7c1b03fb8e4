//! A call that finds its token: no lock, no allocation, no system call.

use std::sync::Arc;

use arc_swap::Guard;

use super::{
    RefreshAhead, TokenCache,
    slot::{KeyRef, Place, Slot},
};
use crate::{
    request::{CacheMode, Details, Parameters, Principal, TokenRequest},
    time::Moment,
    token::{Phase, Token},
};

impl TokenCache {
    /// The cached token that answers `request`, without waiting; in its window it is refreshed.
    ///
    /// A forced request is answered by none.
    #[inline]
    pub(crate) fn look(
        self: &Arc<Self>,
        principal: &Principal,
        request: &TokenRequest<'_>,
    ) -> Option<Guard<Arc<Token>>> {
        match request.details() {
            None => self.look_bare(KeyRef::new(principal, request.audience(), &NO_PARAMETERS)),
            Some(details) if details.mode == CacheMode::Refresh => None,
            Some(details) if details.scopes.is_empty() => {
                self.look_bare(KeyRef::of(principal, details))
            }
            Some(details) => self.look_named(&KeyRef::of(principal, details), details),
        }
    }

    #[inline]
    fn look_bare(self: &Arc<Self>, key: KeyRef<'_>) -> Option<Guard<Arc<Token>>> {
        let guard = self.index.guard();
        let slot = self.index.get(&key, &guard)?;
        self.index.touch(slot);
        let token = slot.bare().current();
        let now = self.clock.now();
        if token.is_hit(now) {
            return Some(token);
        }
        self.look_aged(token, now, || Place::bare(slot))
    }

    fn look_named(
        self: &Arc<Self>,
        key: &KeyRef<'_>,
        details: &Details,
    ) -> Option<Guard<Arc<Token>>> {
        let guard = self.index.guard();
        let slot = self.index.get(key, &guard)?;
        self.index.touch(slot);
        let token = slot.named_token(&details.scopes);
        let now = self.clock.now();
        match token {
            Some(token) if token.is_hit(now) => Some(token),
            _ => self.look_broader(slot, details, now),
        }
    }

    /// A hot handle's look: no map in between.
    #[inline]
    pub(crate) fn look_at(self: &Arc<Self>, place: &Place) -> Option<Guard<Arc<Token>>> {
        let token = place.entry().current();
        let now = self.clock.now();
        if token.is_hit(now) {
            return Some(token);
        }
        if token.is_narrowed {
            return None;
        }
        self.look_aged(token, now, || place.clone())
    }

    /// The token fetched for exactly these scopes, else the smallest whose reported grant has them all.
    #[cold]
    fn look_broader(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        details: &Details,
        now: Moment,
    ) -> Option<Guard<Arc<Token>>> {
        let (place, token) = slot.answer(&details.scopes, details.exact_scopes, now)?;
        if token.freshness.is_fresh(now) {
            return Some(token);
        }
        self.look_aged(token, now, move || place)
    }

    /// What to do with a token that is no longer fresh.
    #[cold]
    fn look_aged(
        self: &Arc<Self>,
        token: Guard<Arc<Token>>,
        now: Moment,
        place: impl FnOnce() -> Place,
    ) -> Option<Guard<Arc<Token>>> {
        let is_due = token.freshness.phase(now) == Phase::Window;
        match self.settings.refresh_ahead {
            _ if !token.freshness.is_usable(now) => None,
            RefreshAhead::Background if is_due => {
                self.refresh_in_background(&place(), &token, now);
                Some(token)
            }
            RefreshAhead::Inline if is_due && self.is_refresh_due(&place(), now) => None,
            _ => Some(token),
        }
    }
}

static NO_PARAMETERS: Parameters = Parameters::none();
