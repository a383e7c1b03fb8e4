//! What is saved: a change over whatever is there by then, also where a save is superseded or fails.

use std::{future::Future, sync::Arc, time::Duration};

use super::{
    OpenSession, Sessions,
    change::{Applied, Change},
    environment::within,
    loaded::{Current, Loaded},
    record::{Session, SignInId, Writing},
    rules::{Rule, holds},
    state::State,
    transition::{Transition, took},
};
use crate::{
    error::{Error, StoreError, StoreErrorKind},
    store::{Saved, Version},
};

/// What became of a change that was to be saved.
pub(super) struct Committed {
    pub(super) applied: Applied,
    /// The sign-in that is in force with it.
    pub(super) sign_in: SignInId,
    /// Why the store does not have it: then it is pending.
    pub(super) unsaved: Option<Error>,
}

/// What became of a save.
pub(super) enum SaveOutcome {
    Saved(Arc<Loaded>),
    /// Another version stands there.
    Superseded,
    /// As before; the store gave an error first, and may have taken this one in between.
    InDoubt(Arc<Loaded>),
}

impl Sessions {
    /// Saves what the session is with `change`, over `loaded` or whatever is there by then.
    ///
    /// What the store does not take is pending afterwards.
    pub(super) async fn commit(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        mut loaded: Arc<Loaded>,
        mut change: Change,
    ) -> Committed {
        let mut sign_in = SignInId::UNKNOWN;
        for _ in 0..TRIES {
            let now = self.now();
            let (current, applied) =
                open.state(|state| state.current_with(&mut change, &loaded, now));
            sign_in = current.in_force();
            let unsaved = if applied.is_entered() {
                match self.save(open, &loaded, &current).await {
                    Ok(SaveOutcome::Saved(_)) => None,
                    Ok(SaveOutcome::InDoubt(newer)) => {
                        change.may_have_entered();
                        loaded = newer;
                        continue;
                    }
                    Ok(SaveOutcome::Superseded) => match self.load(open).await {
                        Ok(newer) => {
                            loaded = newer;
                            continue;
                        }
                        Err(error) => Some(error),
                    },
                    Err(error) => Some(error),
                }
            } else {
                None
            };
            if let Some(error) = &unsaved {
                tracing::warn!(%error, "session not written, the change stays in memory for now");
            }
            if unsaved.is_some() || applied == Applied::Waits {
                self.hold(open, change, &loaded);
            }
            return Committed {
                applied,
                sign_in,
                unsaved,
            };
        }
        self.hold(open, change, &loaded);
        Committed {
            applied: Applied::Entered,
            sign_in,
            unsaved: Some(contended()),
        }
    }

    /// Keeps a change that the store has not taken.
    pub(super) fn hold(
        self: &Arc<Self>,
        open: &Arc<OpenSession>,
        mut change: Change,
        loaded: &Arc<Loaded>,
    ) {
        let now = self.now();
        change.may_have_entered();
        open.state(|state| state.hold_pending(change, loaded, now));
        self.open.keep_pending(open);
    }

    /// Saves what the session is now, if the store is not ahead of it.
    pub(super) async fn save(
        &self,
        open: &OpenSession,
        loaded: &Arc<Loaded>,
        current: &Current,
    ) -> Result<SaveOutcome, Error> {
        let Some(session) = &current.session else {
            // Nothing is applied to nothing.
            return Ok(SaveOutcome::Superseded);
        };
        let (count, changes) = open.state(|state| (state.seen_count(), state.changes()));
        let mut writing = self.writing(session, false);
        let mut saved = self.save_once(open, session, loaded, writing).await;
        if saved.as_ref().is_err_and(has_no_room)
            && current.signed_in().is_some_and(|it| !it.tokens.is_empty())
        {
            took(Transition::Shed);
            writing = self.writing(session, true);
            saved = self.save_once(open, session, loaded, writing).await;
        }
        match saved {
            Ok(Saved::Superseded) if holds(Rule::MergeWhenSuperseded) => {
                took(Transition::Superseded);
                return Ok(SaveOutcome::Superseded);
            }
            Ok(_) => {}
            Err(error) => {
                let found = self.found_instead(open, loaded, error).await?;
                if found.version != Some(writing.version) {
                    took(Transition::Superseded);
                    return Ok(SaveOutcome::InDoubt(found));
                }
                took(Transition::SaveFound);
            }
        }
        took(Transition::Saved);
        let now = self.now();
        let made = (count, loaded.version);
        let loaded = Arc::new(Loaded::new(writing.version, session.clone(), changes));
        open.state(|state| state.saved(&current.ahead, made, &loaded, now));
        Ok(SaveOutcome::Saved(loaded))
    }

    /// What stands there after a save for which the store gave an error, or no answer: it may have been made.
    ///
    /// # Errors
    ///
    /// The store's, if nothing has changed, or if it cannot be read.
    async fn found_instead(
        &self,
        open: &OpenSession,
        loaded: &Loaded,
        error: StoreError,
    ) -> Result<Arc<Loaded>, Error> {
        took(Transition::SaveFailed);
        match self.load(open).await {
            Ok(found) if found.version != loaded.version => Ok(found),
            _ => Err(Error::Store(error)),
        }
    }

    async fn save_once(
        &self,
        open: &OpenSession,
        session: &Session,
        loaded: &Loaded,
        writing: Writing,
    ) -> Result<Saved, StoreError> {
        let key = self.key(open);
        let record = session.write(&key, writing)?;
        let saving = self.store.save(&key, &record, loaded.version);
        self.limited(saving).await
    }

    fn writing(&self, session: &Session, sheds_tokens: bool) -> Writing {
        Writing {
            version: Version::drawn(self.environment.random()),
            keep_until: session.keep_until(self.now()),
            limit: self.store.record_limit(),
            sheds_tokens,
        }
    }

    /// Writes what is pending, if the store takes it now.
    pub(super) async fn settle(self: &Arc<Self>, open: &Arc<OpenSession>) -> Result<(), Error> {
        let settled = self.try_settle(open).await;
        self.open.keep_pending(open);
        self.revoke_queued(open);
        settled
    }

    async fn try_settle(&self, open: &OpenSession) -> Result<(), Error> {
        for _ in 0..TRIES {
            let loaded = self.load(open).await?;
            let now = self.now();
            let current = open.state(|state| state.current(&loaded, now));
            if !current.is_ahead() {
                return Ok(());
            }
            if let SaveOutcome::Saved(_) = self.save(open, &loaded, &current).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Writes what is pending; no call waits for it.
    pub(super) fn settle_later(self: &Arc<Self>, open: &Arc<OpenSession>) {
        let (sessions, open) = (Arc::clone(self), Arc::clone(open));
        let own = Arc::clone(self);
        own.spawn(async move {
            // It stays pending, and close says so.
            let _ = sessions.settle(&open).await;
        });
    }

    /// Revokes what is of no use any more; no call waits for it.
    pub(super) fn revoke_queued(self: &Arc<Self>, open: &OpenSession) {
        let tokens = open.state(State::take_to_revoke);
        if tokens.is_empty() {
            return;
        }
        let sessions = Arc::clone(self);
        self.spawn(async move {
            for token in tokens {
                sessions.issuer.revoke(&token).await;
            }
        });
    }

    /// Awaits a call into the store, at most as long as one may take.
    pub(super) async fn limited<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.limited_to(self.store_timeout, call).await
    }

    pub(super) async fn limited_to<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if !holds(Rule::LimitStoreCalls) {
            return call.await;
        }
        let outcome = within(&*self.environment, limit, call).await;
        outcome.unwrap_or_else(|| {
            let what = format!("the session store has not answered within {limit:?}");
            Err(StoreError::new(StoreErrorKind::Io, what))
        })
    }
}

/// Whether a smaller record may be taken.
fn has_no_room(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        StoreErrorKind::Full | StoreErrorKind::TooLarge
    )
}

pub(super) fn contended() -> Error {
    Error::Store(StoreError::new(
        StoreErrorKind::Locked,
        "other processes kept changing the session",
    ))
}

/// How often a change is made anew because another process was faster. One family has one writer at a
/// time, so that each of these is another family's, a sign-in or a sign-out.
pub(super) const TRIES: usize = 32;
