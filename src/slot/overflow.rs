//! Making room among the scope sets of a slot.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::entry::Entry;
use crate::{scope::Scopes, time::Moment};

/// Removes one entry from a full list: of those that no call holds, the one whose token ends first. One
/// with a remembered failure is removed only if there is no other, and is returned, so that the failure is
/// remembered elsewhere. False if none could be removed.
pub(super) fn make_room(entries: &mut Vec<Arc<Entry>>, now: Moment) -> (bool, Option<Arc<Entry>>) {
    let is_idle = |entry: &Arc<Entry>| Arc::strong_count(entry) == 1 + COPIES;
    let until = |entry: &Arc<Entry>| now.until(entry.current().freshness.usable_until());
    let first = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_idle(entry))
        .map(|(position, entry)| (entry.has_live_failure(now), until(entry), position))
        .min();
    match first {
        Some((true, _, position)) => (true, Some(entries.remove(position))),
        Some((false, _, position)) if entries[position].close() => {
            entries.remove(position);
            (true, None)
        }
        _ => (false, None),
    }
}

/// The scope sets of a slot for which the list that a hit reads has no room: those with a flight, and
/// those that were refused.
///
/// Each operation takes as long with a thousand of them as with ten, since it holds a lock.
#[derive(Default)]
pub(super) struct Overflow(Option<Box<OverflowSets>>);

#[derive(Default)]
struct OverflowSets {
    entries: HashMap<Scopes, Arc<Entry>, RandomState>,
    /// The order in which they are checked for removal; some may have been removed already.
    queue: VecDeque<Scopes>,
}

impl Overflow {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn find(&self, scopes: &Scopes) -> Option<&Arc<Entry>> {
        self.0.as_ref()?.entries.get(scopes)
    }

    pub(super) fn add(&mut self, entry: Arc<Entry>) {
        let sets = self.0.get_or_insert_default();
        sets.queue.push_back(entry.scopes().clone());
        sets.entries.insert(entry.scopes().clone(), entry);
    }

    pub(super) fn holds(&self, entry: &Arc<Entry>) -> bool {
        let known = self.find(entry.scopes());
        known.is_some_and(|known| Arc::ptr_eq(known, entry))
    }

    /// Takes one out, without closing it.
    pub(super) fn remove(&mut self, scopes: &Scopes) {
        if let Some(sets) = &mut self.0 {
            sets.entries.remove(scopes);
        }
    }

    /// Removes some that no call holds. One with a remembered failure is removed only when there are far too
    /// many.
    pub(super) fn thin_out(&mut self, now: Moment) {
        let Some(sets) = &mut self.0 else {
            return;
        };
        for _ in 0..AT_ONCE.min(sets.queue.len()) {
            let Some(scopes) = sets.queue.pop_front() else {
                break;
            };
            let Some(entry) = sets.entries.get(&scopes) else {
                continue;
            };
            let is_idle = Arc::strong_count(entry) == 1;
            let is_too_many = sets.entries.len() > REFUSED_SETS;
            let may_go = is_idle && (is_too_many || !entry.has_live_failure(now));
            if may_go && entry.close() {
                sets.entries.remove(&scopes);
            } else {
                sets.queue.push_back(scopes);
            }
        }
        if sets.entries.is_empty() {
            self.0 = None;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter().flat_map(|sets| sets.entries.values())
    }
}

/// While the list is changed, the slot holds the old one and the caller a copy.
const COPIES: usize = 1;

/// Scope sets that were refused are remembered up to this many.
///
/// To forget one would let it be asked for again too early.
const REFUSED_SETS: usize = 64;

/// So many are checked each time: more than are added, so that they become fewer.
const AT_ONCE: usize = 16;
