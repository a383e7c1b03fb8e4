//! The records, what has stood in them, and when the store has lost what it had said yes to.

use std::collections::BTreeMap;

use crate::{
    session::simulation::{
        executor::Instant,
        tokens::{Mentions, TokenName},
    },
    store::{ChangeSender, Saved, SessionRecord, Version},
};

/// The records of all sessions.
pub(crate) struct Shelf {
    places: Vec<Place>,
    /// When each refresh token was first in the store.
    first_kept: BTreeMap<TokenName, Instant>,
    /// Whether the share is not mounted.
    pub(crate) is_away: bool,
    /// Until when it was not, at any time so far.
    pub(crate) away_until: Option<Instant>,
    listeners: Vec<ChangeSender>,
}

/// Where one session's record is.
#[derive(Default)]
pub(crate) struct Place {
    kept: Option<Kept>,
    /// What was saved while the share was not mounted: it is there as long as that lasts.
    aside: Option<Kept>,
    /// When something was lost last that the store had said yes to.
    pub(crate) lost_at: Option<Instant>,
    /// Whether what is kept cannot be read, or is a newer version's.
    pub(crate) is_spoilt: bool,
}

/// One record, and what stands in it.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) record: SessionRecord,
    pub(crate) mentions: Mentions,
}

impl Shelf {
    pub(crate) fn new(sessions: usize) -> Self {
        Self {
            places: (0..sessions).map(|_| Place::default()).collect(),
            first_kept: BTreeMap::new(),
            is_away: false,
            away_until: None,
            listeners: Vec::new(),
        }
    }

    pub(crate) fn place(&self, session: usize) -> &Place {
        &self.places[session]
    }

    /// The record, as it looks now.
    pub(crate) fn load(&self, session: usize) -> Option<&Kept> {
        let place = &self.places[session];
        if self.is_away {
            place.aside.as_ref()
        } else {
            place.kept.as_ref()
        }
    }

    /// What is kept, whether or not it can be seen now.
    pub(crate) fn kept(&self, session: usize) -> Option<&Kept> {
        self.places[session].kept.as_ref()
    }

    /// One compare-and-set.
    pub(crate) fn save(
        &mut self,
        session: usize,
        record: &SessionRecord,
        replacing: Option<Version>,
        now: Instant,
    ) -> Saved {
        let standing = self.load(session).map(|kept| kept.record.version());
        if standing != replacing {
            return Saved::Superseded;
        }
        self.put(session, record, now);
        Saved::Saved
    }

    pub(crate) fn put(&mut self, session: usize, record: &SessionRecord, now: Instant) {
        let mentions = Mentions::in_record(record.as_bytes());
        let kept = Kept {
            record: record.clone(),
            mentions,
        };
        let place = &mut self.places[session];
        if self.is_away {
            place.aside = Some(kept);
            return;
        }
        for name in &kept.mentions.refresh {
            self.first_kept.entry(*name).or_insert(now);
        }
        place.kept = Some(kept);
        place.is_spoilt = false;
    }

    /// When this refresh token came into the store.
    pub(crate) fn first_kept(&self, name: TokenName) -> Option<Instant> {
        self.first_kept.get(&name).copied()
    }

    pub(crate) fn set_aside(&mut self, session: usize, version: Version) {
        let is_away = self.is_away;
        let place = &mut self.places[session];
        let slot = if is_away {
            &mut place.aside
        } else {
            &mut place.kept
        };
        slot.take_if(|kept| kept.record.version() == version);
        place.is_spoilt &= place.kept.is_some();
    }

    pub(crate) fn wipe(&mut self, session: usize, now: Instant) {
        let place = &mut self.places[session];
        if place.kept.take().is_some() {
            place.lost_at = Some(now);
        }
        place.is_spoilt = false;
    }

    /// A record that was there before.
    pub(crate) fn plant(&mut self, session: usize, bytes: Vec<u8>, now: Instant) {
        let record = SessionRecord::from_bytes(bytes);
        self.put(session, &record, now);
    }

    /// Something else stands there from now on: torn bytes, or a newer version's record.
    pub(crate) fn spoil(&mut self, session: usize, bytes: Vec<u8>, now: Instant) {
        let place = &mut self.places[session];
        place.kept = Some(Kept {
            record: SessionRecord::from_bytes(bytes),
            mentions: Mentions::default(),
        });
        (place.lost_at, place.is_spoilt) = (Some(now), true);
    }

    pub(crate) fn goes_away(&mut self) {
        self.is_away = true;
        self.away_until = Some(Instant(u64::MAX));
    }

    /// The share is mounted again: what was saved in its place is gone.
    /// The sessions of which something is lost with that.
    pub(crate) fn comes_back(&mut self, now: Instant) -> Vec<usize> {
        (self.is_away, self.away_until) = (false, Some(now));
        let mut lost = Vec::new();
        for (session, place) in self.places.iter_mut().enumerate() {
            if place.aside.take().is_some() {
                place.lost_at = Some(now);
                lost.push(session);
            }
        }
        lost
    }

    /// Hears of changes from now on.
    pub(crate) fn listen(&mut self, listener: ChangeSender) {
        self.listeners.push(listener);
    }

    pub(crate) fn announce(&mut self, digest: &str) {
        self.listeners.retain(|listener| !listener.is_closed());
        for listener in &self.listeners {
            listener.send(digest);
        }
    }

    pub(crate) fn records(&self) -> Vec<SessionRecord> {
        let all = 0..self.places.len();
        all.filter_map(|session| Some(self.load(session)?.record.clone()))
            .collect()
    }
}
