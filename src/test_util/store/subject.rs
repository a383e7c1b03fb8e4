//! The store that is checked, with a time limit for each call.

use std::{
    fmt::Display,
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    error::{StoreError, StoreErrorKind},
    scope::Audience,
    store::{
        FamilyKey, LARGEST_RECORD, Saved, SessionKey, SessionLock, SessionRecord, SessionStore,
        Version,
    },
    time::{Clock, SystemClock},
};

/// How long a call may take beyond its own patience: no store that works is that slow.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How long a lock may stay taken whose holder is gone: twice the lease that the guide recommends.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a record of the suite is worth keeping.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a check ended.
pub(super) enum Trouble {
    /// A call did not return.
    Silent(String),
    /// A rule does not hold: what was seen instead, as the rest of a sentence that begins with "but".
    Seen(String),
}

pub(super) type Outcome<T = ()> = Result<T, Trouble>;

/// A rule does not hold.
pub(super) fn seen<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Trouble::Seen(what.into()))
}

/// The rule holds if `holds`; else this was seen.
pub(super) fn ensure(holds: bool, what: impl Display) -> Outcome {
    if holds {
        Ok(())
    } else {
        seen(what.to_string())
    }
}

/// The store that is checked.
pub(super) struct Subject<S> {
    open: Box<dyn Fn() -> S + Send + Sync>,
    /// Of this run: what another run has left behind is another session.
    run: Version,
    drawn: AtomicU64,
}

/// A handle to the store. Every call has a time limit.
pub(super) struct Handle<S>(pub(super) S);

impl<S: SessionStore> Subject<S> {
    pub(super) fn new(open: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            open: Box::new(open),
            run: Version::drawn(fastrand::u64(..)),
            drawn: AtomicU64::new(0),
        }
    }

    pub(super) fn open(&self) -> Handle<S> {
        Handle((self.open)())
    }

    /// A session that nothing was saved for.
    pub(super) fn key(&self) -> SessionKey {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        SessionKey::new(ISSUER, self.run.to_string(), format!("session {number}"))
    }

    /// A session of this name, of which there is one in a run.
    pub(super) fn named(&self, client_id: &str, session: &str) -> SessionKey {
        SessionKey::new(ISSUER, format!("{}{client_id}", self.run), session)
    }
}

/// The issuer of all sessions of the suite.
const ISSUER: &str = "https://conformance.example";

pub(super) fn family(key: &SessionKey) -> FamilyKey {
    FamilyKey::new(key.clone(), None)
}

pub(super) fn family_of(key: &SessionKey, audience: &str) -> FamilyKey {
    FamilyKey::new(key.clone(), Some(Audience::from(audience)))
}

/// A record as the client writes them, different from all others.
pub(super) fn record() -> SessionRecord {
    record_of(Version::drawn(fastrand::u64(..)), 0)
}

/// The record of this version, with so many bytes more than it needs.
pub(super) fn record_of(version: Version, padding: usize) -> SessionRecord {
    let until = SystemClock::new().now().wall() + KEPT;
    let until = until.duration_since(std::time::SystemTime::UNIX_EPOCH);
    let seconds = until.map_or(0, |until| until.as_secs());
    let filling = version.to_string().repeat(padding / 16 + 1);
    let filling = &filling[..padding];
    let text = format!(
        r#"{{"version":1,"write":"{version}","keep_until":{seconds},"filling":"{filling}"}}"#
    );
    SessionRecord::from_bytes(text)
}

impl<S: SessionStore> Handle<S> {
    pub(super) async fn load(&self, key: &SessionKey) -> Outcome<Option<SessionRecord>> {
        answered("load", within("load", CALL_LIMIT, self.0.load(key)).await?)
    }

    pub(super) async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Outcome<Saved> {
        answered("save", self.try_save(key, record, replacing).await?)
    }

    pub(super) async fn try_save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Outcome<Result<Saved, StoreError>> {
        let saving = self.0.save(key, record, replacing);
        within("save", CALL_LIMIT, saving).await
    }

    /// Saves what has to be saved for a check to go on.
    pub(super) async fn put(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Outcome {
        match self.save(key, record, replacing).await? {
            Saved::Saved => Ok(()),
            Saved::Superseded => seen(
                "a save was superseded although it replaced what was there, and none else saved",
            ),
        }
    }

    /// The version of what is there.
    pub(super) async fn version(&self, key: &SessionKey) -> Outcome<Option<Version>> {
        Ok(self.load(key).await?.map(|record| record.version()))
    }

    /// The lock; nothing if it was not free within `patience`.
    pub(super) async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Outcome<Option<Held>> {
        let limit = patience.saturating_add(CALL_LIMIT);
        match within("lock", limit, self.0.lock(family, patience)).await? {
            Ok(lock) => Ok(Some(Held(lock))),
            Err(error) if error.kind() == StoreErrorKind::Locked => Ok(None),
            Err(error) => failed("lock", &error),
        }
    }

    /// The lock, where it must be free, or become so.
    pub(super) async fn hold(&self, family: &FamilyKey) -> Outcome<Held> {
        match self.lock(family, PATIENCE).await? {
            Some(held) => Ok(held),
            None => seen("a lock that none held was `Locked` for a minute"),
        }
    }

    pub(super) async fn set_aside(&self, key: &SessionKey, version: Version) -> Outcome {
        let aside = within("set_aside", CALL_LIMIT, self.0.set_aside(key, version)).await?;
        answered("set_aside", aside)
    }

    /// How often each of these versions is listed.
    pub(super) async fn listed<const N: usize>(&self, of: [Version; N]) -> Outcome<[usize; N]> {
        let mut counts = [0; N];
        let mut visit = |record: SessionRecord| {
            for (count, version) in counts.iter_mut().zip(of) {
                *count += usize::from(record.version() == version);
            }
        };
        let listed = within("list", CALL_LIMIT, self.0.list(&mut visit)).await?;
        answered("list", listed)?;
        Ok(counts)
    }

    /// How large a record is to be at most in a check that is not about size.
    pub(super) fn limit(&self) -> usize {
        self.0.record_limit().min(LARGEST_RECORD)
    }
}

/// A lock that is held.
pub(super) struct Held(SessionLock);

impl Held {
    pub(super) async fn is_held(&self) -> Outcome<bool> {
        within("is_held", CALL_LIMIT, self.0.is_held()).await
    }

    pub(super) async fn release(self) -> Outcome {
        within("release", CALL_LIMIT, self.0.release()).await
    }
}

async fn within<T>(call: &str, limit: Duration, work: impl Future<Output = T>) -> Outcome<T> {
    let silent = || format!("`{call}` did not return within {limit:?}");
    let outcome = timeout(limit, work).await;
    outcome.map_err(|_elapsed| Trouble::Silent(silent()))
}

fn answered<T>(call: &str, answer: Result<T, StoreError>) -> Outcome<T> {
    answer.or_else(|error| failed(call, &error))
}

fn failed<T>(call: &str, error: &StoreError) -> Outcome<T> {
    use std::error::Error as _;

    let kind = error.kind();
    let cause = error.source().map(|cause| format!(": {cause}"));
    let cause = cause.unwrap_or_default();
    seen(format!("`{call}` failed as `{kind:?}`: {error}{cause}"))
}
