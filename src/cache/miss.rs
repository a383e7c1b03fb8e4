//! A call that does not find its token: it joins a flight, or starts one, and waits.

use std::{pin::pin, sync::Arc};

use arc_swap::Guard;

use super::{deadline, join::Join, key::KeyRef, settings::RefreshAhead, token_cache::TokenCache};
use crate::{
    error::{Error, NotCached},
    flow::resumable,
    request::{CacheMode, Details},
    session::Principal,
    slot::{Slot, SlotEntry},
    token::{AccessToken, Source},
};

impl TokenCache {
    /// The token for `details`: from the cache, a flight under way, or a flight of its own.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        principal: &Principal,
        details: &Details,
    ) -> Result<AccessToken, Error> {
        details.check()?;
        if details.mode == CacheMode::Only {
            return Err(Error::NotCached(NotCached::new(details.audience().clone())));
        }
        let limit = details.timeout.unwrap_or(self.settings.wait_timeout);
        let work = pin!(self.fetch_without_limit(principal, details));
        let outcome = deadline::within(limit, work).await;
        outcome.or_else(|error| self.still_usable(principal, details).ok_or(error))
    }

    async fn fetch_without_limit(
        self: &Arc<Self>,
        principal: &Principal,
        details: &Details,
    ) -> Result<AccessToken, Error> {
        self.ensure_signed_in(principal, details).await?;
        let key = KeyRef::of(principal, details);
        let pinned = self.index.pin(&key, details.audience());
        let slot = pinned.slot();
        if let Some(superset) = slot.stale_superset(details, self.clock.now()) {
            self.forget_outdated_failure(principal, &superset).await;
            match self.join_flight(principal, &superset, details).await {
                Some(Ok(token)) if token.token().reports(details.scopes()) => return Ok(token),
                // The larger scope set is refused now; the smaller one may still be granted.
                Some(Ok(_) | Err(Error::Denied(_) | Error::Consent(_))) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
        loop {
            let slot_entry = slot.entry_for(details.scopes(), self.clock.now());
            self.forget_outdated_failure(principal, &slot_entry).await;
            if let Some(outcome) = self.join_flight(principal, &slot_entry, details).await {
                return outcome;
            }
        }
    }

    /// Refuses a session without slots if no person is signed in: session names that a stranger makes up
    /// get no slot, and the cache remembers nothing of them.
    async fn ensure_signed_in(
        &self,
        principal: &Principal,
        details: &Details,
    ) -> Result<(), Error> {
        let Some((sessions, open)) = self.session(principal) else {
            return Ok(());
        };
        if !open.slots().is_empty() {
            return Ok(());
        }
        match sessions.ensure_signed_in(open, &details.target.asked).await {
            Ok(()) => Ok(()),
            Err(error) => Err(resumable(error, &self.endpoint, open, None, false).await),
        }
    }

    /// The same error, with what it takes to go on if it needs a person and does not know that yet.
    pub(crate) async fn resumable(&self, principal: &Principal, error: Error) -> Error {
        let is_complete = error
            .person_needed()
            .is_none_or(|(_, resume)| resume.is_some());
        match self.session(principal) {
            Some((sessions, open)) if !is_complete => {
                let signed_in = sessions.signed_in(open).await.ok().flatten();
                resumable(error, &self.endpoint, open, signed_in.as_ref(), false).await
            }
            _ => error,
        }
    }

    /// Forgets that a person had to act, if the session has changed since.
    async fn forget_outdated_failure(&self, principal: &Principal, slot_entry: &SlotEntry) {
        let Some((sessions, open)) = self.session(principal) else {
            return;
        };
        let now = self.clock.now();
        let remembered = slot_entry.entry().needs_person(now);
        if let Some(revision) = remembered
            && sessions.revision(open).await != revision
        {
            slot_entry.entry().clear_failure_of(revision, now);
        }
    }

    /// Joins a flight and waits for it; `None` if the entry was evicted in the meantime.
    async fn join_flight(
        self: &Arc<Self>,
        principal: &Principal,
        slot_entry: &SlotEntry,
        details: &Details,
    ) -> Option<Result<AccessToken, Error>> {
        let join = self.join(principal, slot_entry, details.mode);
        Some(match join {
            Join::Closed => return None,
            Join::Token(token) => Ok(AccessToken::new(token, Source::Cache)),
            Join::Refused(error) => Err(error),
            Join::Waiting(result) => {
                let Some(outcome) = result.outcome().await else {
                    // Its runtime may come back: then its token is published, unless a newer flight was faster.
                    slot_entry.entry().abandon(result.id());
                    return None;
                };
                outcome.map(|token| {
                    let source = token.came_from;
                    AccessToken::new(token, source)
                })
            }
        })
    }

    /// The old token, where a refresh that the caller waited for has failed and it is still usable.
    fn still_usable(&self, principal: &Principal, details: &Details) -> Option<AccessToken> {
        let may_fall_back = self.settings.refresh_ahead == RefreshAhead::Inline
            && details.mode == CacheMode::Prefer;
        if !may_fall_back {
            return None;
        }
        let key = KeyRef::of(principal, details);
        let (scopes, now) = (details.scopes(), self.clock.now());
        let read = |slot: &Arc<Slot>| slot.usable(scopes, details.exact_scopes, now);
        let (_, token) = self.index.with_slot(&key, read)?;
        Some(AccessToken::new(Guard::into_inner(token), Source::Cache))
    }
}
