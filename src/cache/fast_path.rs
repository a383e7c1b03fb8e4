//! The first plain audiences of the application: found without the map, at a third of its cost.

use std::sync::{Arc, OnceLock};

use crate::slot::{Slot, mixed};

/// The slots of the first audiences that the application itself asked for without parameters.
///
/// Most applications call a handful of APIs, and to find a slot here writes nothing: it reads a cell that
/// was written once. Its invariants: a slot here that is not retired is in the map as well, and is the
/// only one with its key; an evicted slot stays in its cell, empty, and is never returned.
pub(super) struct FastPath {
    cells: [OnceLock<Arc<Slot>>; CELLS],
}

/// Enough for some tens of audiences with few collisions.
const CELLS: usize = 64;

/// How many cells, from its first one on, may hold an audience; beyond them the map finds it.
const REACH: usize = 8;

impl FastPath {
    pub(super) fn new() -> Self {
        Self {
            cells: [const { OnceLock::new() }; CELLS],
        }
    }

    /// The application's plain slot of `audience`, if it is here and was not evicted.
    #[inline]
    pub(super) fn find(&self, audience: &str) -> Option<&Arc<Slot>> {
        let first = cell(audience);
        for step in 0..REACH {
            let slot = self.cells[(first + step) % CELLS].get()?;
            if slot.is_called(audience) && !slot.pins().is_retired() {
                return Some(slot);
            }
        }
        None
    }

    /// Adds a plain slot of the application, which was just inserted into the map, if a cell is free.
    pub(super) fn add(&self, slot: &Arc<Slot>) {
        let first = cell(slot.audience().as_str());
        for step in 0..REACH {
            if self.cells[(first + step) % CELLS]
                .set(Arc::clone(slot))
                .is_ok()
            {
                return;
            }
        }
    }
}

/// The first cell of an audience. Colliding names are compared, and only [`REACH`] cells are read, so
/// this need not be a good hash.
#[inline]
pub(super) fn cell(audience: &str) -> usize {
    (mixed(audience) >> 58) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{request::Parameters, token::Token};

    fn slot(audience: &str) -> Arc<Slot> {
        let nothing = Arc::new(Token::nothing());
        Arc::new(Slot::new(audience.into(), Parameters::none(), &nothing))
    }

    #[test]
    fn names_that_meet_in_one_cell_are_told_apart_and_some_tens_find_room() {
        let fast_path = FastPath::new();
        let names: Vec<String> = (0..500)
            .map(|n| format!("https://api{n}.example.com"))
            .collect();
        let slots: Vec<_> = names.iter().map(|name| slot(name)).collect();
        for slot in &slots {
            fast_path.add(slot);
        }
        for (name, slot) in names.iter().zip(&slots) {
            let found = fast_path.find(name);
            assert!(found.is_none_or(|found| Arc::ptr_eq(found, slot)), "{name}");
        }
        let first = names.iter().take(32);
        assert!(first.clone().all(|name| fast_path.find(name).is_some()));
        assert!(fast_path.find("https://api1.example.co").is_none());
        assert!(fast_path.find("").is_none());
    }

    #[test]
    fn a_slot_that_was_evicted_is_not_found_and_the_next_of_its_name_is() {
        let (fast_path, old) = (FastPath::new(), slot("api"));
        fast_path.add(&old);
        assert!(old.pins().retire());
        assert!(fast_path.find("api").is_none());
        let new = slot("api");
        fast_path.add(&new);
        assert!(Arc::ptr_eq(fast_path.find("api").unwrap(), &new));
    }
}
