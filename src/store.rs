//! Where the sessions of people are kept: a [`SessionStore`] holds opaque bytes under a [`SessionKey`].

mod boxed;
mod changes;
#[cfg(feature = "file-store")]
mod file;
mod key;
mod lease;
mod lock;
mod memory;
mod record;
mod runtime;

use std::{fmt, future::Future, time::Duration};

pub(crate) use boxed::BoxedStore;
pub use changes::{ChangeSender, StoreChange, StoreChanges};
#[cfg(feature = "file-store")]
pub use file::FileStore;
pub use key::{FamilyKey, SessionKey};
pub use lease::Lease;
pub use lock::{HeldLock, SessionLock};
pub use memory::MemoryStore;
pub use record::{LARGEST_RECORD, SessionRecord, Version, VersionError};

use crate::error::StoreError;
#[cfg(doc)]
use crate::error::StoreErrorKind;

/// Where the sessions of people are kept.
///
/// A store keeps opaque bytes and knows nothing of what is in them. [`MemoryStore`] is the default of a
/// client; write one of your own to keep sessions in a database. The guide has [a page about
/// that](crate::guide::stores), with an example, and the feature `test-util` a suite that says whether a
/// store is right: `intelliauth::test_util::check_store`.
///
/// # What a client relies on
///
/// - **Saving is one atomic compare-and-set** among all users of the store. That alone makes a sign-out
///   final: what comes late names a version that is no longer there.
/// - **A load finds what was saved last**, in whatever process: no copy that lags behind, no cache.
/// - **A lock has one holder**, which is what keeps an issuer from being asked twice with one refresh
///   token. Only redemptions take it; a save needs none. It is held for as long as one takes: up to 15 s
///   for the issuer's answer (the request timeout), and the calls to the store around it. A lock that ends
///   by itself has to last longer than that, be renewed while it is held, and be
///   [honest](HeldLock::is_held) about what is left of it: see [`Lease`].
/// - **What was acknowledged is kept**, until it is replaced or its [time](SessionRecord::keep_until)
///   is over.
///
/// # Where it is called
///
/// Every call is made on a runtime of the client's own, which has I/O and timers and outlives all
/// callers. A store may be *made* anywhere, and the runtime that it was made on may end before it does: so a
/// connection, or a task that a store cannot do without, belongs to a call and not to the constructor.
/// Calls of different sessions are made at the same time, and take turns on one thread: **a call must not
/// block it**. A driver that waits by itself (most that are not `async`) would stop the sessions of all people,
/// and the time limits with them; run it with [`spawn_blocking`](tokio::task::spawn_blocking), as
/// [`FileStore`] does.
///
/// A call gets 5 s unless the client says otherwise, and [`lock`](Self::lock) its patience besides. One
/// that takes longer is dropped and counts as failed, whatever comes of it later; a store that can, says
/// before that what went wrong.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), intelliauth::StoreError> {
/// use intelliauth::{FamilyKey, MemoryStore, Saved, SessionKey, SessionRecord, SessionStore};
/// use std::time::Duration;
///
/// let store = MemoryStore::new();
/// let key = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0DESKTOP", "alice");
///
/// let first = SessionRecord::from_bytes(*b"what the client keeps");
/// assert_eq!(store.save(&key, &first, None).await?, Saved::Saved);
/// // It was replaced by then, so a late writer is refused.
/// let second = SessionRecord::from_bytes(*b"what comes after it");
/// assert_eq!(store.save(&key, &second, Some(first.version())).await?, Saved::Saved);
/// assert_eq!(store.save(&key, &first, Some(first.version())).await?, Saved::Superseded);
///
/// let family = FamilyKey::new(key, None);
/// let lock = store.lock(&family, Duration::from_secs(5)).await?;
/// assert!(lock.is_held().await);
/// lock.release().await;
/// # Ok(()) }
/// ```
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// The record that was saved last, or nothing.
    ///
    /// # Errors
    ///
    /// [`Insecure`](StoreErrorKind::Insecure) if others could have changed it,
    /// [`Unreadable`](StoreErrorKind::Unreadable) if it can be no record (then
    /// [`set_aside`](Self::set_aside) takes [`Version::UNREADABLE`]),
    /// [`Io`](StoreErrorKind::Io) or [`Other`](StoreErrorKind::Other) if it cannot be read. A record
    /// that is not there is no error.
    fn load(
        &self,
        key: &SessionKey,
    ) -> impl Future<Output = Result<Option<SessionRecord>, StoreError>> + Send;

    /// Replaces the record of that version; if another is there, or none, it changes nothing.
    ///
    /// Comparing and replacing is one atomic step among all users of the store, tasks and processes
    /// alike. `replacing` is nothing where there was no record: then the record is saved only if there
    /// still is none.
    ///
    /// It returns when the record is durable: a crash right after it, of the program or the machine,
    /// loses nothing. A load meanwhile, or after a crash in the middle, finds the old record or the
    /// new one, never a mixture. A save whose future is dropped may still happen, now or later:
    /// comparing makes that harmless.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](StoreErrorKind::TooLarge) for more than [`record_limit`](Self::record_limit), else
    /// any kind. The old record is then still there, or the new one if only its flushing failed.
    fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> impl Future<Output = Result<Saved, StoreError>> + Send;

    /// Takes the right to redeem the refresh token of one family, waiting up to `patience`.
    ///
    /// Among all users of the store, tasks and processes alike, at most one holds it. It is free again
    /// when it is [released](SessionLock::release), soon after it was dropped, and when its holder dies: at
    /// once, or when its lease has run out. No patience at all is one try. A call that is dropped while it
    /// waits leaves nothing taken.
    ///
    /// # Errors
    ///
    /// [`Locked`](StoreErrorKind::Locked) if another holder had it all the time; other kinds if the
    /// lock cannot be taken at all.
    fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> impl Future<Output = Result<SessionLock, StoreError>> + Send;

    /// Puts the record of that version out of the way, if it is still there.
    ///
    /// It is for what cannot be used. A store that outlives the process keeps it where a person can
    /// look at it, beside those that were put there before. It is no error if there is no record, or
    /// another one. [`Version::UNREADABLE`] stands for whatever is there and cannot be loaded.
    ///
    /// # Errors
    ///
    /// Any kind but [`Unreadable`](StoreErrorKind::Unreadable); the record is then where it was.
    fn set_aside(
        &self,
        key: &SessionKey,
        version: Version,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Shows every record that the store holds, in any order: those of all issuers and applications.
    ///
    /// What is set aside, and what cannot be read, is left out. A record that is saved meanwhile may be
    /// shown or not.
    ///
    /// # Errors
    ///
    /// Any kind, if the store cannot say what it holds.
    fn list(
        &self,
        visit: &mut (dyn FnMut(SessionRecord) + Send),
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Announces changed records from now on, if the store can; the default cannot.
    ///
    /// It is called on the client's runtime, like the others, and returns at once: what it takes to
    /// listen is begun in the background. Each call makes a listener of its own, which also hears what the
    /// same process saves.
    fn changes(&self) -> Option<StoreChanges> {
        None
    }

    /// The largest record that it takes, in bytes; [`LARGEST_RECORD`] by default.
    fn record_limit(&self) -> usize {
        LARGEST_RECORD
    }
}

/// What became of a record that was to replace another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a record that was superseded was not saved"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a compare-and-set has no third outcome, and every caller has to handle both"
)]
pub enum Saved {
    /// It is there, durably.
    Saved,
    /// Another record was there than the one to replace, or none: nothing was changed.
    Superseded,
}

impl From<bool> for Saved {
    /// Whether it was saved: whether the one row that was to be replaced, or made, is written.
    fn from(is_saved: bool) -> Self {
        if is_saved {
            Self::Saved
        } else {
            Self::Superseded
        }
    }
}
