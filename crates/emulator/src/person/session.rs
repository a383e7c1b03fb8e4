//! Sign-in sessions: what `sid` names.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::grant::SignIn;
use crate::clock::{self, later};

/// A person's session, as the handle and the admin API show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionRecord {
    /// Its id, `ses_...`: the claim `sid`.
    pub id: String,
    /// The person.
    pub user: String,
    /// When the person signed in.
    #[serde(serialize_with = "clock::serialize")]
    pub since: SystemTime,
    /// How sure the platform is: `AAL1` or `AAL2`.
    pub auth_level: String,
    /// Whether it was revoked; an expired one is not.
    pub is_revoked: bool,
    /// Whether the pages still treat the person as signed in.
    pub is_alive: bool,
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) sign_in: SignIn,
    pub(crate) is_revoked: bool,
}

/// The sessions in order of sign-in.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    known: Vec<Session>,
}

impl Sessions {
    pub(crate) fn insert(&mut self, session: Session) {
        if self.known.len() >= MOST {
            self.known.remove(0);
        }
        self.known.push(session);
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Session> {
        // The newest sessions are looked up most often.
        self.known.iter().rev().find(|known| known.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut Session> {
        self.known.iter_mut().rev().find(|known| known.id == id)
    }

    /// The sessions of a person that are not revoked.
    pub(crate) fn live_of(&self, user: &str) -> Vec<String> {
        let theirs = |known: &&Session| known.user == user && !known.is_revoked;
        let known = self.known.iter().filter(theirs);
        known.map(|known| known.id.clone()).collect()
    }

    pub(crate) fn records(&self, now: SystemTime, ttl: Duration) -> Vec<SessionRecord> {
        let records = self.known.iter().map(|known| SessionRecord {
            id: known.id.clone(),
            user: known.user.clone(),
            since: known.sign_in.at,
            auth_level: known.sign_in.level.as_str().to_owned(),
            is_revoked: known.is_revoked,
            is_alive: known.is_alive(now, ttl),
        });
        records.collect()
    }
}

impl Session {
    pub(crate) fn is_alive(&self, now: SystemTime, ttl: Duration) -> bool {
        !self.is_revoked && later(self.sign_in.at, ttl) > now
    }
}

/// The oldest ones go when an emulator that runs for weeks has more.
const MOST: usize = 20_000;
