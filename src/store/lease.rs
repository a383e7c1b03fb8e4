//! A lock that ends by itself, and is renewed for as long as it is held.

use std::{
    future::Future,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{HeldLock, SessionLock, runtime};
use crate::{
    error::{StoreError, StoreErrorKind},
    time::{Moment, SystemClock, TimeSource},
};

/// How long a lease lasts unless it is renewed.
///
/// For this long a family stays locked whose holder was killed.
const LEASE: Duration = Duration::from_secs(30);

/// How often it is renewed: one renewal may be lost, and what is needed is still left.
const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// What has to be left of a lease when a redemption is sent: longer than a request may take (15 s).
const NEEDED: Duration = Duration::from_secs(20);

/// How long to wait between two tries, in milliseconds, drawn anew each time.
const PAUSE: RangeInclusive<u64> = 5..=50;

/// How a database takes, renews and frees a lock that ends by itself.
///
/// It is for a store that has no lock which ends with its holder. Each of the three is one atomic step,
/// and tells its holder from others by a token that is drawn anew for each lock.
/// [`SessionLock::lease`] does the rest.
///
/// # Examples
///
/// In a table `locks`, with a key, a token and a time, by the clock of the database (a sketch):
///
/// ```text
/// take    INSERT INTO locks VALUES ($key, $token, now() + $lasting)
///         ON CONFLICT (key) DO UPDATE SET token = $token, until = now() + $lasting
///         WHERE locks.until < now()                          -- taken if a row was written
/// renew   UPDATE locks SET until = now() + $lasting
///         WHERE key = $key AND token = $token                -- ours if a row was written
/// free    DELETE FROM locks WHERE key = $key AND token = $token
/// ```
pub trait Lease: Send + Sync + 'static {
    /// Takes it for so long, if it is free: whether it is ours.
    ///
    /// # Errors
    ///
    /// Any kind but [`Locked`](StoreErrorKind::Locked), if the database cannot be asked.
    fn take(&self, lasting: Duration) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Lets it last so long from now on, if it is ours: whether it is.
    ///
    /// One that has run out, and was taken by none since, may be said to be ours or not to be.
    ///
    /// # Errors
    ///
    /// Any kind, if the database cannot be asked: it is asked again then.
    fn renew(&self, lasting: Duration) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Frees it, if it is ours.
    ///
    /// # Errors
    ///
    /// Any kind, if the database cannot be asked: then the lease runs out.
    fn free(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl SessionLock {
    /// Takes a lock that ends by itself, waiting up to `patience` until it is free.
    ///
    /// It lasts 30 s and is renewed every 5 s, by a task on the runtime that this is called on. It says
    /// that it is no longer [held](HeldLock::is_held) when less than 20 s are left of it, by the clock that
    /// says less: so a machine that was asleep knows, and what is sent right after that has been answered
    /// before another holder can have it. It is freed when it is released, and by a task when it is
    /// dropped, or when this is.
    ///
    /// What no lease can prevent: a process that stands still for more than those 20 s between the
    /// question and its request sends it when another holder may have sent its own.
    ///
    /// # Errors
    ///
    /// [`Locked`](StoreErrorKind::Locked) if it was not free in time, else what `lease` says.
    pub async fn lease(lease: impl Lease, patience: Duration) -> Result<Self, StoreError> {
        let clock = TimeSource::Other(Arc::new(SystemClock::new()));
        take(lease, patience, clock).await.map(Self::new)
    }
}

async fn take<L: Lease>(
    lease: L,
    patience: Duration,
    clock: TimeSource,
) -> Result<Leased<L>, StoreError> {
    runtime::current()?;
    let until = Mutex::new(clock.now());
    let shared = Arc::new(Shared {
        lease,
        clock,
        until,
    });
    let mut leased = Leased {
        shared,
        renewal: None,
        may_be_ours: false,
    };
    if !leased.take().await? {
        let waiting = async {
            loop {
                sleep(Duration::from_millis(fastrand::u64(PAUSE))).await;
                if leased.take().await? {
                    return Ok(());
                }
            }
        };
        let waited = timeout(patience, waiting).await;
        waited.unwrap_or_else(|_elapsed| Err(locked(patience)))?;
    }
    let renewal = tokio::spawn(renew(Arc::clone(&leased.shared)));
    leased.renewal = Some(renewal.abort_handle());
    Ok(leased)
}

fn locked(patience: Duration) -> StoreError {
    let what = format!("another holder had the session's lock for {patience:?}");
    StoreError::new(StoreErrorKind::Locked, what)
}

/// A lease that is held, or may be. It is freed when this is dropped, as well as that can be done.
struct Leased<L: Lease> {
    shared: Arc<Shared<L>>,
    renewal: Option<AbortHandle>,
    /// Also while the answer is awaited: who gives up then may have it.
    may_be_ours: bool,
}

struct Shared<L> {
    lease: L,
    clock: TimeSource,
    until: Mutex<Moment>,
}

impl<L> Shared<L> {
    /// It ends then, counted from before the database was asked.
    fn lasts_until(&self, line: Moment) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }
}

impl<L: Lease> Leased<L> {
    async fn take(&mut self) -> Result<bool, StoreError> {
        let asked = self.shared.clock.now();
        self.may_be_ours = true;
        self.may_be_ours = self.shared.lease.take(LEASE).await?;
        if self.may_be_ours {
            self.shared.lasts_until(asked.plus(LEASE));
        }
        Ok(self.may_be_ours)
    }

    fn end_renewal(&mut self) {
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
    }
}

/// Renews it until it is lost, or this is aborted.
async fn renew<L: Lease>(shared: Arc<Shared<L>>) {
    loop {
        sleep(RENEWED_EVERY).await;
        let asked = shared.clock.now();
        match timeout(RENEWED_EVERY, shared.lease.renew(LEASE)).await {
            Ok(Ok(true)) => shared.lasts_until(asked.plus(LEASE)),
            Ok(Ok(false)) => {
                shared.lasts_until(asked);
                tracing::warn!("a session's lock was lost before it was released");
                return;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a session's lock was not renewed"),
            Err(_elapsed) => tracing::debug!("a session's lock was not renewed in time"),
        }
    }
}

impl<L: Lease> HeldLock for Leased<L> {
    async fn is_held(&self) -> bool {
        let until = *self
            .shared
            .until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.shared.clock.now().until(until) >= NEEDED
    }

    async fn release(mut self) {
        self.end_renewal();
        let freed = self.shared.lease.free().await;
        // Else it is tried once more, when this is dropped.
        self.may_be_ours = freed.is_err();
    }
}

impl<L: Lease> Drop for Leased<L> {
    fn drop(&mut self) {
        self.end_renewal();
        let runtime = Handle::try_current().ok().filter(|_| self.may_be_ours);
        if let Some(runtime) = runtime {
            let shared = Arc::clone(&self.shared);
            runtime.spawn(async move {
                // If this fails too, it runs out.
                let _ = shared.lease.free().await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::pin,
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        task::Poll,
    };

    use tokio::task::yield_now;

    use super::*;
    use crate::time::ManualClock;

    /// A lock of a database that never ends by itself, and counts.
    #[derive(Clone, Debug, Default)]
    struct Row {
        is_taken: Arc<AtomicBool>,
        renewals: Arc<AtomicUsize>,
        freed: Arc<AtomicUsize>,
        /// Another holder has it.
        is_lost: Arc<AtomicBool>,
        is_away: Arc<AtomicBool>,
    }

    impl Lease for Row {
        async fn take(&self, _lasting: Duration) -> Result<bool, StoreError> {
            let was_taken = self.is_taken.swap(true, Ordering::SeqCst);
            // The answer takes a moment.
            yield_now().await;
            Ok(!was_taken)
        }

        async fn renew(&self, _lasting: Duration) -> Result<bool, StoreError> {
            self.renewals.fetch_add(1, Ordering::SeqCst);
            if self.is_away.load(Ordering::SeqCst) {
                return Err(StoreError::new(StoreErrorKind::Io, "the database is away"));
            }
            Ok(!self.is_lost.load(Ordering::SeqCst))
        }

        async fn free(&self) -> Result<(), StoreError> {
            self.is_taken.store(false, Ordering::SeqCst);
            self.freed.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    async fn held(row: &Row, clock: &ManualClock) -> Leased<Row> {
        let clock = TimeSource::Other(Arc::new(clock.clone()));
        take(row.clone(), Duration::ZERO, clock).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_held_for_as_long_as_it_is_renewed() {
        let (row, clock) = (Row::default(), ManualClock::new());
        let lock = held(&row, &clock).await;
        for _ in 0..20 {
            assert!(lock.is_held().await);
            clock.advance(RENEWED_EVERY);
            sleep(RENEWED_EVERY).await;
        }
        assert!(row.renewals.load(Ordering::SeqCst) >= 19);

        // One that is lost on the way is made up for.
        row.is_away.store(true, Ordering::SeqCst);
        clock.advance(RENEWED_EVERY);
        sleep(RENEWED_EVERY).await;
        assert!(lock.is_held().await);
        clock.advance(RENEWED_EVERY + Duration::from_secs(1));
        assert!(
            !lock.is_held().await,
            "less is left than a redemption needs"
        );
        row.is_away.store(false, Ordering::SeqCst);
        sleep(2 * RENEWED_EVERY).await;
        assert!(lock.is_held().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_and_a_machine_that_was_asleep_know_that_it_is_lost() {
        let stopped: fn(&ManualClock) = |clock| clock.advance(LEASE);
        let asleep: fn(&ManualClock) = |clock| clock.suspend(LEASE);
        for stands_still in [stopped, asleep] {
            let (row, clock) = (Row::default(), ManualClock::new());
            let lock = held(&row, &clock).await;
            stands_still(&clock);
            assert!(!lock.is_held().await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_another_holder_has_is_not_renewed_any_more() {
        let (row, clock) = (Row::default(), ManualClock::new());
        let lock = held(&row, &clock).await;
        row.is_lost.store(true, Ordering::SeqCst);
        sleep(10 * RENEWED_EVERY).await;
        assert!(!lock.is_held().await);
        assert_eq!(row.renewals.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_freed_once_when_it_is_released_or_dropped() {
        for is_released in [true, false] {
            let row = Row::default();
            let lock = SessionLock::lease(row.clone(), Duration::ZERO).await;
            let lock = lock.unwrap();
            // Without patience: a question that is given up on its way would be freed too.
            let second = SessionLock::lease(row.clone(), Duration::ZERO).await;
            assert_eq!(second.unwrap_err().kind(), StoreErrorKind::Locked);
            assert_eq!(
                row.freed.load(Ordering::SeqCst),
                0,
                "it was not the second's"
            );
            if is_released {
                lock.release().await;
                assert!(!row.is_taken.load(Ordering::SeqCst));
            } else {
                drop(lock);
            }
            sleep(10 * RENEWED_EVERY).await;
            assert_eq!(row.freed.load(Ordering::SeqCst), 1);
            assert_eq!(row.renewals.load(Ordering::SeqCst), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_before_the_answer_leaves_nothing_taken() {
        let row = Row::default();
        {
            let mut taking = pin!(SessionLock::lease(row.clone(), Duration::ZERO));
            poll_fn(|cx| Poll::Ready(taking.as_mut().poll(cx).is_ready())).await;
        }
        assert!(row.is_taken.load(Ordering::SeqCst));
        let lock = SessionLock::lease(row.clone(), Duration::from_secs(60)).await;
        assert!(lock.unwrap().is_held().await);
    }
}
