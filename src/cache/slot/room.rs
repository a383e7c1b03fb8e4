//! Making room among the scope sets of a slot.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::Entry;
use crate::{scope::Scopes, time::Moment};

/// Finds room in a list that is full: the entry whose token ends first goes, of those that nobody needs.
/// One with a remembered failure goes only if there is no other, and is returned: it is to be remembered
/// elsewhere. False if there is none to go.
pub(super) fn drop_one(named: &mut Vec<Arc<Entry>>, now: Moment) -> (bool, Option<Arc<Entry>>) {
    let is_idle = |entry: &Arc<Entry>| Arc::strong_count(entry) == 1 + COPIES;
    let until = |entry: &Arc<Entry>| now.until(entry.current().freshness.usable_until());
    let first = named
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_idle(entry))
        .map(|(position, entry)| (entry.has_live_failure(now), until(entry), position))
        .min();
    match first {
        Some((true, _, position)) => (true, Some(named.remove(position))),
        Some((false, _, position)) if named[position].close() => {
            named.remove(position);
            (true, None)
        }
        _ => (false, None),
    }
}

/// The scope sets of a slot that find no room among those that a hit finds: those in the air, and those
/// that were refused.
///
/// Whatever is done here takes as long with a thousand of them as with ten, since it is done under a lock.
#[derive(Default)]
pub(super) struct Crowd(Option<Box<Crowded>>);

#[derive(Default)]
struct Crowded {
    entries: HashMap<Scopes, Arc<Entry>, RandomState>,
    /// Whose turn to go comes next; some may have gone already.
    turns: VecDeque<Scopes>,
}

impl Crowd {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn find(&self, scopes: &Scopes) -> Option<&Arc<Entry>> {
        self.0.as_ref()?.entries.get(scopes)
    }

    pub(super) fn add(&mut self, entry: Arc<Entry>) {
        let crowded = self.0.get_or_insert_default();
        crowded.turns.push_back(entry.scopes().clone());
        crowded.entries.insert(entry.scopes().clone(), entry);
    }

    pub(super) fn holds(&self, entry: &Arc<Entry>) -> bool {
        let known = self.find(entry.scopes());
        known.is_some_and(|known| Arc::ptr_eq(known, entry))
    }

    /// Takes one out, which stays what it is.
    pub(super) fn remove(&mut self, scopes: &Scopes) {
        if let Some(crowded) = &mut self.0 {
            crowded.entries.remove(scopes);
        }
    }

    /// Gives up some of those that nobody needs. One with a remembered failure goes only when there are far
    /// too many.
    pub(super) fn thin_out(&mut self, now: Moment) {
        let Some(crowded) = &mut self.0 else {
            return;
        };
        for _ in 0..AT_ONCE.min(crowded.turns.len()) {
            let Some(scopes) = crowded.turns.pop_front() else {
                break;
            };
            let Some(entry) = crowded.entries.get(&scopes) else {
                continue;
            };
            let is_idle = Arc::strong_count(entry) == 1;
            let is_too_many = crowded.entries.len() > REFUSED_SETS;
            let may_go = is_idle && (is_too_many || !entry.has_live_failure(now));
            if may_go && entry.close() {
                crowded.entries.remove(&scopes);
            } else {
                crowded.turns.push_back(scopes);
            }
        }
        if crowded.entries.is_empty() {
            self.0 = None;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter().flat_map(|crowded| crowded.entries.values())
    }
}

/// While the list is changed there are two of it: the one in the slot and the copy.
const COPIES: usize = 1;

/// Scope sets that were refused are remembered up to this many.
///
/// To forget one would let it be asked for again too early.
const REFUSED_SETS: usize = 64;

/// So many are looked at each time: more than are added, so that they become fewer.
const AT_ONCE: usize = 16;
