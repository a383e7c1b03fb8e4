//! How an emulator is started.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use super::Emulator;
use crate::config::{Config, ConfigError};
use crate::host::Hosts;
use crate::keys::SigningKey;
use crate::pipeline::Pipeline;
use crate::secret::Secret;
use crate::server::Server;
use crate::tenant::Tenant;
use crate::{random, sample};

/// Settings of one emulator that are not the tenant's.
#[derive(Clone, Debug)]
pub struct Builder {
    config: Config,
    host: IpAddr,
    port: u16,
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration breaks a rule.
    #[error("the configuration is wrong")]
    Config(#[from] ConfigError),
    /// The network reaches it, and its admin token is the sample's, which is public.
    #[error(
        "{address} can be reached from other machines, and the admin token is the sample's, which \
         is public: set another one, or none to get a random one"
    )]
    #[non_exhaustive]
    PublicAdminToken {
        /// The address that was asked for.
        address: IpAddr,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on {address}; choose another port, or 0 for a free one")]
    #[non_exhaustive]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The server's thread or its runtime cannot be made.
    #[error("the server cannot run")]
    Server(#[from] io::Error),
    /// A key or a random value cannot be made.
    #[error("the cryptographic library failed")]
    Crypto,
}

impl Emulator {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the configuration is wrong, no port is free or no key can be made.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::builder(config).start().await
    }

    /// Starts with a port or an address of your choice.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }
}

impl Builder {
    fn new(config: Config) -> Self {
        Self {
            config,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
        }
    }

    /// The port. Default: 0, any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen on, and the host of the issuer. Default: 127.0.0.1.
    ///
    /// On a loopback address a request that names another `Host` than this machine is answered 421: a web
    /// page cannot reach the emulator by having its own name resolved to 127.0.0.1. On any other
    /// address the admin token must not be the sample's. Listening on all addresses (0.0.0.0 or ::)
    /// leaves the issuer at 127.0.0.1.
    #[must_use]
    pub fn host(mut self, host: IpAddr) -> Self {
        self.host = host;
        self
    }

    /// Checks the configuration, listens, makes a key, and serves.
    ///
    /// Needs no runtime of its own kind: any executor may await it.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is wrong and how to fix it.
    pub async fn start(self) -> Result<Emulator, StartError> {
        self.config.check()?;
        let hosts = self.hosts()?;
        let (listener, address) = self.listen()?;
        let issuer = issuer(address, &self.config.issuer_path);
        let admin_token = match self.config.admin_token.clone() {
            Some(token) => token,
            None => {
                Secret::new(random::token().map_err(|random::NoRandomness| StartError::Crypto)?)
            }
        };
        let config = self.config;
        let prepare = move || {
            let key = SigningKey::generate().map_err(|_failure| StartError::Crypto)?;
            let tenant = Arc::new(Tenant::new(config, issuer, admin_token, key));
            Ok::<_, StartError>((Pipeline::new(Arc::clone(&tenant), hosts), tenant))
        };
        let (server, is_ready) = Server::spawn(listener, prepare)?;
        let tenant = is_ready.await.map_err(|_closed| {
            StartError::Server(io::Error::other("the server's thread ended early"))
        })??;
        Ok(Emulator {
            tenant,
            server,
            address,
        })
    }

    fn hosts(&self) -> Result<Hosts, StartError> {
        let (address, hosts) = (self.host, Hosts::of_listening_at(self.host));
        let token = self.config.admin_token.as_ref();
        let is_public = token.is_some_and(|token| token.matches(sample::ADMIN_TOKEN));
        if hosts == Hosts::Any && is_public {
            return Err(StartError::PublicAdminToken { address });
        }
        Ok(hosts)
    }

    fn listen(&self) -> Result<(TcpListener, SocketAddr), StartError> {
        let address = SocketAddr::new(self.host, self.port);
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        listen().map_err(|source| StartError::Bind { address, source })
    }
}

fn issuer(address: SocketAddr, path: &str) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let authority = SocketAddr::new(host, address.port());
    format!("http://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_is_where_clients_reach_it() {
        let at = |text: &str, path: &str| issuer(text.parse().unwrap(), path);
        assert_eq!(at("127.0.0.1:80", ""), "http://127.0.0.1:80");
        assert_eq!(
            at("0.0.0.0:80", "/tenants/a"),
            "http://127.0.0.1:80/tenants/a"
        );
        assert_eq!(at("[::1]:80", ""), "http://[::1]:80");
    }
}
