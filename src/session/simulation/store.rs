//! A store that meets trouble: it keeps records for all processes, and locks that die with their holder or
//! run out under it.

mod held;
mod locks;
mod plan;
mod shelf;

use std::{future::pending, sync::Arc, time::Duration};

use held::Held;
pub(super) use locks::{Locks, NewLock};
use plan::{Fate, Plan};
pub(super) use shelf::Shelf;
use tokio::sync::oneshot;

use super::{
    executor::{ProcessId, WORLD},
    people::Load,
    session_number,
    settings::StoreKind,
    weather::Trouble,
    world::World,
};
use crate::{
    error::{StoreError, StoreErrorKind},
    session::record::{Session, Unusable, Writing},
    store::{
        FamilyKey, Saved, SessionKey, SessionLock, SessionRecord, SessionStore, StoreChanges,
        Version,
    },
};

/// The store, as one process has it.
#[derive(Clone, Debug)]
pub(super) struct ModelStore {
    world: Arc<World>,
    process: ProcessId,
}

impl ModelStore {
    pub(super) fn new(world: &Arc<World>, process: ProcessId) -> Self {
        Self {
            world: Arc::clone(world),
            process,
        }
    }

    /// Has `act` done where the store works, also if its caller stops waiting for it.
    async fn carry<T: Send + 'static>(
        &self,
        plan: Plan,
        act: impl FnOnce(&World) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = oneshot::channel();
        let carrier = self.carrier();
        let world = Arc::clone(&self.world);
        let work = async move {
            world.executor.sleep(carrier, plan.before).await;
            if plan.is_lost {
                return pending().await;
            }
            let outcome = act(&world);
            world.executor.sleep(carrier, plan.after).await;
            if plan.is_unanswered {
                return pending().await;
            }
            // The caller may have given up.
            let _ = sender.send(outcome);
        };
        self.world.executor.spawn(carrier, Box::pin(work));
        match receiver.await {
            Ok(outcome) => outcome,
            // Only with the process that waits for it.
            Err(_ended) => pending().await,
        }
    }

    /// Where the store works: a thread of the process itself, or a server.
    fn carrier(&self) -> ProcessId {
        match self.world.settings.store {
            StoreKind::File => self.process,
            StoreKind::Database { .. } => WORLD,
        }
    }

    /// Whether the last save of a session would have found room without its access tokens.
    fn note_shed(&self, session: usize, could_shed: bool) {
        self.world.with(|state| {
            let shed = &mut state.process(self.process).could_shed;
            if could_shed {
                shed.insert(session)
            } else {
                shed.remove(&session)
            }
        });
    }

    fn hindered(&self, session: usize) {
        let now = self.world.now();
        self.world.with(|state| {
            let facts = state.process(self.process);
            facts.hindered_at.insert(session, now);
        });
    }

    /// Reads the record, and how it looks to this process.
    fn note_load(&self, load: Load) {
        let process = self.process;
        self.world.note_of(process, || {
            let tokens = load.mentions.iter().flat_map(|it| &it.refresh);
            let tokens: Vec<_> = tokens.map(ToString::to_string).collect();
            let what = if load.mentions.is_some() {
                "a record"
            } else {
                "nothing"
            };
            format!("loaded s{}: {what} {}", load.session, tokens.join(" "))
        });
        self.world.with(|state| state.people.loaded(process, load));
    }

    /// What becomes of a save; `length` is that of the record.
    fn fate(&self, length: usize) -> Fate {
        let world = &self.world;
        if world.meets(Trouble::Full) && length > world.settings.full_above {
            return Fate::Refused(StoreErrorKind::Full);
        }
        if world.meets(Trouble::SavesFail) {
            return Fate::Refused(StoreErrorKind::Io);
        }
        if world.meets(Trouble::SavesMadeAndFailed) {
            return Fate::MadeAndRefused;
        }
        Fate::Made
    }

    /// Announces a change, as far as this store does.
    fn announce(world: &Arc<World>, digest: &str) {
        let StoreKind::Database {
            announces: true, ..
        } = world.settings.store
        else {
            return;
        };
        if world.meets(Trouble::AnnouncementsLost) {
            return;
        }
        let late = world.executor.draw(|random| random.milliseconds(1, 400));
        let (in_world, digest) = (Arc::clone(world), digest.to_owned());
        let work = async move {
            in_world.executor.sleep(WORLD, late).await;
            in_world.with(|state| {
                state.shelf.announce(&digest);
            });
        };
        world.executor.spawn(WORLD, Box::pin(work));
    }

    async fn save_as(
        &self,
        (key, session): (&SessionKey, usize),
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        let fate = self.fate(record.as_bytes().len());
        let plan = Plan::save(&self.world);
        if plan.is_troubled() || fate != Fate::Made {
            self.hindered(session);
        }
        let (process, digest) = (self.process, key.digest());
        let (record, world) = (record.clone(), Arc::clone(&self.world));
        self.carry(plan, move |_| {
            if let Fate::Refused(kind) = fate {
                return Err(StoreError::new(kind, "the store does not take it"));
            }
            let now = world.now();
            let is_refused_away = world.with(|state| state.shelf.is_away)
                && (replacing.is_some() || !world.settings.takes_while_away);
            if is_refused_away {
                world.with(|state| state.process(process).hindered_at.insert(session, now));
                return Err(StoreError::new(
                    StoreErrorKind::Io,
                    "there is no such folder",
                ));
            }
            let saved = world.with(|state| state.shelf.save(session, &record, replacing, now));
            world.note_of(process, || {
                format!("save of s{session} in the store: {saved:?}")
            });
            if saved == Saved::Saved {
                Self::announce(&world, &digest);
            }
            match fate {
                Fate::MadeAndRefused => Err(StoreError::new(StoreErrorKind::Io, "not flushed")),
                Fate::Made | Fate::Refused(_) => Ok(saved),
            }
        })
        .await
    }

    /// Takes the lock as soon as it is free.
    async fn take(&self, family: &FamilyKey, session: usize) -> Held {
        loop {
            let (lock, store) = (self.new_lock(family, session), self.clone());
            let plan = Plan::quick(&self.world);
            let taken = self.carry(plan, move |world| {
                let now = world.now();
                world.with(|state| {
                    let runs_out = state.locks.runs_out(&lock.digest);
                    match state.locks.take(lock, now) {
                        Some(number) => Ok(Held::new(store, number)),
                        None => Err((state.locks.wait(), runs_out)),
                    }
                })
            });
            match taken.await {
                Ok(held) => return held,
                Err((freed, runs_out)) => self.wait_for(freed, runs_out).await,
            }
        }
    }

    fn new_lock(&self, family: &FamilyKey, session: usize) -> NewLock {
        NewLock {
            digest: family.digest(),
            process: self.process,
            session,
            audience: family.audience().map(ToString::to_string),
            lease: match self.world.settings.store {
                StoreKind::File => None,
                StoreKind::Database { lease, .. } => Some(lease),
            },
        }
    }

    async fn wait_for(
        &self,
        freed: oneshot::Receiver<()>,
        runs_out: Option<super::executor::Instant>,
    ) {
        let now = self.world.now();
        let left = runs_out.map_or(LONG, |at| at.since(now));
        let until = self.world.executor.sleep(self.process, left);
        tokio::select! {
            biased;
            _ = freed => {}
            () = until => {}
        }
    }
}

impl SessionStore for ModelStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let (session, begun) = (session_number(key), self.world.now());
        if self.world.meets(Trouble::LoadsFail) {
            self.hindered(session);
            return Err(StoreError::new(StoreErrorKind::Io, "it cannot be read"));
        }
        let plan = Plan::load(&self.world);
        if plan.is_troubled() {
            self.hindered(session);
        }
        let (kept, is_lie) = self
            .carry(plan, move |world| {
                world.with(|state| {
                    let kept = state.shelf.load(session).cloned();
                    (kept, state.shelf.is_away)
                })
            })
            .await;
        let (record, mentions) = kept.map(|kept| (kept.record, kept.mentions)).unzip();
        let may_be_newer = self
            .world
            .with(|state| state.people.has_to_be_left(session));
        let is_newer = |record: &SessionRecord| {
            may_be_newer && Session::read(record, key).is_err_and(|why| why == Unusable::Newer)
        };
        // Nothing is saved over it.
        if record.as_ref().is_some_and(is_newer) {
            self.hindered(session);
        }
        self.note_load(Load {
            session,
            begun,
            delivered: self.world.now(),
            mentions,
            is_lie,
        });
        Ok(record)
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        let session = session_number(key);
        let (length, limit) = (record.as_bytes().len(), self.world.settings.record_limit);
        if length > limit {
            let what = format!("a record of {length} bytes is saved where the store takes {limit}");
            self.world.violate(what);
        }
        let now = self.world.now();
        self.world.with(|state| {
            let facts = state.process(self.process);
            facts.saves_begun.insert(session, now);
            facts.written.insert(session, record.clone());
        });
        self.note_shed(session, false);
        let saved = self.save_as((key, session), record, replacing).await;
        let is_full = saved
            .as_ref()
            .is_err_and(|error| error.kind() == StoreErrorKind::Full);
        let room = self.world.settings.full_above;
        self.note_shed(
            session,
            is_full && has_room_without_tokens(record, key, room),
        );
        self.world.note_of(self.process, || {
            let outcome = saved.as_ref().map_err(StoreError::kind);
            format!("saved s{session} ({length} bytes): {outcome:?}")
        });
        saved
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let session = session_number(family.session());
        if self.world.meets(Trouble::LocksFail) {
            self.hindered(session);
            return Err(StoreError::new(StoreErrorKind::Io, "no lock can be had"));
        }
        if self.world.meets(Trouble::LocksHang) {
            self.hindered(session);
            return pending().await;
        }
        let (process, world) = (self.process, &self.world);
        let patience = world.executor.sleep(process, patience);
        let mut held = tokio::select! {
            biased;
            held = self.take(family, session) => held,
            () = patience => {
                self.hindered(session);
                return Err(StoreError::new(StoreErrorKind::Locked, "another process holds it"));
            }
        };
        world.note_of(process, || {
            format!("holds lock {} of s{session}", held.number())
        });
        held.renew();
        Ok(SessionLock::new(held))
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        let session = session_number(key);
        if self.world.meets(Trouble::SavesFail) {
            // Nothing is saved over what stands in its place.
            self.hindered(session);
            return Err(StoreError::new(StoreErrorKind::Io, "it cannot be moved"));
        }
        let plan = Plan::quick(&self.world);
        self.carry(plan, move |world| {
            world.with(|state| state.shelf.set_aside(session, version));
        })
        .await;
        self.world
            .note_of(self.process, || format!("set s{session} aside"));
        Ok(())
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        if self.world.meets(Trouble::LoadsFail) {
            return Err(StoreError::new(StoreErrorKind::Io, "it cannot be read"));
        }
        let plan = Plan::load(&self.world);
        let records = self.carry(plan, |world| world.with(|state| state.shelf.records()));
        records.await.into_iter().for_each(visit);
        Ok(())
    }

    fn changes(&self) -> Option<StoreChanges> {
        let StoreKind::Database {
            announces: true, ..
        } = self.world.settings.store
        else {
            return None;
        };
        let (sender, changes) = StoreChanges::channel();
        self.world.with(|state| state.shelf.listen(sender));
        Some(changes)
    }

    fn record_limit(&self) -> usize {
        self.world.settings.record_limit
    }
}

/// Whether a record would be no longer than `room` without its access tokens.
fn has_room_without_tokens(record: &SessionRecord, key: &SessionKey, room: usize) -> bool {
    let writing = Writing {
        version: record.version(),
        keep_until: None,
        limit: usize::MAX,
        sheds_tokens: true,
    };
    let session = Session::read(record, key).ok();
    let has_tokens = |session: &Session| {
        let signed_in = session.signed_in.as_ref();
        signed_in.is_some_and(|signed_in| !signed_in.tokens.is_empty())
    };
    let session = session.filter(has_tokens);
    let shed = session.and_then(|session| session.write(key, writing).ok());
    // And the time until which it is kept.
    shed.is_some_and(|shed| shed.as_bytes().len() + 40 <= room)
}

/// Nothing is waited for as long as this.
const LONG: Duration = Duration::from_secs(86_400);
