//! The record as it is in the store: loaded, shared by those who ask at one time, set aside where it is damaged.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    OpenSession, Sessions,
    loaded::{Current, Loaded},
    open::{LoadOutcome, Loading},
    record::{Session, Unusable},
    rules::{Rule, holds},
    transition::{Transition, took},
};
use crate::{
    error::{Error, StoreError, StoreErrorKind},
    store::Version,
};

impl Sessions {
    /// The record as it is in the store now.
    pub(super) async fn load(&self, open: &OpenSession) -> Result<Arc<Loaded>, Error> {
        let mut tries = 0;
        loop {
            let (count, changes) = open.state(|state| (state.seen_count(), state.changes()));
            let loaded = self.load_unseen(open, changes).await.inspect_err(|_| {
                took(Transition::LoadFailed);
            })?;
            let now = self.now();
            tries += 1;
            // Something else was seen meanwhile: which of both is newer only another load can tell.
            if open.state(|state| state.saw(count, &loaded, now)) || tries >= LOADS {
                return Ok(loaded);
            }
        }
    }

    async fn load_unseen(&self, open: &OpenSession, changes: u64) -> Result<Arc<Loaded>, Error> {
        let key = self.key(open);
        let record = match self.limited(self.store.load(&key)).await {
            // Too large to be read, for example: it is in the way of every sign-in.
            Err(error) if error.kind() == StoreErrorKind::Unreadable => {
                self.set_aside(open, Version::UNREADABLE).await?;
                None
            }
            record => record?,
        };
        let Some(record) = record else {
            return Ok(Arc::new(Loaded::absent(changes)));
        };
        match Session::read(&record, &key) {
            Ok(session) => Ok(Arc::new(Loaded::new(record.version(), session, changes))),
            Err(Unusable::Newer) => Err(newer()),
            Err(Unusable::Damaged) => {
                self.set_aside(open, record.version()).await?;
                Ok(Arc::new(Loaded::absent(changes)))
            }
        }
    }

    async fn set_aside(&self, open: &OpenSession, version: Version) -> Result<(), Error> {
        took(Transition::Damaged);
        if !holds(Rule::SetAsideDamaged) {
            return Ok(());
        }
        let key = self.key(open);
        tracing::warn!(session = open.name(), "damaged session set aside");
        let setting = self.store.set_aside(&key, version);
        self.limited(setting).await.map_err(Error::Store)
    }

    /// As [`load`](Self::load); calls at one time share one load.
    pub(super) async fn load_shared(&self, open: &OpenSession) -> Result<Arc<Loaded>, Error> {
        let (sender, receiver) = watch::channel(None);
        let joined = open.with(|inner| {
            let count = inner.state.seen_count();
            let current = inner.loading.as_ref().filter(|it| it.count == count);
            let joined = current.map(|loading| loading.outcome.clone());
            if joined.is_none() {
                let outcome = receiver;
                inner.loading = Some(Loading { count, outcome });
            }
            joined
        });
        if let Some(mut joined) = joined
            && let Ok(outcome) = joined.wait_for(Option::is_some).await
            && let Some(outcome) = LoadOutcome::clone(&outcome)
        {
            return outcome;
        }
        let outcome = self.load(open).await;
        open.with(|inner| {
            let is_own = |it: &mut Loading| it.outcome.same_channel(&sender.subscribe());
            inner.loading.take_if(is_own);
        });
        // Those who joined hear of it.
        sender.send_replace(Some(outcome.clone()));
        outcome
    }

    /// As [`load`](Self::load), or what the pending changes are over while the store cannot be read.
    pub(super) async fn load_or_base(&self, open: &OpenSession) -> Result<Arc<Loaded>, Error> {
        let loaded = self.load(open).await;
        loaded.or_else(|error| base(open, error))
    }

    /// The session as it is for this process: the record with what is pending, or what is pending alone
    /// while the store cannot be read.
    pub(super) async fn load_current(
        &self,
        open: &OpenSession,
    ) -> Result<(Arc<Loaded>, Current), Error> {
        let loaded = self.load_or_base(open).await?;
        let now = self.now();
        let current = open.state(|state| state.current(&loaded, now));
        Ok((loaded, current))
    }
}

/// What the pending changes are over: it counts while the store cannot be read.
pub(super) fn base(open: &OpenSession, error: Error) -> Result<Arc<Loaded>, Error> {
    // What a newer version wrote must not be passed over.
    let base = open
        .state(|state| state.base())
        .filter(|_| !is_newer(&error));
    base.ok_or(error)
}

fn newer() -> Error {
    Error::Store(StoreError::new(
        StoreErrorKind::Unreadable,
        "a newer version of this crate wrote the session, and it is left as it is",
    ))
}

/// Whether a newer version of this crate wrote the record.
fn is_newer(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == StoreErrorKind::Unreadable)
}

/// How often a record is loaded because something else was seen meanwhile.
const LOADS: usize = 3;
