//! What a session's driver needs of the world: time, tasks, chance, and the issuer.
//!
//! Everything that is not decided by the state goes through these two traits, so that a simulation can
//! bring a world of its own.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use super::background::BackgroundRuntime;
use crate::{
    dialect::{AudienceRule, Dialect},
    endpoint::{Revocation, TokenReply},
    error::Error,
    request::{Target, Urgency},
    secret::Secret,
    time::{Moment, TimeSource},
};

/// A future behind a pointer.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Time, tasks and chance.
pub(crate) trait Environment: fmt::Debug + Send + Sync + 'static {
    /// Both clocks.
    fn now(&self) -> Moment;
    /// Ends after `duration`. It is awaited in work that was spawned here.
    fn sleep(&self, duration: Duration) -> Boxed<'static, ()>;
    /// Runs `work` to its end, also if its caller stops waiting for it.
    fn spawn(&self, work: Boxed<'static, ()>);
    /// Runs `work` for as long as there is nothing else to wait for.
    fn spawn_daemon(&self, work: Boxed<'static, ()>);
    /// A random number, never zero.
    fn random(&self) -> u64;
}

/// What is asked of the issuer.
pub(crate) trait Issuer: fmt::Debug + Send + Sync + 'static {
    /// Redeems a refresh token (RFC 6749 section 6). One request, never repeated here.
    fn redeem<'a>(
        &'a self,
        refresh_token: &'a Secret,
        request: &'a RefreshRequest,
    ) -> Boxed<'a, Redeemed>;
    /// Finds out where the token endpoint is, so that what fails later has been sent.
    fn reach(&self, in_background: bool) -> Boxed<'_, Result<(), Error>>;
    /// Whether the issuer answers at this moment.
    fn is_there(&self) -> Boxed<'_, Result<(), Error>>;
    /// Revokes a refresh token (RFC 7009). Whatever comes of it, the token is forgotten.
    fn revoke<'a>(&'a self, refresh_token: &'a Secret) -> Boxed<'a, Revocation>;
    fn dialect(&self) -> &Dialect;
    fn audiences(&self) -> &AudienceRule;
}

/// What a redemption asks for.
#[derive(Clone, Debug)]
pub(crate) struct RefreshRequest {
    pub(crate) target: Target,
    pub(crate) urgency: Urgency,
}

/// What came of a redemption.
pub(crate) struct Redeemed {
    pub(crate) reply: Result<TokenReply, Error>,
    /// The new refresh token of a reply that is unusable otherwise: the old one is spent.
    pub(crate) rotated: Option<Secret>,
}

/// The machine's clocks and the client's own runtime.
#[derive(Debug)]
pub(crate) struct Machine {
    clock: TimeSource,
    runtime: BackgroundRuntime,
}

impl Machine {
    pub(crate) fn new(clock: TimeSource) -> Self {
        Self {
            clock,
            runtime: BackgroundRuntime::new(),
        }
    }
}

impl Environment for Machine {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, work: Boxed<'static, ()>) {
        self.runtime.spawn(work, LONGEST_WORK);
    }

    fn spawn_daemon(&self, work: Boxed<'static, ()>) {
        // What is spawned inside of the runtime lives as long as that.
        self.spawn(Box::pin(async move {
            tokio::spawn(work);
        }));
    }

    fn random(&self) -> u64 {
        fastrand::u64(1..)
    }
}

/// Awaits `work` for at most `limit`; nothing if that was too short.
pub(super) async fn within<T>(
    environment: &dyn Environment,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut timer = environment.sleep(limit);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The end of a program's runtime waits no longer than this for what was begun in it: a lock, a
/// redemption and the calls into the store around it, each with its own limit.
const LONGEST_WORK: Duration = Duration::from_secs(60);
