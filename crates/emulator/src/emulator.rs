//! The handle of a running emulator.

mod builder;
mod change;
mod people;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::builder::{Builder, StartError};
use crate::audit::AuditEntry;
use crate::fault::Fault;
use crate::requests::RequestRecord;
use crate::routes::Endpoint;
use crate::server::Server;
use crate::tenant::Tenant;

/// A running emulator of one tenant. Dropping it stops it.
///
/// It serves from a thread of its own, so it does not block the caller's runtime and can be dropped
/// anywhere. Any number of them run side by side: they share nothing, each has its own keys.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::{Config, Emulator};
///
/// # async fn example() -> Result<(), intelliauth_emulator::StartError> {
/// let emulator = Emulator::start(Config::sample()).await?;
/// assert_eq!(emulator.url("/oauth2/token"), format!("{}/oauth2/token", emulator.issuer()));
/// assert_eq!(emulator.token_requests(), 0);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
/// ```
pub struct Emulator {
    tenant: Arc<Tenant>,
    server: Server,
    address: SocketAddr,
}

impl Emulator {
    /// The issuer, `http://127.0.0.1:<port>` and the path if there is one; no slash at the end.
    pub fn issuer(&self) -> &str {
        &self.tenant.issuer
    }

    /// The address of a path below the issuer.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.tenant.issuer)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bearer token of the admin API.
    pub fn admin_token(&self) -> &str {
        self.tenant.admin_token.expose()
    }

    /// The emulator's time: the machine's, plus all that it was advanced by.
    pub fn now(&self) -> SystemTime {
        self.tenant.now()
    }

    /// Moves the emulator's time ahead: tokens and rotated secrets expire, the limit's window passes.
    pub fn advance(&self, by: Duration) {
        self.tenant.clock.advance(by);
    }

    /// Everything as it was at the start, except for the keys and the address.
    pub fn reset(&self) {
        self.tenant.reset();
    }

    /// Waits for ever, or until the server's thread ends by itself.
    pub async fn wait(&mut self) {
        self.server.wait().await;
    }

    /// Stops it, as dropping does, without blocking the caller's runtime meanwhile.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// What happened.
impl Emulator {
    /// The requests that arrived since the start or the last [`clear_requests`](Self::clear_requests).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.tenant.requests.records()
    }

    /// How many requests arrived at a path below the issuer, with or without a slash at its end.
    pub fn count(&self, path: &str) -> usize {
        let counts = |record: &RequestRecord| without_slash(&record.path) == without_slash(path);
        self.tenant.requests.count(counts)
    }

    /// How many requests arrived at the token endpoint, those that a fault spoilt included.
    pub fn token_requests(&self) -> usize {
        self.tenant
            .requests
            .count(|record| record.endpoint == Some(Endpoint::Token))
    }

    /// How many requests named this audience at the token endpoint.
    pub fn token_requests_for(&self, audience: &str) -> usize {
        self.tenant.requests.count(|record| {
            record.endpoint == Some(Endpoint::Token) && record.audience.as_deref() == Some(audience)
        })
    }

    /// How many tokens were minted, those that never reached their client included.
    pub fn tokens_issued(&self) -> usize {
        self.tenant.tokens_issued()
    }

    /// Forgets the requests and the counts.
    pub fn clear_requests(&self) {
        self.tenant.clear_requests();
    }

    /// The audit log, oldest first.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.tenant.audit.entries()
    }
}

/// What goes wrong.
impl Emulator {
    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.tenant.faults.add(fault);
    }

    /// The faults that are still in force, with the times that are left.
    pub fn faults(&self) -> Vec<Fault> {
        self.tenant.faults.all()
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.tenant.faults.clear();
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = BTreeMap::from([
            ("token_requests", self.token_requests()),
            ("tokens_issued", self.tokens_issued()),
        ]);
        f.debug_struct("Emulator")
            .field("issuer", &self.tenant.issuer)
            .field("counts", &counts)
            .finish_non_exhaustive()
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
