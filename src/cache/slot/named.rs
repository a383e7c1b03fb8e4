//! The scope sets of a slot: those that a hit finds, and the crowd beside them.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Entry, Place, SCOPE_SETS, Slot, find,
    room::{Crowd, drop_one},
};
use crate::{cache::lock, scope::Scopes, time::Moment, token::Token};

impl Slot {
    /// Where `scopes` have a token of their own, if they ever had.
    pub(in super::super) fn existing(self: &Arc<Self>, scopes: &Scopes) -> Option<Place> {
        if scopes.is_empty() {
            return Some(Place::bare(self));
        }
        let listed = self.listed(scopes);
        let entry = match listed {
            None if self.is_crowded.load(Ordering::Acquire) => {
                let crowd = lock(&self.crowd);
                // It may have moved up in between.
                crowd.find(scopes).cloned().or_else(|| self.listed(scopes))
            }
            listed => listed,
        };
        Some(Place {
            slot: Arc::clone(self),
            named: Some(entry?),
        })
    }

    fn listed(&self, scopes: &Scopes) -> Option<Arc<Entry>> {
        let named = self.named.load();
        find(named.as_deref()?, scopes).cloned()
    }

    /// Where `scopes` have a token of their own, from now on.
    pub(in super::super) fn place(self: &Arc<Self>, scopes: &Scopes, now: Moment) -> Place {
        if let Some(place) = self.existing(scopes) {
            return place;
        }
        let mut crowd = lock(&self.crowd);
        let known = self.listed(scopes);
        let entry = known.or_else(|| crowd.find(scopes).cloned());
        let entry = entry.unwrap_or_else(|| {
            let entry = Arc::new(Entry::new(scopes.clone(), Arc::new(Token::nothing())));
            let has_room = self.named.load().as_deref().map_or(0, Vec::len) < SCOPE_SETS;
            if has_room {
                self.list(&entry, &mut crowd, now);
            } else {
                crowd.add(Arc::clone(&entry));
            }
            entry
        });
        self.thin_out(&mut crowd, now);
        Place {
            slot: Arc::clone(self),
            named: Some(entry),
        }
    }

    /// A flight for `entry` has landed: with a token it moves up to those that a hit finds.
    pub(super) fn settle(&self, entry: &Arc<Entry>, now: Moment) {
        if !self.is_crowded.load(Ordering::Acquire) {
            return;
        }
        let mut crowd = lock(&self.crowd);
        let may_move_up = entry.current().freshness.is_usable(now) && crowd.holds(entry);
        if may_move_up && self.list(entry, &mut crowd, now) {
            crowd.remove(entry.scopes());
        }
        self.thin_out(&mut crowd, now);
    }

    /// Lists `entry` among those that a hit finds, if there is room or can be made.
    fn list(&self, entry: &Arc<Entry>, crowd: &mut Crowd, now: Moment) -> bool {
        let named = self.named.load_full();
        let mut named = named.as_deref().cloned().unwrap_or_default();
        if named.len() >= SCOPE_SETS {
            let (has_room, refused) = drop_one(&mut named, now);
            if !has_room {
                return false;
            }
            if let Some(refused) = refused {
                crowd.add(refused);
            }
        }
        named.push(Arc::clone(entry));
        self.named.store(Some(Arc::new(named)));
        true
    }

    fn thin_out(&self, crowd: &mut Crowd, now: Moment) {
        crowd.thin_out(now);
        self.is_crowded.store(!crowd.is_empty(), Ordering::Release);
    }

    /// Shows every scope set that there is.
    pub(super) fn each_named(&self, mut show: impl FnMut(&Entry)) {
        // Locked first: none moves up unseen.
        let crowd = lock(&self.crowd);
        for entry in self.named.load().iter().flat_map(|named| named.iter()) {
            show(entry);
        }
        crowd.iter().for_each(|entry| show(entry));
    }
}
