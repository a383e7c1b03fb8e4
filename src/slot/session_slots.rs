//! The slots of one session: the first few, which the session leads to itself, and the names of the others.

use std::sync::{
    Arc, MutexGuard, OnceLock,
    atomic::{AtomicU32, Ordering},
};

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
/// - A cell of `first` is written once: an evicted slot stays in it, empty, and is never returned. So the
///   later slots of a session that outlives its first ones are in the map.
/// - The slots in the map are named in `mapped`. Its lock is held over each change of all that, so that a key
///   has one slot.
/// - What concerns one person visits their slots and no others.
#[derive(Default)]
pub(crate) struct SessionSlots {
    /// A byte for each of `first`: what its audience's name is mixed to, or zero where there is no slot.
    tags: AtomicU32,
    first: [OnceLock<Arc<Slot>>; FIRST],
    mapped: SlotNames,
}

/// Nearly every person has so few; each costs sixteen bytes for all of them.
const FIRST: usize = 4;

/// The slots of a session, which no other thread changes as long as this lives.
pub(crate) struct LockedSlots<'a> {
    slots: &'a SessionSlots,
    pub(crate) mapped: MutexGuard<'a, Names>,
}

impl SessionSlots {
    /// The slot of `audience` without parameters, if it is one of the first.
    #[inline]
    pub(crate) fn find(&self, audience: &str) -> Option<&Arc<Slot>> {
        let tags = self.tags.load(Ordering::Acquire).to_le_bytes();
        let wanted = tag(audience);
        for (tag, cell) in tags.iter().zip(&self.first) {
            if *tag == wanted
                && let Some(slot) = cell.get()
                && slot.is_called(audience)
                && !slot.pins().is_retired()
            {
                return Some(slot);
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
        locked.present().next().is_none() && locked.mapped.is_empty()
    }
}

impl LockedSlots<'_> {
    /// Adds a slot that is not there; false if it belongs into the map.
    pub(crate) fn add(&mut self, slot: &Arc<Slot>) -> bool {
        if !slot.parameters().is_empty() {
            return false;
        }
        let mut tags = self.slots.tags.load(Ordering::Relaxed).to_le_bytes();
        for (tag_of_cell, cell) in tags.iter_mut().zip(&self.slots.first) {
            if cell.set(Arc::clone(slot)).is_ok() {
                *tag_of_cell = tag(slot.audience().as_str());
                let tags = u32::from_le_bytes(tags);
                self.slots.tags.store(tags, Ordering::Release);
                return true;
            }
        }
        false
    }

    /// Whether this very slot is one of the first. Once retired it is never returned again.
    pub(crate) fn is_first(&self, slot: &Arc<Slot>) -> bool {
        let mut cells = self.slots.first.iter();
        cells.any(|cell| cell.get().is_some_and(|there| Arc::ptr_eq(there, slot)))
    }

    /// Those of the first that were not evicted.
    pub(crate) fn first(&self) -> Vec<Arc<Slot>> {
        self.present().cloned().collect()
    }

    /// Those of the first that are for `audience`.
    pub(crate) fn of(&self, audience: &Audience) -> Vec<Arc<Slot>> {
        let such = |slot: &&Arc<Slot>| slot.audience() == audience;
        self.present().filter(such).cloned().collect()
    }

    fn present(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let slots = self.slots.first.iter().filter_map(OnceLock::get);
        slots.filter(|slot| !slot.pins().is_retired())
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
        found.is_some_and(|found| Arc::ptr_eq(found, slot))
    }

    #[test]
    fn the_first_slots_are_found_until_they_are_evicted_and_further_ones_belong_into_the_map() {
        let slots = SessionSlots::default();
        let all: Vec<_> = (0..=FIRST)
            .map(|n| slot(&format!("api{n}"), Parameters::none()))
            .collect();
        let (first, further) = all.split_at(FIRST);
        assert!(first.iter().all(|slot| slots.lock().add(slot)));
        assert!(first.iter().all(|slot| is_found(&slots, slot)));
        assert!(!slots.lock().add(&further[0]));
        assert!(slots.lock().is_first(&first[1]) && !is_found(&slots, &further[0]));
        assert_eq!(slots.lock().of(first[0].audience()).len(), 1);
        for (left, slot) in (0..FIRST).rev().zip(first) {
            assert!(slot.pins().retire());
            assert!(!is_found(&slots, slot));
            assert_eq!(slots.lock().first().len(), left);
        }
        assert!(slots.is_empty());
        assert!(!slots.lock().add(&first[0]), "a cell is written once");
    }

    #[test]
    fn a_slot_with_parameters_belongs_into_the_map() {
        let slots = SessionSlots::default();
        let parameters = Parameters::none().with("prompt".into(), "none".into());
        assert!(!slots.lock().add(&slot("api", parameters)));
        assert!(slots.find("api").is_none() && slots.is_empty());
    }
}
