//! A call that finds its token: no lock, no allocation, no system call.

use std::sync::Arc;

use arc_swap::Guard;

use super::{
    RefreshAhead, TokenCache,
    key::KeyRef,
    slot::{Place, Slot},
};
use crate::{
    request::{CacheMode, Details, Parameters, TokenRequest},
    session::Principal,
    time::Moment,
    token::{Phase, Token},
};

/// What a look may do about a token in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Start its refresh, or have the caller wait for that, as the client is set.
    Refresh,
    /// Start its refresh if nobody has to wait for that: this caller cannot.
    Glance,
    /// Nothing: the caller wants no request.
    Nothing,
}

impl TokenCache {
    /// The cached token that answers `request`, without waiting; in its window `ahead` counts.
    ///
    /// A forced request is answered by none, nor is one that makes no sense; one that wants no request
    /// starts no refresh.
    #[inline]
    pub(crate) fn look(
        self: &Arc<Self>,
        principal: &Principal,
        request: &TokenRequest<'_>,
        ahead: Ahead,
    ) -> Option<Guard<Arc<Token>>> {
        let Some(details) = request.details() else {
            let key = KeyRef::new(principal, request.audience(), &NO_PARAMETERS);
            return self.look_bare(key, ahead);
        };
        if !details.is_sound() {
            return None;
        }
        let ahead = match details.mode {
            CacheMode::Prefer => ahead,
            CacheMode::Only => Ahead::Nothing,
            CacheMode::Refresh => return None,
        };
        let key = KeyRef::of(principal, details);
        if details.scopes.is_empty() {
            self.look_bare(key, ahead)
        } else {
            self.look_named(&key, details, ahead)
        }
    }

    #[inline]
    fn look_bare(self: &Arc<Self>, key: KeyRef<'_>, ahead: Ahead) -> Option<Guard<Arc<Token>>> {
        match self.index.in_front(&key) {
            Some(slot) => self.look_in(slot, ahead),
            None => self.index.look(&key, |slot| self.look_in(slot, ahead)),
        }
    }

    #[inline]
    fn look_in(self: &Arc<Self>, slot: &Arc<Slot>, ahead: Ahead) -> Option<Guard<Arc<Token>>> {
        slot.touch();
        let token = slot.bare().current();
        let now = self.clock.now();
        if token.is_hit(now) {
            return Some(token);
        }
        self.look_aged(token, now, ahead, || Place::bare(slot))
    }

    fn look_named(
        self: &Arc<Self>,
        key: &KeyRef<'_>,
        details: &Details,
        ahead: Ahead,
    ) -> Option<Guard<Arc<Token>>> {
        let look = |slot: &Arc<Slot>| {
            slot.touch();
            let token = slot.named_token(&details.scopes);
            let now = self.clock.now();
            match token {
                Some(token) if token.is_hit(now) => Some(token),
                _ => self.look_broader(slot, details, now, ahead),
            }
        };
        match self.index.in_front(key) {
            Some(slot) => look(slot),
            None => self.index.look(key, look),
        }
    }

    /// A hot handle's look: no map in between.
    #[inline]
    pub(crate) fn look_at(
        self: &Arc<Self>,
        place: &Place,
        ahead: Ahead,
    ) -> Option<Guard<Arc<Token>>> {
        let token = place.entry().current();
        let now = self.clock.now();
        if token.is_hit(now) {
            return Some(token);
        }
        self.look_at_aged(token, now, ahead, place)
    }

    #[cold]
    fn look_at_aged(
        self: &Arc<Self>,
        token: Guard<Arc<Token>>,
        now: Moment,
        ahead: Ahead,
        place: &Place,
    ) -> Option<Guard<Arc<Token>>> {
        if token.is_narrowed {
            return None;
        }
        self.look_aged(token, now, ahead, || place.clone())
    }

    /// The token fetched for exactly these scopes, else the smallest whose reported grant has them all.
    #[cold]
    fn look_broader(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        details: &Details,
        now: Moment,
        ahead: Ahead,
    ) -> Option<Guard<Arc<Token>>> {
        let (place, token) = slot.answer(&details.scopes, details.exact_scopes, now)?;
        if token.freshness.is_fresh(now) {
            return Some(token);
        }
        self.look_aged(token, now, ahead, move || place)
    }

    /// What to do with a token that is no longer fresh.
    #[cold]
    fn look_aged(
        self: &Arc<Self>,
        token: Guard<Arc<Token>>,
        now: Moment,
        ahead: Ahead,
        place: impl FnOnce() -> Place,
    ) -> Option<Guard<Arc<Token>>> {
        let is_due = token.freshness.phase(now) == Phase::Window;
        match self.settings.refresh_ahead {
            _ if !token.freshness.is_usable(now) => None,
            _ if ahead == Ahead::Nothing => Some(token),
            RefreshAhead::Background if is_due => {
                self.refresh_in_background(&place(), &token, now);
                Some(token)
            }
            RefreshAhead::Inline if is_due && ahead == Ahead::Refresh => {
                (!self.is_refresh_due(&place(), now)).then_some(token)
            }
            _ => Some(token),
        }
    }
}

static NO_PARAMETERS: Parameters = Parameters::none();
