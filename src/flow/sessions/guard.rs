//! The one who may redeem: what it reads, and how it writes without undoing what others did.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::{Looked, OpenSession, Sessions, newer, unsaved::Unsaved};
use crate::{
    error::{Error, StoreErrorKind},
    store::{Session, SessionLock, SignedIn, Unusable},
};

/// Permission to redeem and to write, for one at a time among all tasks and processes.
pub(crate) struct SessionGuard {
    sessions: Arc<Sessions>,
    open: Arc<OpenSession>,
    // The store's lock goes first: who gets the mutex next finds it free.
    _lock: SessionLock,
    _held: OwnedMutexGuard<()>,
    sign_outs: u64,
    /// The generation that was read: whatever is found in its place later, somebody else wrote.
    read: u64,
    revision: u64,
    sign_in: u64,
    /// The sign-in that stands in the store, which may be another one.
    stored: u64,
}

/// Why a session is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its tokens have changed, and what the person may have did not.
    Tokens,
    /// The person has to do something: a part of what they signed in for has ended.
    Ended,
    /// The person has signed in: what was refused before may be asked for again.
    SignIn,
    /// They have, and parts of what was there before stay.
    SignInBeside,
}

/// What became of a session that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Saved,
    /// The store did not take it: it stays in memory, and is written at the next call.
    Kept,
    /// The person has signed out or in meanwhile, and what they did counts.
    Superseded,
}

impl SessionGuard {
    pub(super) fn new(
        sessions: Arc<Sessions>,
        open: Arc<OpenSession>,
        held: OwnedMutexGuard<()>,
        lock: SessionLock,
    ) -> Self {
        let sign_outs = open.sign_outs();
        Self {
            sessions,
            open,
            _held: held,
            _lock: lock,
            sign_outs,
            read: 0,
            revision: 0,
            sign_in: 0,
            stored: 0,
        }
    }

    /// The revision that was read, or written since.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The session as it is now; nothing if nobody is signed in.
    ///
    /// What could not be written before is written first. A damaged record is set aside, and a newer
    /// one left alone.
    pub(crate) async fn read(&mut self) -> Result<Option<SignedIn>, Error> {
        let stored = match self.load().await {
            // The store may be away for a while: what is in memory is newer anyway.
            Err(error) => {
                // What a newer version wrote must not be overwritten.
                let unsaved = self.open.unsaved().filter(|_| !is_newer(&error));
                let Some(unsaved) = unsaved else {
                    return Err(error);
                };
                (self.read, self.stored) = (unsaved.replaces, unsaved.over);
                self.revision = unsaved.session.revision;
                self.sign_in = unsaved.session.sign_in;
                return Ok(unsaved.session.signed_in);
            }
            Ok(stored) => stored,
        };
        let of = |number: fn(&Session) -> u64| stored.as_ref().map_or(0, number);
        (self.read, self.revision) = (of(|it| it.generation), of(|it| it.revision));
        (self.sign_in, self.stored) = (of(|it| it.sign_in), of(|it| it.sign_in));
        if let Some(unsaved) = self.open.instead_of(stored.as_ref()) {
            let signed_in = unsaved.session.signed_in.clone();
            return match self.put(unsaved.session, unsaved.is_anew).await {
                Written::Superseded => Ok(None),
                Written::Saved | Written::Kept => Ok(signed_in),
            };
        }
        self.open.give_up_unsaved(stored.as_ref());
        let Some(session) = stored else {
            return Ok(None);
        };
        if self.open.is_buried(&session) {
            if let Some(signed_in) = session.signed_in.filter(|_| self.open.owes_revocation()) {
                self.open.owe(&signed_in);
            }
            // What could not be written when they signed out. If it still cannot, it stays so.
            let _ = self.bury().await;
            return Ok(None);
        }
        self.open.rests_under(&session);
        Ok(session.signed_in)
    }

    /// Writes `signed_in`, unless somebody else has written since it was read.
    ///
    /// If the store does not take it, it stays in memory, and is written at the next call.
    pub(crate) async fn write(&mut self, signed_in: SignedIn, change: Change) -> Written {
        if self.is_superseded().await {
            return Written::Superseded;
        }
        let session = self.next(signed_in, change);
        self.put(session, change == Change::SignIn).await
    }

    /// Writes `signed_in` before the issuer is asked: if that fails, it must not be.
    ///
    /// What the issuer would answer could not be kept either, and the token in the store would be spent.
    pub(crate) async fn mark(&mut self, signed_in: &SignedIn) -> Result<Written, Error> {
        // It was read a moment ago, under the same lock.
        if self.has_signed_out() {
            return Ok(Written::Superseded);
        }
        let session = self.next(signed_in.clone(), Change::Tokens);
        // A mark that stands there and is never sent would use up the one repetition.
        self.save(&session).await?;
        (self.read, self.stored) = (session.generation, session.sign_in);
        if self.has_signed_out() {
            self.open.owe(signed_in);
            self.bury().await?;
            return Ok(Written::Superseded);
        }
        // What had only been in memory has been written with it.
        self.open.forget_unsaved();
        Ok(Written::Saved)
    }

    /// Writes the tombstone: whoever reads the session from now on finds that nobody is signed in.
    pub(crate) async fn bury(&mut self) -> Result<(), Error> {
        let tombstone = Session::tombstone(self.read, self.revision);
        let was_there = self.read != 0;
        self.open.forget_unsaved();
        if let Err(error) = self.sessions.save(&self.open, &tombstone).await {
            // Here at least nobody is signed in any more, and the tombstone is written when it can be.
            self.open.bury_over(self.stored);
            self.sign_outs = self.open.sign_outs();
            self.keep_unsaved(tombstone, false);
            return Err(error);
        }
        self.stands(&tombstone);
        if was_there {
            self.open.is_at_rest();
        }
        Ok(())
    }

    /// Saves; a store may have written it although it says no (a directory that cannot be flushed).
    async fn save(&self, session: &Session) -> Result<(), Error> {
        let Err(error) = self.sessions.save(&self.open, session).await else {
            return Ok(());
        };
        match self.sessions.stored(&self.open).await {
            Ok(Looked::Found(stored)) if stored.is_as(session) => {
                self.open.saw(Some(session));
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn next(&self, signed_in: SignedIn, change: Change) -> Session {
        let sign_in = match change {
            Change::Tokens | Change::Ended if self.sign_in != 0 => self.sign_in,
            _ => fastrand::u64(1..),
        };
        Session {
            generation: self.read + 1,
            revision: self.revision + u64::from(change != Change::Tokens),
            sign_in,
            signed_in: Some(signed_in),
        }
    }

    /// The store has taken it.
    fn stands(&mut self, session: &Session) {
        (self.read, self.revision) = (session.generation, session.revision);
        (self.sign_in, self.stored) = (session.sign_in, session.sign_in);
    }

    fn keep_unsaved(&mut self, session: Session, is_anew: bool) {
        (self.revision, self.sign_in) = (session.revision, session.sign_in);
        self.open.keep_unsaved(Unsaved {
            session,
            replaces: self.read,
            over: self.stored,
            is_anew,
            sign_outs: self.sign_outs,
        });
    }

    async fn put(&mut self, session: Session, is_anew: bool) -> Written {
        // What was kept in memory comes after whatever stands there now.
        let generation = self.read + 1;
        let revision = session.revision.max(self.revision + u64::from(is_anew));
        let session = Session {
            generation,
            revision,
            ..session
        };
        match self.save(&session).await {
            Ok(()) => {
                self.stands(&session);
                self.open.forget_unsaved();
                // Whoever signed out while this was being written wrote before it: their word counts.
                if let Some(signed_in) =
                    session.signed_in.as_ref().filter(|_| self.has_signed_out())
                {
                    self.open.owe(signed_in);
                    let _ = self.bury().await;
                    return Written::Superseded;
                }
                self.open.rests_under(&session);
                Written::Saved
            }
            Err(_) if session.signed_in.is_some() && self.has_signed_out() => Written::Superseded,
            Err(error) => {
                tracing::warn!(%error, "session not written, it stays in memory for now");
                self.keep_unsaved(session, is_anew);
                Written::Kept
            }
        }
    }

    fn has_signed_out(&self) -> bool {
        self.open.sign_outs() != self.sign_outs
    }

    /// Whether the person has signed out or in since the session was read.
    async fn is_superseded(&self) -> bool {
        if self.has_signed_out() {
            return true;
        }
        match self.sessions.stored(&self.open).await {
            Ok(Looked::Found(session)) => session.generation != self.read,
            Ok(Looked::Nothing | Looked::Damaged) => self.read != 0,
            // It cannot be read: then it cannot be written either, or nothing is known against it.
            Err(_) => false,
        }
    }

    async fn load(&self) -> Result<Option<Session>, Error> {
        let (store, key) = (&self.sessions.store, &self.open.key);
        let Some(record) = store.load(key).await.map_err(Error::Store)? else {
            self.open.saw(None);
            return Ok(None);
        };
        match Session::read(&record, key) {
            Ok(session) => {
                self.open.saw(Some(&session));
                Ok(Some(session))
            }
            Err(Unusable::Newer) => Err(newer()),
            Err(Unusable::Damaged) => {
                tracing::warn!(session = key.session(), "damaged session set aside");
                store.set_aside(key).await.map_err(Error::Store)?;
                self.open.saw(None);
                Ok(None)
            }
        }
    }
}

fn is_newer(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == StoreErrorKind::Unreadable)
}
