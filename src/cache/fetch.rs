//! A call that does not find its token: it boards a flight and waits.

use std::{pin::pin, sync::Arc};

use arc_swap::Guard;

use super::{
    RefreshAhead, TokenCache, deadline,
    flight::Boarding,
    key::KeyRef,
    slot::{Place, Slot},
};
use crate::{
    error::{Error, NotCached},
    flow::resumable,
    request::{CacheMode, Details},
    session::Principal,
    token::{AccessToken, Source},
};

impl TokenCache {
    /// The token for `details`: from the cache, a flight in the air, or a flight of its own.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        principal: &Principal,
        details: &Details,
    ) -> Result<AccessToken, Error> {
        details.check()?;
        if details.mode == CacheMode::Only {
            return Err(Error::NotCached(NotCached::new(details.audience.clone())));
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
        let pinned = self.index.pinned(&key, &details.audience);
        if let Some(broader) = pinned.aged_answer(details) {
            self.forget_what_has_changed(principal, &broader).await;
            match self.ride_once(&broader, details).await {
                Some(Ok(token)) if token.token().reports(&details.scopes) => return Ok(token),
                // What the broader set cannot have any more, the narrower one perhaps can.
                Some(Ok(_) | Err(Error::Denied(_) | Error::Consent(_))) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
        loop {
            let place = pinned.place(&details.scopes, self.clock.now());
            self.forget_what_has_changed(principal, &place).await;
            if let Some(outcome) = self.ride_once(&place, details).await {
                return outcome;
            }
        }
    }

    /// Refuses a session that has no slots if no person is signed in: names that a stranger makes up get none,
    /// and nothing of them is remembered.
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
        match sessions.ensure_signed_in(open, &details.asked()).await {
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

    /// Forgets that a person had to act, if something has been written to the session since.
    async fn forget_what_has_changed(&self, principal: &Principal, place: &Place) {
        let Some((sessions, open)) = self.session(principal) else {
            return;
        };
        let now = self.clock.now();
        let remembered = place.entry().needs_person(now);
        if let Some(revision) = remembered
            && sessions.revision(open).await != revision
        {
            place.entry().forgive_revision(revision, now);
        }
    }

    /// Boards a flight and waits for it; nothing if the place was given up in the meantime.
    async fn ride_once(
        self: &Arc<Self>,
        place: &Place,
        details: &Details,
    ) -> Option<Result<AccessToken, Error>> {
        let boarding = self.board(place, details.mode);
        Some(match boarding {
            Boarding::Closed => return None,
            Boarding::Token(token) => Ok(AccessToken::new(token, Source::Cache)),
            Boarding::Refused(error) => Err(error),
            Boarding::Waiting(landing) => {
                let Some(outcome) = landing.outcome().await else {
                    // It may land yet, and is published then unless another one was faster.
                    place.entry().abandon(landing.id());
                    return None;
                };
                outcome.map(|token| {
                    let source = token.came_from;
                    AccessToken::new(token, source)
                })
            }
        })
    }

    /// After a refresh that the caller waited for has failed, the old token does if there is one.
    fn still_usable(&self, principal: &Principal, details: &Details) -> Option<AccessToken> {
        let may_fall_back = self.settings.refresh_ahead == RefreshAhead::Inline
            && details.mode == CacheMode::Prefer;
        if !may_fall_back {
            return None;
        }
        let key = KeyRef::of(principal, details);
        let (scopes, now) = (&details.scopes, self.clock.now());
        let answer = |slot: &Arc<Slot>| slot.answer(scopes, details.exact_scopes, now);
        let (_, token) = self.index.look(&key, answer)?;
        Some(AccessToken::new(Guard::into_inner(token), Source::Cache))
    }
}
