//! The right to redeem: who holds it, until when, and what became of it.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::oneshot;

use crate::session::simulation::executor::{Instant, ProcessId};

/// The locks of all families.
#[derive(Default)]
pub(crate) struct Locks {
    /// The number of the lock that is held, by the family's digest.
    held: BTreeMap<String, usize>,
    all: Vec<Lock>,
    waiting: Vec<oneshot::Sender<()>>,
}

/// One lock that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) process: ProcessId,
    pub(crate) session: usize,
    /// The only audience of its family, where families are held apart.
    pub(crate) audience: Option<String>,
    pub(crate) taken: Instant,
    /// When it runs out by itself.
    pub(crate) until: Option<Instant>,
    /// When its holder was last told that it is held.
    pub(crate) checked: Option<Instant>,
    pub(crate) freed: Option<Instant>,
    digest: String,
}

impl Lock {
    pub(crate) fn has_run_out(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether its holder still had it then.
    pub(crate) fn is_held_at(&self, at: Instant) -> bool {
        !self.has_run_out(at) && self.freed.is_none_or(|freed| freed > at)
    }
}

impl Locks {
    /// Takes the lock if it is free; its number.
    pub(crate) fn take(&mut self, lock: NewLock, now: Instant) -> Option<usize> {
        let held = self.held.get(&lock.digest).map(|number| &self.all[*number]);
        if held.is_some_and(|held| held.is_held_at(now)) {
            return None;
        }
        let number = self.all.len();
        self.held.insert(lock.digest.clone(), number);
        self.all.push(Lock {
            process: lock.process,
            session: lock.session,
            audience: lock.audience,
            taken: now,
            until: lock.lease.map(|lease| now.plus(lease)),
            checked: None,
            freed: None,
            digest: lock.digest,
        });
        Some(number)
    }

    pub(crate) fn get(&self, number: usize) -> &Lock {
        &self.all[number]
    }

    /// Whether its holder still has it.
    pub(crate) fn is_held(&self, number: usize, now: Instant) -> bool {
        let lock = &self.all[number];
        self.held.get(&lock.digest) == Some(&number) && lock.is_held_at(now)
    }

    /// Tells its holder that it is held.
    pub(crate) fn checked(&mut self, number: usize, now: Instant) {
        self.all[number].checked = Some(now);
    }

    /// Its lease begins anew, if it is still held.
    pub(crate) fn renew(&mut self, number: usize, until: Instant, now: Instant) -> bool {
        let is_held = self.is_held(number, now);
        if is_held {
            self.all[number].until = Some(until);
        }
        is_held
    }

    pub(crate) fn free(&mut self, number: usize, now: Instant) {
        let lock = &mut self.all[number];
        lock.freed.get_or_insert(now);
        let digest = lock.digest.clone();
        if self.held.get(&digest) == Some(&number) {
            self.held.remove(&digest);
        }
        // Each of them tries again.
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(());
        }
    }

    /// Those of a process that is dead.
    pub(crate) fn free_all_of(&mut self, process: ProcessId, now: Instant) {
        for number in self.held_by(process) {
            self.free(number, now);
        }
    }

    /// The numbers of the locks that a process holds.
    pub(crate) fn held_by(&self, process: ProcessId) -> Vec<usize> {
        let held = self.held.values().copied();
        held.filter(|number| self.all[*number].process == process)
            .collect()
    }

    /// The processes that hold locks.
    pub(crate) fn holders(&self) -> Vec<ProcessId> {
        let held = self.held.values();
        held.map(|number| self.all[*number].process).collect()
    }

    /// The last lock that a process took for a family that serves `audience`.
    pub(crate) fn last_of(
        &self,
        process: ProcessId,
        session: usize,
        audience: &str,
    ) -> Option<&Lock> {
        let mut all = self.all.iter().rev();
        all.find(|lock| {
            lock.process == process
                && lock.session == session
                && lock.audience.as_deref().is_none_or(|only| only == audience)
        })
    }

    /// Whether a lock of `process` has run out under it since then.
    pub(crate) fn has_run_out(
        &self,
        process: ProcessId,
        session: usize,
        (since, now): (Instant, Instant),
    ) -> bool {
        self.all.iter().any(|lock| {
            let is_own = lock.process == process && lock.session == session;
            let ran_out = lock.until.is_some_and(|until| {
                until >= since && until <= now && lock.freed.is_none_or(|freed| freed > until)
            });
            is_own && ran_out
        })
    }

    /// When a lock that is held now runs out.
    pub(crate) fn runs_out(&self, digest: &str) -> Option<Instant> {
        self.all[*self.held.get(digest)?].until
    }

    /// Is told when any lock is freed.
    pub(crate) fn wait(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        receiver
    }
}

/// A lock that is to be taken.
pub(crate) struct NewLock {
    pub(crate) digest: String,
    pub(crate) process: ProcessId,
    pub(crate) session: usize,
    pub(crate) audience: Option<String>,
    pub(crate) lease: Option<Duration>,
}
