//! What a store announces: whose record has changed.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// How many announcements wait for a slow receiver before it is told that anything may have changed.
const WAITING: usize = 1024;

/// The announcements of a store: which records were written, by this process or another one.
///
/// A store makes a [`channel`](Self::channel) for each call of
/// [`changes`](super::SessionStore::changes), keeps the [`ChangeSender`] and returns this. It is a
/// courtesy that lets a sign-out be noticed sooner; nothing depends on an announcement that arrives.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use intelliauth::{SessionKey, StoreChange, StoreChanges};
///
/// let alice = SessionKey::new("https://banking-cymmetri.intelliauth.local", "app_01HZX0WEB", "alice");
/// let (sender, mut changes) = StoreChanges::channel();
/// sender.send(alice.digest());
/// assert_eq!(changes.next().await, Some(StoreChange::Session(alice.digest())));
/// drop(sender);
/// assert_eq!(changes.next().await, None);
/// # }
/// ```
pub struct StoreChanges {
    shared: Arc<Shared>,
}

/// Where a store puts in what [`StoreChanges`] yields.
///
/// Dropping it ends the announcements.
pub struct ChangeSender {
    shared: Arc<Shared>,
}

/// What has changed in a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreChange {
    /// The record of the session with this [digest](super::SessionKey::digest).
    Session(String),
    /// Announcements were lost: any record may have changed.
    Unknown,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    digests: VecDeque<String>,
    has_lost: bool,
    /// Either end is gone.
    is_closed: bool,
}

impl StoreChanges {
    /// Both ends of a queue of announcements.
    pub fn channel() -> (ChangeSender, Self) {
        let shared = Arc::new(Shared::default());
        let sender = ChangeSender {
            shared: Arc::clone(&shared),
        };
        (sender, Self { shared })
    }

    /// The next announcement; nothing once the store makes none any more.
    ///
    /// It may be dropped while it waits, and loses nothing then.
    pub async fn next(&mut self) -> Option<StoreChange> {
        loop {
            let is_closed = {
                let mut queue = self.shared.queue();
                if std::mem::take(&mut queue.has_lost) {
                    return Some(StoreChange::Unknown);
                }
                if let Some(digest) = queue.digests.pop_front() {
                    return Some(StoreChange::Session(digest));
                }
                queue.is_closed
            };
            if is_closed {
                return None;
            }
            // A permit is kept where one arrives in between.
            self.shared.arrived.notified().await;
        }
    }
}

impl ChangeSender {
    /// Announces the record of the session with this [digest](super::SessionKey::digest).
    ///
    /// It never waits. When many announcements have not been received yet, they are replaced by
    /// [`StoreChange::Unknown`].
    pub fn send(&self, digest: impl Into<String>) {
        let mut queue = self.shared.queue();
        if queue.has_lost {
            return;
        }
        if queue.digests.len() < WAITING {
            queue.digests.push_back(digest.into());
        } else {
            queue.digests.clear();
            queue.has_lost = true;
        }
        drop(queue);
        self.shared.arrived.notify_one();
    }

    /// Announces that announcements were lost, for example with a connection.
    pub fn send_unknown(&self) {
        let mut queue = self.shared.queue();
        queue.digests.clear();
        queue.has_lost = true;
        drop(queue);
        self.shared.arrived.notify_one();
    }

    /// Whether the receiver is gone: then this can be dropped.
    pub fn is_closed(&self) -> bool {
        self.shared.queue().is_closed
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.queue().is_closed = true;
        self.arrived.notify_one();
    }
}

impl Drop for StoreChanges {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Drop for ChangeSender {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for StoreChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreChanges").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChangeSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeSender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receiver_that_is_slow_is_told_that_anything_may_have_changed() {
        let (sender, mut changes) = StoreChanges::channel();
        for number in 0..=WAITING {
            sender.send(number.to_string());
        }
        sender.send("lost with the others");
        assert_eq!(changes.next().await, Some(StoreChange::Unknown));
        sender.send("after that");
        let after = StoreChange::Session("after that".to_owned());
        assert_eq!(changes.next().await, Some(after));
    }

    #[tokio::test]
    async fn what_was_announced_before_the_end_still_arrives() {
        let (sender, mut changes) = StoreChanges::channel();
        sender.send_unknown();
        sender.send("covered by that");
        assert!(!sender.is_closed());
        drop(sender);
        assert_eq!(changes.next().await, Some(StoreChange::Unknown));
        assert_eq!(changes.next().await, None);
    }

    #[tokio::test]
    async fn a_receiver_that_waits_is_woken() {
        let (sender, mut changes) = StoreChanges::channel();
        let waiting = tokio::spawn(async move { (changes.next().await, changes.next().await) });
        tokio::task::yield_now().await;
        sender.send("alice");
        tokio::task::yield_now().await;
        drop(sender);
        let alice = StoreChange::Session("alice".to_owned());
        assert_eq!(waiting.await.unwrap(), (Some(alice), None));
    }

    #[test]
    fn a_sender_hears_that_its_receiver_is_gone() {
        let (sender, changes) = StoreChanges::channel();
        drop(changes);
        assert!(sender.is_closed());
        sender.send("not received");
    }
}
