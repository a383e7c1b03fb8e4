//! The right to redeem: held by one alone, until it is released.

use std::{
    fmt,
    future::{Future, ready},
    pin::Pin,
};

/// The right to redeem the refresh token of one family, held by one alone.
///
/// A store makes it in [`lock`](super::SessionStore::lock): with [`guard`](Self::guard) where
/// something ends with its holder, with [`lease`](Self::lease) where the lock ends by itself, and with
/// [`new`](Self::new) for whatever else.
#[must_use = "the family is free again as soon as this is dropped"]
pub struct SessionLock {
    held: Box<dyn BoxedHeld>,
}

/// What a store keeps of a lock that it has given away.
///
/// [`release`](Self::release) is the way that a lock ends. Where it does not come to that (a panic, a
/// runtime that ends), what implements this is dropped, and its `Drop` frees the lock as well as it can:
/// at least by no longer renewing it.
///
/// # Examples
///
/// A lock that is a lease, and is held for as long as the other side says so:
///
/// ```
/// use intelliauth::{HeldLock, SessionLock};
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
///
/// struct Lease(Arc<AtomicBool>);
///
/// impl HeldLock for Lease {
///     async fn is_held(&self) -> bool {
///         self.0.load(Ordering::SeqCst)
///     }
///     async fn release(self) {
///         self.0.store(false, Ordering::SeqCst);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let is_mine = Arc::new(AtomicBool::new(true));
/// let lock = SessionLock::new(Lease(Arc::clone(&is_mine)));
/// assert!(lock.is_held().await);
/// lock.release().await;
/// assert!(!is_mine.load(Ordering::SeqCst));
/// # }
/// ```
pub trait HeldLock: Send + Sync + 'static {
    /// Whether it is still held, and will be for as long as a redemption takes.
    ///
    /// It is asked right before a refresh token is sent. A lock that ends with its holder alone is always
    /// held. A lease says no as soon as another holder could have it, or could within the next
    /// 20 seconds; where that cannot be found out, it says no.
    fn is_held(&self) -> impl Future<Output = bool> + Send {
        ready(true)
    }

    /// Frees it. When this returns, the next [`lock`](super::SessionStore::lock) succeeds.
    ///
    /// It cannot fail: what cannot be freed (the database is away) ends by itself, as when its holder
    /// had died.
    fn release(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized;
}

impl SessionLock {
    /// The lock that `held` stands for.
    pub fn new(held: impl HeldLock) -> Self {
        Self {
            held: Box::new(held),
        }
    }

    /// A lock that is held until `guard` is dropped, and free at once then.
    pub fn guard(guard: impl Send + Sync + 'static) -> Self {
        Self::new(Guard(guard))
    }

    /// Whether it is still held: a lease may have run out.
    pub async fn is_held(&self) -> bool {
        self.held.is_held().await
    }

    /// Frees it, and returns when it is free.
    pub async fn release(self) {
        self.held.release().await;
    }
}

impl fmt::Debug for SessionLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLock").finish_non_exhaustive()
    }
}

/// A lock that is free once this is dropped.
struct Guard<T>(T);

impl<T: Send + Sync + 'static> HeldLock for Guard<T> {
    async fn release(self) {
        drop(self.0);
    }
}

/// [`HeldLock`] behind a pointer.
trait BoxedHeld: Send + Sync {
    fn is_held(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
    fn release(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<H: HeldLock> BoxedHeld for H {
    fn is_held(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(HeldLock::is_held(self))
    }

    fn release(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(HeldLock::release(*self))
    }
}
