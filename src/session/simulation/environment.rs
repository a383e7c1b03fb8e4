//! What a process sees of the machine that it runs on.

use std::{sync::Arc, time::Duration};

use super::executor::{Executor, ProcessId};
use crate::{
    session::environment::{Boxed, Environment},
    time::Moment,
};

/// The environment of one process.
#[derive(Clone, Debug)]
pub(super) struct ProcessEnvironment {
    executor: Arc<Executor>,
    process: ProcessId,
}

impl ProcessEnvironment {
    pub(super) fn new(executor: &Arc<Executor>, process: ProcessId) -> Self {
        Self {
            executor: Arc::clone(executor),
            process,
        }
    }
}

impl Environment for ProcessEnvironment {
    fn now(&self) -> Moment {
        self.executor.clocks(self.process)
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        Box::pin(self.executor.sleep(self.process, duration))
    }

    fn spawn(&self, work: Boxed<'static, ()>) {
        self.executor.spawn(self.process, work);
    }

    fn spawn_daemon(&self, work: Boxed<'static, ()>) {
        self.spawn(work);
    }

    fn random(&self) -> u64 {
        self.executor.draw(super::random::Random::number)
    }
}
