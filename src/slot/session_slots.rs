//! The slots of one session: the first few, which the session leads to itself, and the names of the others.

use std::sync::{
    Arc, MutexGuard,
    atomic::{AtomicU32, Ordering},
};

use arc_swap::{ArcSwapOption, Guard};

use super::{
    Slot,
    mixed::mixed,
    slot_names::{Names, SlotNames},
};
use crate::scope::Audience;

/// The slots of one session, which the cache fills.
///
/// A call that has the session finds the slots of its first audiences without a map: a hit among a million
/// reads fewer places in memory, and hashes nothing but the audience.
///
/// - A slot without parameters is in `first` or in the cache's map, and never in both; one with parameters is
///   in the map.
/// - The slots in the map are named in `mapped`. Its lock is held over each change of all three, so that a
///   key has one slot.
/// - What concerns one person visits their slots and no others.
#[derive(Default)]
pub(crate) struct SessionSlots {
    /// A byte for each of `first`: what its audience's name is mixed to, or zero where there is no slot.
    tags: AtomicU32,
    first: [ArcSwapOption<Slot>; FIRST],
    mapped: SlotNames,
}

/// Nearly every person has so few; each costs eight bytes for all of them.
const FIRST: usize = 4;

/// The slots of a session, which no other thread changes as long as this lives.
pub(crate) struct LockedSlots<'a> {
    slots: &'a SessionSlots,
    pub(crate) mapped: MutexGuard<'a, Names>,
}

impl SessionSlots {
    /// The slot of `audience` without parameters, if it is one of the first.
    #[inline]
    pub(crate) fn find(&self, audience: &str) -> Option<Guard<Option<Arc<Slot>>>> {
        let tags = self.tags.load(Ordering::Acquire).to_le_bytes();
        let wanted = tag(audience);
        for (tag, place) in tags.iter().zip(&self.first) {
            if *tag == wanted {
                let slot = place.load();
                if slot.as_ref().is_some_and(|slot| slot.is_called(audience)) {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// For as long as the result lives nothing is added or removed by others.
    pub(crate) fn lock(&self) -> LockedSlots<'_> {
        LockedSlots {
            slots: self,
            mapped: self.mapped.lock(),
        }
    }

    /// Whether there is no slot at all.
    pub(crate) fn is_empty(&self) -> bool {
        let locked = self.lock();
        self.tags.load(Ordering::Relaxed) == 0 && locked.mapped.is_empty()
    }
}

impl LockedSlots<'_> {
    /// Adds a slot that is not there; false if it belongs into the map.
    pub(crate) fn add(&mut self, slot: &Arc<Slot>) -> bool {
        let mut tags = self.tags();
        let free = tags.iter().position(|tag| *tag == 0);
        let Some(position) = free.filter(|_| slot.parameters().is_empty()) else {
            return false;
        };
        self.slots.first[position].store(Some(Arc::clone(slot)));
        tags[position] = tag(slot.audience().as_str());
        self.set_tags(tags);
        true
    }

    /// Removes this very slot; false if it is not one of the first.
    pub(crate) fn remove(&mut self, slot: &Arc<Slot>) -> bool {
        let is_it = |place: &ArcSwapOption<Slot>| {
            let there = place.load();
            there.as_ref().is_some_and(|there| Arc::ptr_eq(there, slot))
        };
        let Some(position) = self.slots.first.iter().position(is_it) else {
            return false;
        };
        let mut tags = self.tags();
        tags[position] = 0;
        self.set_tags(tags);
        self.slots.first[position].store(None);
        true
    }

    /// Those of the first that are there.
    pub(crate) fn first(&self) -> Vec<Arc<Slot>> {
        let slots = self.slots.first.iter();
        slots.filter_map(ArcSwapOption::load_full).collect()
    }

    /// Those of the first that are for `audience`.
    pub(crate) fn of(&self, audience: &Audience) -> Vec<Arc<Slot>> {
        let mut slots = self.first();
        slots.retain(|slot| slot.audience() == audience);
        slots
    }

    fn tags(&self) -> [u8; FIRST] {
        self.slots.tags.load(Ordering::Relaxed).to_le_bytes()
    }

    fn set_tags(&self, tags: [u8; FIRST]) {
        let tags = u32::from_le_bytes(tags);
        self.slots.tags.store(tags, Ordering::Release);
    }
}

/// Tells most audiences apart without a look at their slots; never zero.
#[inline]
fn tag(audience: &str) -> u8 {
    (mixed(audience) >> 57) as u8 | 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{request::Parameters, token::Token};

    fn slot(audience: &str, parameters: Parameters) -> Arc<Slot> {
        let nothing = Arc::new(Token::nothing());
        Arc::new(Slot::new(audience.into(), parameters, &nothing))
    }

    fn is_found(slots: &SessionSlots, slot: &Arc<Slot>) -> bool {
        let found = slots.find(slot.audience().as_str());
        found.is_some_and(|found| Arc::ptr_eq(found.as_ref().unwrap(), slot))
    }

    #[test]
    fn the_first_slots_are_found_and_one_that_was_removed_makes_room_for_another() {
        let slots = SessionSlots::default();
        let all: Vec<_> = (0..=FIRST)
            .map(|n| slot(&format!("api{n}"), Parameters::none()))
            .collect();
        let (first, further) = all.split_at(FIRST);
        assert!(first.iter().all(|slot| slots.lock().add(slot)));
        assert!(first.iter().all(|slot| is_found(&slots, slot)));
        assert!(!slots.lock().add(&further[0]), "it belongs into the map");
        assert!(!slots.lock().remove(&further[0]));
        assert!(slots.lock().remove(&first[1]));
        assert!(!is_found(&slots, &first[1]));
        assert!(slots.lock().add(&further[0]) && is_found(&slots, &further[0]));
        assert_eq!(slots.lock().of(first[0].audience()).len(), 1);
        let left = slots.lock().first();
        for slot in left {
            assert!(slots.lock().remove(&slot));
        }
        assert!(slots.is_empty());
    }

    #[test]
    fn a_slot_with_parameters_belongs_into_the_map() {
        let slots = SessionSlots::default();
        let parameters = Parameters::none().with("prompt".into(), "none".into());
        assert!(!slots.lock().add(&slot("api", parameters)));
        assert!(slots.find("api").is_none() && slots.is_empty());
    }
}
