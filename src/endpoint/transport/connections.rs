//! [`Connections`]: HTTP clients, made at the first request, that keep no connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::{Fault, HttpSettings, Kind};
use crate::endpoint::issuer::Issuer;

/// How connections are made, for several clients.
///
/// A client has its own by default. A program with a client for each of many tenants passes the same
/// value to all of them ([`ClientBuilder::connections`](crate::ClientBuilder::connections)): those with
/// the same HTTP settings (time limits, proxy, certificates) then have one set-up of TLS in common, and
/// its memory of servers, with which a handshake is shorter (RFC 8446 section 2.2). Nothing else is
/// shared, no token above all. Clones are the same value.
///
/// The set-up of TLS happens at the first request. Each request has a connection of its own: what a
/// server, or a proxy, sends too much of never answers the next request, a connection that has ended
/// silently loses no token, and no runtime waits for another one.
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
pub struct Connections(Arc<Mutex<Vec<Arc<Connector>>>>);

impl Connections {
    /// Nothing is set up yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What makes the connections to `issuer`; an error if these settings cannot work.
    pub(super) fn connector(
        &self,
        issuer: &Issuer,
        settings: &HttpSettings,
    ) -> Result<Arc<Connector>, Fault> {
        let kind = Kind::new(issuer, settings);
        let mut connectors = lock(&self.0);
        if let Some(known) = connectors.iter().find(|known| known.kind == kind) {
            return Ok(Arc::clone(known));
        }
        let connector = Arc::new(Connector::new(kind)?);
        connectors.push(Arc::clone(&connector));
        Ok(connector)
    }
}

/// The HTTP client of one kind, made when it is needed.
#[derive(Debug)]
pub(super) struct Connector {
    kind: Kind,
    http: Mutex<Option<reqwest::Client>>,
}

impl Connector {
    pub(super) fn new(kind: Kind) -> Result<Self, Fault> {
        kind.check()?;
        let http = Mutex::default();
        Ok(Self { kind, http })
    }

    /// The client, which keeps no connection, so that all runtimes may use it.
    pub(super) fn client(&self) -> Result<reqwest::Client, Fault> {
        let mut http = lock(&self.http);
        if let Some(http) = &*http {
            return Ok(http.clone());
        }
        let made = self.kind.client()?;
        Ok(http.insert(made).clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::endpoint::transport::Proxy;

    #[test]
    fn equal_settings_share_one_set_up_and_others_none() {
        let settings = |seconds| HttpSettings {
            connect_timeout: Duration::from_secs(seconds),
            request_timeout: Duration::from_secs(1),
            proxy: Proxy::None,
            root_certificates: Vec::new(),
        };
        let connections = Connections::new();
        let connector = |issuer: &str, seconds| {
            let issuer = Issuer::new(issuer).unwrap();
            connections.connector(&issuer, &settings(seconds)).unwrap()
        };
        let one = connector("https://a.example", 1);
        assert!(Arc::ptr_eq(&one, &connector("https://b.example", 1)));
        assert!(!Arc::ptr_eq(&one, &connector("https://a.example", 2)));
    }
}
