//! [`Connections`]: HTTP clients, made at the first request, each for the runtime that drives it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    runtime::{Handle, Id},
    sync::oneshot,
};

use super::settings::{Fault, HttpSettings, Kind};
use crate::endpoint::issuer::Issuer;

/// Connections that several clients share.
///
/// A client has its own by default. A program with a client for each of many tenants passes the same
/// value to all of them ([`ClientBuilder::connections`](crate::ClientBuilder::connections)): those with
/// the same HTTP settings (time limits, proxy, certificates) then have one set-up of TLS and one pool of
/// connections in common. Nothing else is shared, no token above all. Clones are the same connections.
///
/// The set-up of TLS happens at the first request. Idle connections are kept for 30 s, and only for
/// the tokio runtime that drives them; with more than four runtimes at a time, requests from further ones
/// have a connection each. An exchange that a refresh token or a code depends on has a new one in any case.
///
/// # Examples
///
/// ```
/// use intelliauth::{Client, Connections};
///
/// let connections = Connections::new();
/// let clients: Vec<Client> = ["banking", "health"]
///     .into_iter()
///     .map(|tenant| {
///         Client::for_application(format!("https://{tenant}-cymmetri.intelliauth.local"), "app_01HZX0SERVICE")
///             .client_secret("from-your-secret-manager")
///             .connections(&connections)
///             .build()
///     })
///     .collect::<Result<_, _>>()?;
/// assert_eq!(clients.len(), 2);
/// # Ok::<(), intelliauth::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<Vec<Arc<Pool>>>>);

impl Connections {
    /// No connection yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The pool for requests to `issuer`; an error if these settings cannot work.
    pub(super) fn pool(
        &self,
        issuer: &Issuer,
        settings: &HttpSettings,
    ) -> Result<Arc<Pool>, Fault> {
        let kind = Kind::new(issuer, settings);
        let mut pools = lock(&self.0);
        if let Some(known) = pools.iter().find(|pool| pool.kind == kind) {
            return Ok(Arc::clone(known));
        }
        kind.check()?;
        let pool = Arc::new(Pool::new(kind));
        pools.push(Arc::clone(&pool));
        Ok(pool)
    }
}

/// The HTTP clients of one kind, made when they are needed.
#[derive(Debug)]
pub(super) struct Pool {
    kind: Kind,
    /// A connection is driven by the runtime that it was made in: if that is stalled, so does
    /// whatever waits for it, wherever that runs.
    homes: Mutex<Vec<Home>>,
    /// Keeps no connection, so that all runtimes may use it.
    unpooled: Mutex<Option<reqwest::Client>>,
}

/// A runtime for which connections are kept.
#[derive(Debug)]
struct Home {
    runtime: Id,
    http: reqwest::Client,
    /// Dropped with this; then the task in that runtime ends.
    _end: oneshot::Sender<Infallible>,
}

impl Pool {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            homes: Mutex::default(),
            unpooled: Mutex::default(),
        }
    }

    /// The client that keeps connections for the runtime of this thread; nothing if there are enough
    /// of them.
    pub(super) fn kept(self: &Arc<Self>) -> Result<Option<reqwest::Client>, Fault> {
        let Ok(runtime) = Handle::try_current() else {
            return Ok(None);
        };
        let mut homes = lock(&self.homes);
        if let Some(home) = homes.iter().find(|home| home.runtime == runtime.id()) {
            return Ok(Some(home.http.clone()));
        }
        if homes.len() >= HOMES_MAX {
            return Ok(None);
        }
        let http = self.kind.client(usize::MAX)?;
        let (end, ended) = oneshot::channel::<Infallible>();
        homes.push(Home {
            runtime: runtime.id(),
            http: http.clone(),
            _end: end,
        });
        drop(homes);
        let witness = Witness {
            pool: Arc::downgrade(self),
            runtime: runtime.id(),
        };
        // A runtime that is shutting down drops it here and now, and that takes the lock.
        runtime.spawn(async move {
            let _witness = witness;
            let _ = ended.await;
        });
        Ok(Some(http))
    }

    /// The client that keeps no connection.
    pub(super) fn unpooled(&self) -> Result<reqwest::Client, Fault> {
        let mut unpooled = lock(&self.unpooled);
        if let Some(http) = &*unpooled {
            return Ok(http.clone());
        }
        let http = self.kind.client(0)?;
        Ok(unpooled.insert(http).clone())
    }
}

/// Sees the end of a runtime: its connections have ended as well.
struct Witness {
    pool: Weak<Pool>,
    runtime: Id,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let Some(pool) = self.pool.upgrade() else {
            return;
        };
        let mut homes = lock(&pool.homes);
        let position = homes.iter().position(|home| home.runtime == self.runtime);
        let gone = position.map(|position| homes.swap_remove(position));
        drop(homes);
        drop(gone);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For so many runtimes connections are kept. A program has one or two; one with a runtime for each core
/// asks for tokens rarely enough for a handshake each.
const HOMES_MAX: usize = 4;
