//! What the store has.

use crate::store::Session;

/// What a look into the store has found.
pub(crate) enum Looked {
    /// No record: nobody has signed in.
    Nothing,
    /// A record that nobody can read: it is to be set aside.
    Damaged,
    Found(Session),
}

impl Looked {
    pub(super) fn found(&self) -> Option<&Session> {
        match self {
            Self::Found(session) => Some(session),
            Self::Nothing | Self::Damaged => None,
        }
    }

    pub(super) fn into_found(self) -> Option<Session> {
        match self {
            Self::Found(session) => Some(session),
            Self::Nothing | Self::Damaged => None,
        }
    }
}
