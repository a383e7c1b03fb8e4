//! The scope sets of a slot: those that a hit finds, and the overflow beside them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::{ArcSwapOption, Guard};

use super::{
    entry::Entry,
    locked::lock,
    overflow::{Overflow, make_room},
};
use crate::{scope::Scopes, time::Moment, token::Token};

/// The entries of a slot for requests with scopes.
///
/// - A scope set has at most one entry: in `listed`, where a hit finds it, or in `overflow`, never in both
///   for longer than a move takes, which holds the lock of `overflow`.
/// - `listed` changes only under the lock of `overflow`; readers take no lock.
#[derive(Default)]
pub(super) struct ScopeSets {
    /// At most [`SCOPE_SETS`] entries; copied on write, since they change rarely.
    listed: ArcSwapOption<Vec<Arc<Entry>>>,
    /// Further entries; its lock is held for each change of `listed` as well.
    overflow: Mutex<Overflow>,
    has_overflow: AtomicBool,
}

/// A slot keeps the tokens of at most this many scope sets.
///
/// An application has a handful of fixed sets; one that makes up new ones would otherwise fill the memory.
const SCOPE_SETS: usize = 16;

impl ScopeSets {
    /// The token that was last fetched for exactly `scopes`, in whatever state.
    #[inline]
    pub(super) fn current(&self, scopes: &Scopes) -> Option<Guard<Arc<Token>>> {
        let entries = self.listed.load();
        let entry = find(entries.as_deref()?, scopes)?;
        Some(entry.current())
    }

    /// The entry of `scopes`, if there is one.
    pub(super) fn existing(&self, scopes: &Scopes) -> Option<Arc<Entry>> {
        let listed = self.listed(scopes);
        if listed.is_some() || !self.has_overflow.load(Ordering::Acquire) {
            return listed;
        }
        let overflow = lock(&self.overflow);
        // Another thread may have moved it to the list in between.
        let moved = || self.listed(scopes);
        overflow.find(scopes).cloned().or_else(moved)
    }

    fn listed(&self, scopes: &Scopes) -> Option<Arc<Entry>> {
        let entries = self.listed.load();
        find(entries.as_deref()?, scopes).cloned()
    }

    /// The entry of `scopes`; a new one if there is none.
    pub(super) fn entry_for(&self, scopes: &Scopes, now: Moment) -> Arc<Entry> {
        if let Some(entry) = self.existing(scopes) {
            return entry;
        }
        let mut overflow = lock(&self.overflow);
        let known = self.listed(scopes);
        let entry = known.or_else(|| overflow.find(scopes).cloned());
        let entry = entry.unwrap_or_else(|| {
            let entry = Arc::new(Entry::new(scopes.clone(), Arc::new(Token::nothing())));
            let has_room = self.listed.load().as_deref().map_or(0, Vec::len) < SCOPE_SETS;
            if has_room {
                self.list(&entry, &mut overflow, now);
            } else {
                overflow.add(Arc::clone(&entry));
            }
            entry
        });
        self.thin_out(&mut overflow, now);
        entry
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
        let entries = self.listed.load_full();
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
        self.listed.store(Some(Arc::new(entries)));
        true
    }

    fn thin_out(&self, overflow: &mut Overflow, now: Moment) {
        overflow.thin_out(now);
        self.has_overflow
            .store(!overflow.is_empty(), Ordering::Release);
    }

    /// Shows every scope set that a hit finds.
    pub(super) fn each_listed(&self, show: impl FnMut(&Arc<Entry>)) {
        let entries = self.listed.load();
        let entries = entries.iter().flat_map(|entries| entries.iter());
        entries.for_each(show);
    }

    /// Shows every scope set that there is.
    pub(super) fn each(&self, mut show: impl FnMut(&Entry)) {
        // Locked first, so that no entry moves from one to the other unseen.
        let overflow = lock(&self.overflow);
        self.each_listed(|entry| show(entry));
        overflow.iter().for_each(|entry| show(entry));
    }
}

fn find<'a>(entries: &'a [Arc<Entry>], scopes: &Scopes) -> Option<&'a Arc<Entry>> {
    entries.iter().find(|entry| entry.scopes() == scopes)
}
