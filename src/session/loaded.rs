//! The record as this process has read or written it, and the session as it is with what is pending.

use super::record::{Session, SignInId, SignedIn};
use crate::store::Version;

/// The record as it was loaded, or written, by this process.
#[derive(Clone)]
pub(crate) struct Loaded {
    /// Nothing if there was no record.
    pub(crate) version: Option<Version>,
    pub(crate) session: Option<Session>,
    /// Whether it was read: else it stands for a record that could not be.
    pub(crate) is_read: bool,
    /// How many changes there had been when its load began, or its save: it says nothing of later ones.
    pub(crate) changes: u64,
}

/// The session as it is for this process.
pub(crate) struct Current {
    pub(crate) session: Option<Session>,
    /// The pending changes that it is ahead of the record by.
    pub(crate) ahead: Vec<u64>,
}

impl Loaded {
    const ABSENT: Self = Self {
        version: None,
        session: None,
        is_read: true,
        changes: 0,
    };

    /// Nothing is known of the record.
    pub(crate) const UNREAD: Self = Self {
        is_read: false,
        ..Self::ABSENT
    };

    pub(crate) fn new(version: Version, session: Session, changes: u64) -> Self {
        Self {
            version: Some(version),
            session: Some(session),
            is_read: true,
            changes,
        }
    }

    /// There is no record.
    pub(crate) fn absent(changes: u64) -> Self {
        Self {
            changes,
            ..Self::ABSENT
        }
    }

    pub(crate) fn signed_in(&self) -> Option<&SignedIn> {
        self.session.as_ref()?.signed_in.as_ref()
    }
}

impl Current {
    /// Whether the store does not have it yet.
    pub(crate) fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    pub(crate) fn signed_in(&self) -> Option<&SignedIn> {
        self.session.as_ref()?.signed_in.as_ref()
    }

    /// The sign-in that is in force.
    pub(crate) fn in_force(&self) -> SignInId {
        self.session
            .as_ref()
            .map_or(SignInId::UNKNOWN, Session::in_force)
    }
}
