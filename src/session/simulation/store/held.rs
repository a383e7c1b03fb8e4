//! A lock as its holder has it.

use std::{sync::Arc, time::Duration};

use super::{ModelStore, plan::Plan};
use crate::{
    session::simulation::{executor::TaskId, settings::StoreKind, weather::Trouble},
    store::HeldLock,
};

/// A lock, held until this is released or dropped.
pub(super) struct Held {
    store: ModelStore,
    number: usize,
    renewal: Option<TaskId>,
    is_released: bool,
}

impl Held {
    pub(super) fn new(store: ModelStore, number: usize) -> Self {
        Self {
            store,
            number,
            renewal: None,
            is_released: false,
        }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Renews the lease for as long as it lasts and its process runs, where the store does that.
    pub(super) fn renew(&mut self) {
        let world = Arc::clone(&self.store.world);
        let StoreKind::Database {
            lease,
            is_renewed: true,
            ..
        } = world.settings.store
        else {
            return;
        };
        let (process, number) = (self.store.process, self.number);
        let executor = Arc::clone(&world.executor);
        let work = async move {
            loop {
                world.executor.sleep(process, lease / 8).await;
                let now = world.now();
                let until = now.plus(lease);
                if !world.with(|state| state.locks.renew(number, until, now)) {
                    return;
                }
            }
        };
        self.renewal = Some(executor.spawn(process, Box::pin(work)));
    }
}

impl HeldLock for Held {
    /// A lease that has less left than a redemption may take is as good as lost.
    async fn is_held(&self) -> bool {
        let (store, number) = (&self.store, self.number);
        let plan = Plan::quick(&store.world);
        let is_held = store.carry(plan, move |world| {
            let now = world.now();
            world.with(|state| {
                let left = state.locks.get(number).until.map(|until| until.since(now));
                let is_long = left.is_none_or(|left| left >= REDEMPTION);
                let is_held = state.locks.is_held(number, now) && is_long;
                if is_held {
                    state.locks.checked(number, now);
                }
                is_held
            })
        });
        let is_held = is_held.await;
        store.world.note_of(store.process, || {
            format!("asked whether lock {number} is held: {is_held}")
        });
        is_held
    }

    async fn release(mut self) {
        self.is_released = true;
        let number = self.number;
        let store = self.store.clone();
        drop(self);
        // What cannot be freed runs out.
        let is_lease = matches!(store.world.settings.store, StoreKind::Database { .. });
        if is_lease && store.world.meets(Trouble::LocksFail) {
            return;
        }
        let plan = Plan::quick(&store.world);
        let freed = store.carry(plan, move |world| {
            let now = world.now();
            world.with(|state| state.locks.free(number, now));
        });
        freed.await;
        store
            .world
            .note_of(store.process, || format!("released lock {number}"));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let world = &self.store.world;
        if let Some(renewal) = self.renewal.take() {
            world.executor.abort(renewal);
        }
        // What a dead process held is not dropped by it.
        if self.is_released || !world.executor.is_alive(self.store.process) {
            return;
        }
        let is_freed = match world.settings.store {
            StoreKind::File => true,
            StoreKind::Database { .. } => world.executor.draw(|random| random.percent(50)),
        };
        let (now, number) = (world.now(), self.number);
        if is_freed {
            world.with(|state| state.locks.free(number, now));
        }
        world.note_of(self.store.process, || format!("dropped lock {number}"));
    }
}

/// How long a redemption may take, as the store's trait has it.
const REDEMPTION: Duration = Duration::from_secs(20);
