//! The sessions of which something is known in this process, each of them once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::{
    OpenSession, lock,
    session_name::{Named, SessionName},
};

/// The sessions of which something is known in this process, each of them once.
///
/// It keeps none of them alive. What does: a slot in the cache, a client or a handle of the session, work that
/// is under way, and what the store has not taken. So their number follows the cache's capacity and the
/// sessions that are in use.
#[derive(Default)]
pub(crate) struct OpenSessions {
    by_name: HashMap<SessionName, Weak<OpenSession>, RandomState>,
    /// By the digest that a store announces, where the store announces changes.
    announced: Option<Announced>,
    /// Those that have something which the store has not taken: kept until it has.
    pending: Mutex<BTreeMap<Arc<str>, Arc<OpenSession>>>,
}

/// Open sessions by the digest of their key.
struct Announced {
    digest: Box<dyn Fn(&str) -> String + Send + Sync>,
    by_digest: HashMap<String, Weak<OpenSession>, RandomState>,
}

/// Where an [`OpenSession`] is registered: its name, and who finds it by that.
pub(super) struct Registration {
    name: Arc<str>,
    sessions: Weak<OpenSessions>,
}

impl OpenSessions {
    /// Sessions that can be found by what `digest` makes of their name, too.
    pub(super) fn announced(digest: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self {
            announced: Some(Announced {
                digest: Box::new(digest),
                by_digest: HashMap::default(),
            }),
            ..Self::default()
        }
    }

    /// The open session with this digest.
    pub(super) fn with_digest(&self, digest: &str) -> Option<Arc<OpenSession>> {
        let announced = self.announced.as_ref()?;
        announced
            .by_digest
            .pin()
            .get(digest)
            .and_then(Weak::upgrade)
    }

    /// All that are open now.
    pub(super) fn all(&self) -> Vec<Arc<OpenSession>> {
        let sessions = self.by_name.pin();
        sessions.values().filter_map(Weak::upgrade).collect()
    }

    /// What is known here of the session called `name`.
    pub(crate) fn open(self: &Arc<Self>, name: &str) -> Arc<OpenSession> {
        let sessions = self.by_name.pin();
        if let Some(open) = sessions.get(&Named(name)).and_then(Weak::upgrade) {
            return open;
        }
        let name: Arc<str> = name.into();
        let new = Arc::new(OpenSession::new(Registration {
            name: Arc::clone(&name),
            sessions: Arc::downgrade(self),
        }));
        // Not `compute`: that never helps `papaya` to finish a resize, and look-ups get slower with each.
        let key = SessionName::new(&name);
        while let Err(there) = sessions.try_insert(key.clone(), Arc::downgrade(&new)) {
            if let Some(open) = there.current.upgrade() {
                // Another call was faster.
                return open;
            }
            // It is being dropped, and is about to leave.
            let gone = there.current.as_ptr();
            let _removed =
                sessions.remove_if(&Named(&name), |_, open| std::ptr::eq(open.as_ptr(), gone));
        }
        if let Some(announced) = &self.announced {
            let digest = (announced.digest)(new.name());
            announced
                .by_digest
                .pin()
                .insert(digest, Arc::downgrade(&new));
        }
        new
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// Keeps `open` as long as it has something that the store has not taken. To be called when that may
    /// have changed, with nothing of the session locked.
    pub(super) fn keep_pending(&self, open: &Arc<OpenSession>) {
        let mut pending = lock(&self.pending);
        let no_longer_kept = if open.has_pending() {
            pending.insert(Arc::clone(open.shared_name()), Arc::clone(open))
        } else {
            pending.remove(open.name())
        };
        drop(pending);
        // With nothing locked: this may be the last of it.
        drop(no_longer_kept);
    }

    /// Those that have something which the store has not taken.
    pub(super) fn with_pending(&self) -> Vec<Arc<OpenSession>> {
        lock(&self.pending).values().cloned().collect()
    }
}

impl Registration {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Takes out what stands at `gone`: by identity, since another session of this name may stand there now.
    pub(super) fn remove(&self, gone: *const OpenSession) {
        let Some(sessions) = self.sessions.upgrade() else {
            return;
        };
        let is_same = |_: &SessionName, open: &Weak<OpenSession>| std::ptr::eq(open.as_ptr(), gone);
        let by_name = sessions.by_name.pin();
        let _removed = by_name.remove_if(&Named(&self.name), is_same);
        if let Some(announced) = &sessions.announced {
            let is_same = |_: &String, open: &Weak<OpenSession>| std::ptr::eq(open.as_ptr(), gone);
            let digest = (announced.digest)(&self.name);
            let _removed = announced.by_digest.pin().remove_if(&digest, is_same);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_object_for_as_long_as_it_is_in_use() {
        let sessions = Arc::new(OpenSessions::default());
        let alice = sessions.open("alice");
        assert!(Arc::ptr_eq(&alice, &sessions.open("alice")));
        assert!(!Arc::ptr_eq(&alice, &sessions.open("bob")));
        assert_eq!((alice.name(), sessions.count()), ("alice", 1));
        drop(alice);
        assert_eq!(sessions.count(), 0, "nothing is left behind");
    }

    #[test]
    fn threads_that_open_and_drop_one_name_never_have_two_of_it_at_a_time() {
        let sessions = Arc::new(OpenSessions::default());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let (one, other) = (sessions.open("alice"), sessions.open("alice"));
                        assert!(Arc::ptr_eq(&one, &other));
                    }
                });
            }
        });
        assert_eq!(sessions.count(), 0);
    }
}
