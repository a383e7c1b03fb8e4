//! The scope sets of a slot: those that a hit finds, and the overflow beside them.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Entry, SCOPE_SETS, Slot, SlotEntry, find,
    overflow::{Overflow, make_room},
};
use crate::{cache::lock, scope::Scopes, time::Moment, token::Token};

impl Slot {
    /// The entry of `scopes`, if there is one.
    pub(in super::super) fn existing(self: &Arc<Self>, scopes: &Scopes) -> Option<SlotEntry> {
        if scopes.is_empty() {
            return Some(SlotEntry::unscoped(self));
        }
        let listed = self.listed(scopes);
        let entry = match listed {
            None if self.has_overflow.load(Ordering::Acquire) => {
                let overflow = lock(&self.overflow);
                // Another thread may have moved it to the list in between.
                overflow
                    .find(scopes)
                    .cloned()
                    .or_else(|| self.listed(scopes))
            }
            listed => listed,
        };
        Some(SlotEntry {
            slot: Arc::clone(self),
            scoped: Some(entry?),
        })
    }

    fn listed(&self, scopes: &Scopes) -> Option<Arc<Entry>> {
        let entries = self.scoped.load();
        find(entries.as_deref()?, scopes).cloned()
    }

    /// The entry of `scopes`; a new one if there is none.
    pub(in super::super) fn entry_for(self: &Arc<Self>, scopes: &Scopes, now: Moment) -> SlotEntry {
        if let Some(slot_entry) = self.existing(scopes) {
            return slot_entry;
        }
        let mut overflow = lock(&self.overflow);
        let known = self.listed(scopes);
        let entry = known.or_else(|| overflow.find(scopes).cloned());
        let entry = entry.unwrap_or_else(|| {
            let entry = Arc::new(Entry::new(scopes.clone(), Arc::new(Token::nothing())));
            let has_room = self.scoped.load().as_deref().map_or(0, Vec::len) < SCOPE_SETS;
            if has_room {
                self.list(&entry, &mut overflow, now);
            } else {
                overflow.add(Arc::clone(&entry));
            }
            entry
        });
        self.thin_out(&mut overflow, now);
        SlotEntry {
            slot: Arc::clone(self),
            scoped: Some(entry),
        }
    }

    /// A flight for `entry` has ended: with a token, the entry moves to the list that a hit reads.
    pub(super) fn settle(&self, entry: &Arc<Entry>, now: Moment) {
        if !self.has_overflow.load(Ordering::Acquire) {
            return;
        }
        let mut overflow = lock(&self.overflow);
        let may_move_up = entry.current().freshness.is_usable(now) && overflow.holds(entry);
        if may_move_up && self.list(entry, &mut overflow, now) {
            overflow.remove(entry.scopes());
        }
        self.thin_out(&mut overflow, now);
    }

    /// Adds `entry` to the list that a hit reads, if there is room or can be made.
    fn list(&self, entry: &Arc<Entry>, overflow: &mut Overflow, now: Moment) -> bool {
        let entries = self.scoped.load_full();
        let mut entries = entries.as_deref().cloned().unwrap_or_default();
        if entries.len() >= SCOPE_SETS {
            let (has_room, refused) = make_room(&mut entries, now);
            if !has_room {
                return false;
            }
            if let Some(refused) = refused {
                overflow.add(refused);
            }
        }
        entries.push(Arc::clone(entry));
        self.scoped.store(Some(Arc::new(entries)));
        true
    }

    fn thin_out(&self, overflow: &mut Overflow, now: Moment) {
        overflow.thin_out(now);
        self.has_overflow
            .store(!overflow.is_empty(), Ordering::Release);
    }

    /// Shows every scope set that there is.
    pub(super) fn each_scoped(&self, mut show: impl FnMut(&Entry)) {
        // Locked first, so that no entry moves from one to the other unseen.
        let overflow = lock(&self.overflow);
        for entry in self.scoped.load().iter().flat_map(|entries| entries.iter()) {
            show(entry);
        }
        overflow.iter().for_each(|entry| show(entry));
    }
}
