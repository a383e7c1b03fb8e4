//! What can be polled, and what has asked to be.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
};

use super::ProcessId;
use crate::session::environment::Boxed;

/// One task of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(usize);

/// The tasks of all processes; numbers are not used again.
#[derive(Default)]
pub(super) struct Tasks(Vec<Option<Task>>);

struct Task {
    process: ProcessId,
    waker: Arc<TaskWaker>,
    /// Nothing while it is polled.
    work: Option<Boxed<'static, ()>>,
}

/// Tasks that were woken, in no order.
#[derive(Default)]
pub(super) struct Ready(Mutex<Vec<TaskId>>);

pub(super) struct TaskWaker {
    task: TaskId,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Tasks {
    /// Without `work` there is a number and no task.
    pub(super) fn add(
        &mut self,
        process: ProcessId,
        ready: &Arc<Ready>,
        work: Option<Boxed<'static, ()>>,
    ) -> TaskId {
        let id = TaskId(self.0.len());
        let task = |work| Task {
            process,
            waker: Arc::new(TaskWaker {
                task: id,
                is_queued: AtomicBool::new(true),
                ready: Arc::clone(ready),
            }),
            work: Some(work),
        };
        self.0.push(work.map(task));
        id
    }

    pub(super) fn process(&self, id: TaskId) -> Option<ProcessId> {
        self.0[id.0].as_ref().map(|task| task.process)
    }

    pub(super) fn take(&mut self, id: TaskId) -> Option<(Boxed<'static, ()>, Arc<TaskWaker>)> {
        let task = self.0[id.0].as_mut()?;
        Some((task.work.take()?, Arc::clone(&task.waker)))
    }

    /// Returns the work of a task that was ended while it was polled.
    pub(super) fn put_back(
        &mut self,
        id: TaskId,
        work: Boxed<'static, ()>,
    ) -> Option<Boxed<'static, ()>> {
        match &mut self.0[id.0] {
            Some(task) => task.work.replace(work),
            None => Some(work),
        }
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Boxed<'static, ()>> {
        self.0[id.0].take()?.work
    }

    /// What the tasks of `process` hold.
    pub(super) fn take_of(&mut self, process: ProcessId) -> Vec<Boxed<'static, ()>> {
        let is_of = |task: &mut Task| task.process == process;
        let tasks = self.0.iter_mut().filter_map(|task| task.take_if(is_of));
        tasks.filter_map(|task| task.work).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<Boxed<'static, ()>> {
        let tasks = self.0.iter_mut().filter_map(Option::take);
        tasks.filter_map(|task| task.work).collect()
    }
}

impl Ready {
    pub(super) fn push(&self, id: TaskId) {
        self.lock().push(id);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskWaker {
    /// From now on it can be woken again.
    pub(super) fn is_polled(&self) {
        self.is_queued.store(false, Ordering::Relaxed);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.task);
        }
    }
}
