//! The thread that redemptions run on, so that they outlive their callers and the end of `main`.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::{self, JoinSet},
};

use super::lock;

/// Carries work on one thread with a runtime of its own, for as long as there is any.
///
/// A tokio runtime waits for its blocking threads when it ends, but not for its tasks, and drives the
/// latter only while somebody drives it. An answer that nobody hears is a session that is lost: the
/// refresh token that is stored would be spent.
#[derive(Default)]
pub(super) struct Ferry {
    /// Where work goes while the ferry is under way.
    queue: Mutex<Option<mpsc::UnboundedSender<Work>>>,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Ferry {
    /// Carries `work` to its end, also if the caller stops waiting; nothing if it came to none.
    pub(super) async fn carry<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, outcome) = oneshot::channel();
        self.embark(Box::pin(async move {
            // Nobody may be waiting any more.
            let _ = sender.send(work.await);
        }));
        outcome.await.ok()
    }

    /// Carries `work` to its end; nobody waits for it.
    pub(super) fn embark(self: &Arc<Self>, mut work: Work) {
        let mut queue = lock(&self.queue);
        if let Some(sender) = &*queue {
            match sender.send(work) {
                Ok(()) => return,
                // The runtime that it was to start in has ended before it did.
                Err(unsent) => work = unsent.0,
            }
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        // Its receiver is here.
        let _ = sender.send(work);
        *queue = Some(sender);
        drop(queue);
        let ferry = Arc::clone(self);
        task::spawn_blocking(move || ferry.cross(receiver));
    }

    fn cross(&self, mut queue: mpsc::UnboundedReceiver<Work>) {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
            // What waits in the queue is dropped with it, and its callers are told.
            return;
        };
        runtime.block_on(async {
            let mut aboard = JoinSet::new();
            loop {
                tokio::select! {
                    Some(work) = queue.recv() => {
                        aboard.spawn(work);
                    }
                    Some(_ended) = aboard.join_next() => {}
                }
                if aboard.is_empty() {
                    let mut waiting = lock(&self.queue);
                    if queue.is_empty() {
                        *waiting = None;
                        return;
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn work_ends_although_its_caller_and_its_runtime_have_gone() {
        let (ferry, done) = (Arc::new(Ferry::default()), Arc::new(AtomicUsize::new(0)));
        let program = runtime();
        program.block_on(async {
            let counted = Arc::clone(&done);
            let work = async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                counted.fetch_add(1, Ordering::SeqCst);
            };
            let mut call = Box::pin(ferry.carry(work));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(call.as_mut().poll(&mut cx).is_pending());
        });
        drop(program);
        assert_eq!(done.load(Ordering::SeqCst), 1);
        // The next one finds a ferry again.
        assert_eq!(runtime().block_on(ferry.carry(async { 7 })), Some(7));
    }

    #[test]
    fn a_panic_aboard_sinks_nobody_else() {
        let ferry = Arc::new(Ferry::default());
        let outcomes = runtime().block_on(async {
            let panics = ferry.carry(async { panic!("on purpose") });
            let works = ferry.carry(async { 7 });
            tokio::join!(panics, works)
        });
        assert_eq!(outcomes, (None::<()>, Some(7)));
    }

    #[test]
    fn much_work_takes_one_thread() {
        let ferry = Arc::new(Ferry::default());
        let program = Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let done = program.block_on(async {
            let mut calls = JoinSet::new();
            for number in 0..100 {
                let ferry = Arc::clone(&ferry);
                calls.spawn(async move {
                    let work = async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        number
                    };
                    ferry.carry(work).await
                });
            }
            calls.join_all().await
        });
        assert_eq!(done.into_iter().flatten().count(), 100);
    }
}
