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
pub(super) fn make_room(scoped: &mut Vec<Arc<Entry>>, now: Moment) -> (bool, Option<Arc<Entry>>) {
    let is_idle = |entry: &Arc<Entry>| Arc::strong_count(entry) == 1 + COPIES;
    let until = |entry: &Arc<Entry>| now.until(entry.current().freshness.usable_until());
    let first = scoped
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_idle(entry))
        .map(|(position, entry)| (entry.has_live_failure(now), until(entry), position))
        .min();
    match first {
        Some((true, _, position)) => (true, Some(scoped.remove(position))),
        Some((false, _, position)) if scoped[position].close() => {
            scoped.remove(position);
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
pub(super) struct Overflow(Option<Box<OverflowSets>>);

#[derive(Default)]
struct OverflowSets {
    entries: HashMap<Scopes, Arc<Entry>, RandomState>,
    /// Whose turn to go comes next; some may have gone already.
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

    /// Takes one out, which stays what it is.
    pub(super) fn remove(&mut self, scopes: &Scopes) {
        if let Some(sets) = &mut self.0 {
            sets.entries.remove(scopes);
        }
    }

    /// Gives up some of those that nobody needs. One with a remembered failure goes only when there are far
    /// too many.
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

/// While the list is changed there are two of it: the one in the slot and the copy.
const COPIES: usize = 1;

/// Scope sets that were refused are remembered up to this many.
///
/// To forget one would let it be asked for again too early.
const REFUSED_SETS: usize = 64;

/// So many are looked at each time: more than are added, so that they become fewer.
const AT_ONCE: usize = 16;
