//! The thread that the work of sessions runs on, so that it outlives its callers and their runtimes.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread::{self, ThreadId},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{oneshot, watch},
    time,
};

use crate::time::{Clock, Moment, SystemClock};

/// A tokio runtime on one thread of its own, which ends no work before its time.
///
/// A tokio runtime drives its tasks only while the program drives it, and drops them when it ends. A
/// redemption that is dropped on the way is a session that is lost: the issuer has used the refresh
/// token up, and the new one is nowhere. So work of that kind runs here, to its end, no matter which
/// caller stops waiting for it and which runtime of the program ends.
///
/// The thread starts with the first work. It ends when the value has been dropped and no work is left,
/// and what the work has spawned besides (the release of a lock, say) has ended as well or has had
/// [a moment](LINGER) to do so. Dropping the value never waits.
///
/// All work shares the thread: work that blocks it holds up all other. When `main` returns, the thread
/// ends with the process. A process that forks has
/// the value but not the thread in the child; that is not supported.
#[derive(Debug)]
pub(crate) struct BackgroundRuntime {
    /// How many pieces of work are under way.
    under_way: watch::Sender<usize>,
    running: Mutex<Option<Running>>,
    thread: fn() -> thread::Builder,
}

/// Work for a [`BackgroundRuntime`]. It reports its outcome through a channel of its own.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl BackgroundRuntime {
    /// A runtime whose thread has not started yet.
    pub(crate) fn new() -> Self {
        Self {
            under_way: watch::Sender::new(0),
            running: Mutex::default(),
            thread,
        }
    }

    /// Runs `work` to its end. It never blocks, and may be called from any thread.
    ///
    /// If it is called from within a runtime of the program, that runtime's end waits for the work, for
    /// at most `limit` from now on, and takes no thread of its blocking pool for that. It is the
    /// runtime's tasks that wait while they are dropped, so:
    ///
    /// - `shutdown_background` and `shutdown_timeout` of a multi-threaded runtime wait no longer than
    ///   they say. Those of a current-thread runtime drop its tasks first, and wait as a plain drop does.
    /// - A runtime that is already shutting down does not wait for work that is begun now.
    /// - A runtime that ends on the background thread itself does not wait: the work needs that thread.
    /// - Connections that are driven by the runtime that ends are of no use to the work from then on.
    ///
    /// Where the thread or its runtime cannot be made, the work is dropped: the other end of its channel
    /// sees that it is closed. The next call tries again.
    pub(crate) fn spawn(&self, work: Work, limit: Duration) {
        let mut tracked = Tracked::new(work, &self.under_way);
        let (background, thread) = match self.running() {
            Ok(running) => running,
            Err(error) => {
                tracing::debug!(%error, "the thread for the work of sessions could not be started");
                return;
            }
        };
        if let Ok(caller) = Handle::try_current()
            && caller.id() != background.id()
        {
            let deadline = SystemClock::new().now().plus(limit);
            Guard::post(&caller, tracked.witness(), deadline, thread);
        }
        background.spawn(tracked);
    }

    /// Waits until no work is under way. It needs no runtime around it.
    #[cfg(test)]
    pub(crate) async fn idle(&self) {
        let mut under_way = self.under_way.subscribe();
        // It fails without a sender only, and that is in `self`.
        let _ = under_way.wait_for(|count| *count == 0).await;
    }

    /// The runtime that runs, started if there is none.
    fn running(&self) -> io::Result<(Handle, ThreadId)> {
        let mut running = lock(&self.running);
        if let Some(running) = &*running
            && running.is_alive()
        {
            return Ok((running.handle.clone(), running.thread));
        }
        let started = Running::start((self.thread)(), self.under_way.subscribe())?;
        let outcome = (started.handle.clone(), started.thread);
        let ended = running.replace(started);
        drop(running);
        drop(ended);
        Ok(outcome)
    }
}

/// The thread that runs.
#[derive(Debug)]
struct Running {
    handle: Handle,
    thread: ThreadId,
    /// Dropped with the [`BackgroundRuntime`]; then the thread ends once its work is done.
    stop: oneshot::Sender<Infallible>,
}

impl Running {
    fn start(thread: thread::Builder, under_way: watch::Receiver<usize>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let driver = Driver(Some(runtime));
        let (stop, stopped) = oneshot::channel();
        let thread = thread.spawn(move || driver.drive(stopped, under_way))?;
        Ok(Self {
            handle,
            thread: thread.thread().id(),
            stop,
        })
    }

    /// False if tokio has panicked on it, which it does when the system takes its event queue away.
    fn is_alive(&self) -> bool {
        !self.stop.is_closed()
    }
}

/// The runtime, on its way to its thread and there.
///
/// A plain drop of a runtime panics where a runtime is around, as it may be for the caller that fails to
/// start the thread.
struct Driver(Option<Runtime>);

impl Driver {
    fn drive(&self, stopped: oneshot::Receiver<Infallible>, mut under_way: watch::Receiver<usize>) {
        let Some(runtime) = &self.0 else { return };
        runtime.block_on(async {
            let _ = stopped.await;
            // It fails when all senders have gone: then no work is left either.
            let _ = under_way.wait_for(|count| *count == 0).await;
            let _ = time::timeout(LINGER, all_ended(runtime.handle())).await;
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits until what work has spawned has ended. Tokio has no event for that.
async fn all_ended(runtime: &Handle) {
    while runtime.metrics().num_alive_tasks() > 0 {
        time::sleep(LINGER / 100).await;
    }
}

/// Work, and the fact that it is under way.
struct Tracked {
    work: Work,
    /// Dropped after the work, whether that has ended, has panicked, or was never begun.
    mark: Mark,
}

impl Tracked {
    fn new(work: Work, under_way: &watch::Sender<usize>) -> Self {
        under_way.send_modify(|count| *count += 1);
        let mark = Mark {
            under_way: under_way.clone(),
            witnessed: None,
        };
        Self { work, mark }
    }

    /// Sees the work's end, on a thread as in a task.
    fn witness(&mut self) -> (mpsc::Receiver<Infallible>, oneshot::Receiver<Infallible>) {
        let (on_thread, thread) = mpsc::channel();
        let (in_task, task) = oneshot::channel();
        self.mark.witnessed = Some((on_thread, in_task));
        (thread, task)
    }
}

impl Future for Tracked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(cx)
    }
}

struct Mark {
    under_way: watch::Sender<usize>,
    /// Dropped in this order: the task that is woken last finds that the thread need not wait.
    witnessed: Option<(mpsc::Sender<Infallible>, oneshot::Sender<Infallible>)>,
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.under_way.send_modify(|count| *count -= 1);
    }
}

/// Stands in a runtime of the program, and holds up its end while the work that was begun there runs.
struct Guard {
    ended: mpsc::Receiver<Infallible>,
    deadline: Moment,
    background: ThreadId,
    is_posted: Arc<AtomicBool>,
}

impl Guard {
    fn post(
        caller: &Handle,
        (ended, task): (mpsc::Receiver<Infallible>, oneshot::Receiver<Infallible>),
        deadline: Moment,
        background: ThreadId,
    ) {
        let is_posted = Arc::new(AtomicBool::new(false));
        let guard = Self {
            ended,
            deadline,
            background,
            is_posted: Arc::clone(&is_posted),
        };
        // A runtime that is shutting down drops the task at once, and that must not block this call.
        caller.spawn(async move {
            let _guard = guard;
            let _ = task.await;
        });
        is_posted.store(true, Ordering::Release);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let is_posted = self.is_posted.load(Ordering::Acquire);
        let is_needed_here = thread::current().id() == self.background;
        if is_posted && !is_needed_here {
            let left = SystemClock::new().now().until(self.deadline);
            let _ = self.ended.recv_timeout(left);
        }
    }
}

/// Linux shows the first 15 bytes of it.
fn thread() -> thread::Builder {
    thread::Builder::new().name("intelliauth sessions".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the thread stays for what work has spawned, after the last work has ended.
///
/// That is the release of a lock that was dropped instead of awaited: one message to the store. Cut off,
/// the lock stays until its lease runs out. A connection that is never closed would keep the thread for
/// good without an end to this.
const LINGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        future,
        sync::mpsc::RecvTimeoutError,
        task::{Wake, Waker},
        thread::Thread,
    };

    use super::*;

    /// For what must not hang: no machine is so slow, and no correct run waits for it.
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn work_runs_to_its_end_from_any_thread_and_from_within_other_work() {
        let background = Arc::new(BackgroundRuntime::new());
        let inner = Arc::clone(&background);
        let (seen, names) = mpsc::channel();
        thread::spawn(move || {
            let work = async move {
                let nested = async move { seen.send(thread::current().name().map(str::to_owned)) };
                inner.spawn(quiet(nested), HOUR);
            };
            background.spawn(quiet(work), HOUR);
            drop(background);
        });
        let name = names.recv_timeout(MINUTE).unwrap();
        assert_eq!(name.as_deref(), Some("intelliauth sessions"));
    }

    #[test]
    fn work_runs_to_its_end_also_if_the_value_is_dropped_and_that_does_not_wait() {
        let background = BackgroundRuntime::new();
        let (open, gate) = oneshot::channel::<()>();
        let (sender, outcome) = mpsc::channel();
        let work = async move {
            gate.await.unwrap();
            // The timers still go.
            time::sleep(Duration::from_millis(1)).await;
            sender.send(7)
        };
        background.spawn(quiet(work), HOUR);
        drop(background);
        open.send(()).unwrap();
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(7));
    }

    #[test]
    fn the_thread_stays_between_works_and_ends_with_the_value() {
        let background = BackgroundRuntime::new();
        let (sender, threads) = mpsc::channel();
        for _ in 0..2 {
            let sender = sender.clone();
            let work = async move { sender.send(thread::current().id()) };
            background.spawn(quiet(work), HOUR);
            wait_for(background.idle());
        }
        assert_eq!(threads.recv(), threads.recv());
        let end = thread_end(&background);
        drop(background);
        assert_eq!(
            end.recv_timeout(MINUTE),
            Err(RecvTimeoutError::Disconnected)
        );
    }

    #[test]
    fn the_last_owner_may_be_the_work_itself() {
        let background = Arc::new(BackgroundRuntime::new());
        let end = thread_end(&background);
        let (open, gate) = oneshot::channel::<()>();
        let (sender, outcome) = mpsc::channel();
        let owner = Arc::clone(&background);
        let work = async move {
            gate.await.unwrap();
            drop(Arc::into_inner(owner).unwrap());
            sender.send(7)
        };
        background.spawn(quiet(work), HOUR);
        drop(background);
        open.send(()).unwrap();
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(7));
        assert_eq!(
            end.recv_timeout(MINUTE),
            Err(RecvTimeoutError::Disconnected)
        );
    }

    #[test]
    fn a_panic_harms_no_other_work_and_leaves_nothing_under_way() {
        let background = BackgroundRuntime::new();
        let (open, gate) = oneshot::channel::<()>();
        let (sender, outcome) = mpsc::channel();
        let work = async move {
            gate.await.unwrap();
            sender.send(7)
        };
        background.spawn(quiet(work), HOUR);
        let (told, hears) = oneshot::channel::<()>();
        let panics = async move {
            let _told = told;
            panic!("on purpose");
        };
        background.spawn(Box::pin(panics), HOUR);
        assert!(hears.blocking_recv().is_err());
        open.send(()).unwrap();
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(7));
        within_a_minute(move || wait_for(background.idle()));
    }

    #[test]
    fn what_work_has_spawned_goes_on_after_its_end_and_for_a_moment_after_the_value() {
        let background = BackgroundRuntime::new();
        let (sender, outcome) = mpsc::channel();
        let (open_first, first) = oneshot::channel::<()>();
        let (open_second, second) = oneshot::channel::<()>();
        let work = async move {
            tokio::spawn(async move {
                first.await.unwrap();
                sender.send(1).unwrap();
                second.await.unwrap();
                sender.send(2).unwrap();
            });
        };
        background.spawn(quiet(work), HOUR);
        wait_for(background.idle());
        open_first.send(()).unwrap();
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(1));
        open_second.send(()).unwrap();
        drop(background);
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(2));
    }

    #[test]
    fn what_never_ends_of_itself_does_not_keep_the_thread() {
        let background = BackgroundRuntime::new();
        let work = async { drop(tokio::spawn(future::pending::<()>())) };
        background.spawn(quiet(work), HOUR);
        let end = thread_end(&background);
        drop(background);
        assert_eq!(
            end.recv_timeout(MINUTE),
            Err(RecvTimeoutError::Disconnected)
        );
    }

    #[test]
    fn the_end_of_a_runtime_waits_for_what_was_begun_in_it() {
        for program in [current_thread(), multi_thread()] {
            let background = BackgroundRuntime::new();
            let (open, gate) = oneshot::channel::<()>();
            let is_done = Arc::new(AtomicBool::new(false));
            let done = Arc::clone(&is_done);
            let work = async move {
                gate.await.unwrap();
                done.store(true, Ordering::SeqCst);
            };
            program.block_on(async { background.spawn(Box::pin(work), HOUR) });
            let opener = open_at_the_end_of(&program, open);
            drop(program);
            assert!(is_done.load(Ordering::SeqCst));
            opener.join().unwrap();
        }
    }

    #[test]
    fn the_end_of_a_runtime_waits_for_no_other_work() {
        let background = BackgroundRuntime::new();
        let (sender, outcome) = mpsc::channel();
        let mut gates = Vec::new();
        let other = current_thread();
        for program in [None, Some(&other)] {
            let (open, gate) = oneshot::channel::<()>();
            let sender = sender.clone();
            let work = async move {
                gate.await.unwrap();
                sender.send(())
            };
            let _around = program.map(Runtime::enter);
            background.spawn(quiet(work), HOUR);
            gates.push(open);
        }
        for program in [current_thread(), multi_thread()] {
            let (sender, ended) = oneshot::channel::<()>();
            let work = async move { sender.send(()) };
            program.block_on(async {
                background.spawn(quiet(work), HOUR);
                ended.await.unwrap();
            });
            within_a_minute(move || drop(program));
        }
        for open in gates {
            open.send(()).unwrap();
            outcome.recv_timeout(MINUTE).unwrap();
        }
    }

    #[test]
    fn the_end_of_a_runtime_waits_no_longer_than_the_limit() {
        for program in [current_thread(), multi_thread()] {
            let background = BackgroundRuntime::new();
            let limit = Duration::from_millis(1);
            program.block_on(async { background.spawn(Box::pin(future::pending()), limit) });
            within_a_minute(move || drop(program));
        }
    }

    #[test]
    fn a_shutdown_in_the_background_waits_for_nothing() {
        let background = BackgroundRuntime::new();
        let program = multi_thread();
        let (open, gate) = oneshot::channel::<()>();
        let (sender, outcome) = mpsc::channel();
        let work = async move {
            gate.await.unwrap();
            sender.send(7)
        };
        program.block_on(async { background.spawn(quiet(work), HOUR) });
        within_a_minute(move || program.shutdown_background());
        open.send(()).unwrap();
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(7));
    }

    #[test]
    fn a_runtime_may_end_within_another_and_on_the_background_thread() {
        let background = BackgroundRuntime::new();
        let inner = current_thread();
        let outer = multi_thread();
        let (open, gate) = oneshot::channel::<()>();
        let (sender, outcome) = mpsc::channel();
        let work = async move {
            gate.await.unwrap();
            sender.send(7)
        };
        inner.block_on(async { background.spawn(quiet(work), HOUR) });
        let opener = open_at_the_end_of(&inner, open);
        outer.block_on(async {
            tokio::task::spawn_blocking(move || drop(inner))
                .await
                .unwrap();
        });
        assert_eq!(outcome.try_recv(), Ok(7));
        opener.join().unwrap();

        // There it would wait for the very thread that it stands on.
        let program = current_thread();
        program.block_on(async { background.spawn(Box::pin(future::pending()), HOUR) });
        let ends = async move { program.shutdown_background() };
        let (sender, outcome) = mpsc::channel();
        background.spawn(
            quiet(async move {
                ends.await;
                sender.send(8)
            }),
            HOUR,
        );
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(8));
    }

    #[test]
    fn a_runtime_that_is_shutting_down_blocks_no_call_that_begins_work() {
        struct Late(Arc<BackgroundRuntime>, mpsc::Sender<()>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.spawn(Box::pin(future::pending()), HOUR);
                self.1.send(()).unwrap();
            }
        }
        let background = Arc::new(BackgroundRuntime::new());
        let (sender, begun) = mpsc::channel();
        let late = Late(Arc::clone(&background), sender);
        let program = current_thread();
        program.spawn(async move {
            let _late = late;
            future::pending::<()>().await;
        });
        within_a_minute(move || drop(program));
        assert_eq!(begun.try_recv(), Ok(()));
    }

    #[test]
    fn the_only_blocking_thread_of_a_runtime_stays_free() {
        let program = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let background = BackgroundRuntime::new();
        let (open, gate) = oneshot::channel::<()>();
        within_a_minute(move || {
            program.block_on(async {
                background.spawn(quiet(gate), HOUR);
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            });
            open.send(()).unwrap();
        });
    }

    #[test]
    fn a_thread_that_cannot_be_made_drops_the_work_and_the_next_call_tries_again() {
        let mut background = BackgroundRuntime::new();
        // No machine has an address space of that size.
        background.thread = || thread().stack_size(1 << 60);
        let program = current_thread();
        program.block_on(async {
            let (sender, outcome) = oneshot::channel::<()>();
            background.spawn(quiet(async move { sender.send(()) }), HOUR);
            assert!(outcome.await.is_err());
            background.idle().await;

            background.thread = thread;
            let (sender, outcome) = oneshot::channel::<()>();
            background.spawn(quiet(async move { sender.send(()) }), HOUR);
            assert!(outcome.await.is_ok());
        });
    }

    #[test]
    fn a_runtime_that_has_died_is_replaced() {
        let background = BackgroundRuntime::new();
        let dead = current_thread();
        *lock(&background.running) = Some(Running {
            handle: dead.handle().clone(),
            thread: thread::current().id(),
            stop: oneshot::channel().0,
        });
        drop(dead);
        let (sender, outcome) = mpsc::channel();
        background.spawn(quiet(async move { sender.send(7) }), HOUR);
        assert_eq!(outcome.recv_timeout(MINUTE), Ok(7));
    }

    #[test]
    fn idle_waits_for_all_that_is_under_way_with_and_without_a_runtime() {
        let background = BackgroundRuntime::new();
        wait_for(background.idle());
        let (open, gate) = oneshot::channel::<()>();
        background.spawn(quiet(gate), HOUR);
        let mut idle = Box::pin(background.idle());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(idle.as_mut().poll(&mut cx).is_pending());
        open.send(()).unwrap();
        wait_for(idle);
        current_thread().block_on(background.idle());
    }

    fn quiet<T>(work: impl Future<Output = T> + Send + 'static) -> Work {
        Box::pin(async move { drop(work.await) })
    }

    fn current_thread() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    fn multi_thread() -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap()
    }

    /// Opens the gate once `program` takes no new task, which is how its end begins.
    fn open_at_the_end_of(program: &Runtime, open: oneshot::Sender<()>) -> thread::JoinHandle<()> {
        let program = program.handle().clone();
        thread::spawn(move || {
            loop {
                let probe = program.spawn(future::pending::<()>());
                if probe.is_finished() {
                    break;
                }
                probe.abort();
                thread::yield_now();
            }
            open.send(()).unwrap();
        })
    }

    /// Its other end has gone as soon as the background thread has ended.
    fn thread_end(background: &BackgroundRuntime) -> mpsc::Receiver<Infallible> {
        thread_local! {
            static ON_THREAD: RefCell<Option<mpsc::Sender<Infallible>>> = const { RefCell::new(None) };
        }
        let (sender, end) = mpsc::channel();
        let work = async move { ON_THREAD.set(Some(sender)) };
        background.spawn(quiet(work), HOUR);
        wait_for(background.idle());
        end
    }

    fn within_a_minute(action: impl FnOnce() + Send + 'static) {
        let (sender, end) = mpsc::channel();
        thread::spawn(move || {
            action();
            sender.send(()).unwrap();
        });
        end.recv_timeout(MINUTE).expect("it should not block");
    }

    /// Without any runtime.
    fn wait_for<T>(future: impl Future<Output = T>) -> T {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = std::pin::pin!(future);
        loop {
            let mut cx = Context::from_waker(&waker);
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }
}
