//! Making room among the scope sets of a slot.

use std::sync::Arc;

use super::Entry;
use crate::time::Moment;

/// Makes room among the scope sets: the one whose token ends first, of those that nobody needs. One
/// with a remembered failure goes only when there are far too many. False if there is none to go.
pub(super) fn drop_one(named: &mut Vec<Arc<Entry>>, now: Moment) -> bool {
    let is_crowded = named.len() >= REFUSED_SETS;
    let may_go = |entry: &Arc<Entry>| {
        Arc::strong_count(entry) == 1 + COPIES && (is_crowded || !entry.has_live_failure(now))
    };
    let until = |entry: &Arc<Entry>| now.until(entry.current().freshness.usable_until());
    let first = named
        .iter()
        .enumerate()
        .filter(|(_, entry)| may_go(entry))
        .min_by_key(|(_, entry)| (entry.has_live_failure(now), until(entry)))
        .map(|(position, _)| position);
    match first {
        Some(position) if named[position].close() => {
            named.remove(position);
            true
        }
        _ => false,
    }
}

/// While the list is changed there are two of it: the one in the slot and the copy.
const COPIES: usize = 1;

/// Scope sets that were refused are remembered beyond that, up to this many in all.
///
/// To forget one would let it be asked for again too early.
const REFUSED_SETS: usize = 64;
