//! The first plain audiences of the application: found without the map, at a third of its cost.

use std::sync::{Arc, OnceLock};

use super::key::KeyRef;
use crate::slot::Slot;

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

    /// The slot for `key`, if it is here and was not evicted.
    #[inline]
    pub(super) fn find(&self, key: &KeyRef<'_>) -> Option<&Arc<Slot>> {
        if !key.is_plain() {
            return None;
        }
        let first = cell(key.audience);
        for step in 0..REACH {
            let slot = self.cells[(first + step) % CELLS].get()?;
            if slot.is_called(key.audience) && !slot.pins().is_retired() {
                return Some(slot);
            }
        }
        None
    }

    /// Adds the slot of `key`, which was just inserted into the map, if it belongs here and a cell is free.
    pub(super) fn add(&self, key: &KeyRef<'_>, slot: &Arc<Slot>) {
        if !key.is_plain() {
            return;
        }
        let first = cell(key.audience);
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
    let (words, rest) = audience.as_bytes().as_chunks::<8>();
    let mut mixed = 0_u64;
    for word in words {
        mixed = mixed.rotate_left(5) ^ u64::from_le_bytes(*word);
    }
    for byte in rest {
        mixed = mixed.rotate_left(5) ^ u64::from(*byte);
    }
    // 2^64 divided by the golden ratio: the upper bits of the product depend on all others.
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        request::Parameters,
        session::{OpenSessions, Principal},
        token::Token,
    };

    static NO_PARAMETERS: Parameters = Parameters::none();

    fn key(audience: &str) -> KeyRef<'_> {
        KeyRef::new(&Principal::Application, audience, &NO_PARAMETERS)
    }

    fn slot(key: &KeyRef<'_>) -> Arc<Slot> {
        let nothing = Arc::new(Token::nothing());
        Arc::new(Slot::new(
            key.audience.into(),
            key.parameters.clone(),
            &nothing,
        ))
    }

    #[test]
    fn names_that_meet_in_one_cell_are_told_apart_and_some_tens_find_room() {
        let fast_path = FastPath::new();
        let names: Vec<String> = (0..500)
            .map(|n| format!("https://api{n}.example.com"))
            .collect();
        let slots: Vec<_> = names.iter().map(|name| slot(&key(name))).collect();
        for (name, slot) in names.iter().zip(&slots) {
            fast_path.add(&key(name), slot);
        }
        for (name, slot) in names.iter().zip(&slots) {
            let found = fast_path.find(&key(name));
            assert!(found.is_none_or(|found| Arc::ptr_eq(found, slot)), "{name}");
        }
        let first = names.iter().take(32);
        assert!(
            first
                .clone()
                .all(|name| fast_path.find(&key(name)).is_some())
        );
        assert!(fast_path.find(&key("https://api1.example.co")).is_none());
        assert!(fast_path.find(&key("")).is_none());
    }

    #[test]
    fn a_slot_that_was_evicted_is_not_found_and_the_next_of_its_name_is() {
        let (fast_path, old) = (FastPath::new(), slot(&key("api")));
        fast_path.add(&key("api"), &old);
        assert!(old.pins().retire());
        assert!(fast_path.find(&key("api")).is_none());
        let new = slot(&key("api"));
        fast_path.add(&key("api"), &new);
        assert!(Arc::ptr_eq(fast_path.find(&key("api")).unwrap(), &new));
    }

    #[test]
    fn neither_a_session_nor_a_request_with_parameters_is_answered_here() {
        let alice = Arc::<OpenSessions>::default().open("alice");
        let (fast_path, session) = (FastPath::new(), Principal::Session(alice));
        let parameters = NO_PARAMETERS.with("prompt".into(), "none".into());
        fast_path.add(&key("api"), &slot(&key("api")));
        let of_session = KeyRef::new(&session, "api", &NO_PARAMETERS);
        let with_parameters = KeyRef::new(&Principal::Application, "api", &parameters);
        for other in [of_session, with_parameters] {
            assert!(fast_path.find(&other).is_none());
            fast_path.add(&other, &slot(&other));
            assert!(fast_path.find(&other).is_none());
        }
        assert!(fast_path.find(&key("api")).is_some());
    }
}
