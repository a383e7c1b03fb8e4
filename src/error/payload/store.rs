//! [`StoreError`]: the place where sessions are kept failed.

use std::{error::Error as StdError, fmt, sync::Arc};

use crate::account::Account;

/// A [`SessionStore`](crate::SessionStore) could not do what it was asked for.
///
/// It is small and cheap to clone. Its messages may name the place of a session, never what is in it.
///
/// # Examples
///
/// A store of your own says what failed, and keeps the cause apart:
///
/// ```
/// use intelliauth::{Error, StoreError, StoreErrorKind};
///
/// let cause = std::io::Error::from(std::io::ErrorKind::StorageFull);
/// let error = StoreError::new(StoreErrorKind::Full, "the table `sessions` takes no more rows")
///     .with_next_move("ask the database's owner for more space")
///     .caused_by(cause);
///
/// assert_eq!(error.kind(), StoreErrorKind::Full);
/// assert_eq!(error.to_string(), "the table `sessions` takes no more rows");
/// assert_eq!(Error::from(error).next_move(), "ask the database's owner for more space");
/// ```
#[derive(Clone)]
pub struct StoreError(Arc<Details>);

#[derive(Clone)]
struct Details {
    kind: StoreErrorKind,
    what: String,
    next_move: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    account: Option<Account>,
}

/// What kept a store from doing its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another task or process held the lock for as long as the caller was willing to wait.
    Locked,
    /// Others could read or replace what is kept there, so it is not touched.
    Insecure,
    /// What is kept there can be no record of a session.
    ///
    /// The store can put it out of the way: see
    /// [`Version::UNREADABLE`](crate::Version::UNREADABLE).
    Unreadable,
    /// There is no space left; what was there before is still there.
    Full,
    /// The record is larger than the store takes, however much space there is; what was there before
    /// is still there.
    TooLarge,
    /// Reading or writing failed.
    Io,
    /// Something else.
    Other,
}

impl StoreError {
    /// An error of this kind; `what` says what failed, in lower case and without a full stop.
    ///
    /// `what` is shown to people and written to logs: it must not hold any part of a record.
    pub fn new(kind: StoreErrorKind, what: impl Into<String>) -> Self {
        Self(Arc::new(Details {
            kind,
            what: what.into(),
            next_move: None,
            source: None,
            account: None,
        }))
    }

    /// Adds the cause, for [`source`](StdError::source).
    ///
    /// Its messages are shown as well, so it must not hold any part of a record either.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(cause.into()));
        self
    }

    /// Replaces the sentence of [`next_move`](Self::next_move) by one that knows more.
    #[must_use]
    pub fn with_next_move(mut self, next_move: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).next_move = Some(next_move.into());
        self
    }

    /// What kept the store from doing its work.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// Who has signed in where the session could not be kept; nothing where no sign-in was to be kept.
    ///
    /// The person is signed in in this process. The session is written as soon as the store takes it, at the
    /// next call or when the client is closed; until then no other process knows of it, and it is lost when
    /// this one ends.
    pub fn account(&self) -> Option<&Account> {
        self.0.account.as_ref()
    }

    /// The same, of a sign-in that could not be kept.
    pub(crate) fn of_account(mut self, account: &Account) -> Self {
        Arc::make_mut(&mut self.0).account = Some(account.clone());
        self
    }

    /// The same, of so many sessions that could not be written at the end.
    pub(crate) fn of_unwritten(&self, sessions: usize) -> Self {
        let which = if sessions == 1 {
            "a session".to_owned()
        } else {
            format!("{sessions} sessions")
        };
        Self::new(self.kind(), format!("{which} could not be written"))
            .with_next_move(self.next_move())
            .caused_by(self.clone())
    }

    /// What to do about it, as a sentence for a person who runs the program.
    pub fn next_move(&self) -> String {
        let in_general = match self.kind() {
            StoreErrorKind::Locked => {
                "repeat the call; if it stays so, end the program that holds the session"
            }
            StoreErrorKind::Insecure => "let the program's own user alone read and write the store",
            StoreErrorKind::Unreadable => {
                "move the session's record out of the way and sign in again"
            }
            StoreErrorKind::Full => "make space where the sessions are kept, then repeat the call",
            StoreErrorKind::TooLarge => {
                "keep sessions in a store that takes larger records, or ask for fewer APIs in one session"
            }
            StoreErrorKind::Io | StoreErrorKind::Other => {
                "check that the program may read and write where the sessions are kept"
            }
        };
        self.0
            .next_move
            .clone()
            .unwrap_or_else(|| in_general.to_owned())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("what", &self.0.what)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.0.source.as_deref()?;
        Some(cause)
    }
}
