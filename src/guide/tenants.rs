//! A client for each of many tenants: what it costs, and what they can share.
//!
//! A tenant is an issuer of its own, so a program that serves many has a client for each. They share
//! nothing by themselves, and tokens never: what one client was given, no other hands out.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use intelliauth::{BuildError, Client, Connections};
//!
//! struct Tenants {
//!     connections: Connections,
//!     clients: HashMap<String, Client>,
//! }
//!
//! impl Tenants {
//!     fn client(&mut self, tenant: &str, secret: &str) -> Result<&Client, BuildError> {
//!         if !self.clients.contains_key(tenant) {
//!             let issuer = format!("https://{tenant}.intelliauth.local");
//!             let client = Client::for_application(issuer, "app_01HZX0SERVICE")
//!                 .client_secret(secret)
//!                 .connections(&self.connections)
//!                 .build()?;
//!             self.clients.insert(tenant.to_owned(), client);
//!         }
//!         Ok(&self.clients[tenant])
//!     }
//! }
//!
//! let mut tenants = Tenants { connections: Connections::new(), clients: HashMap::new() };
//! tenants.client("banking-cymmetri", "from-your-secret-manager")?;
//! # Ok::<(), BuildError>(())
//! ```
//!
//! # What a client costs
//!
//! On Linux, with the usual list of certificates, and without the tokens themselves:
//!
//! | | memory | time |
//! |---|---|---|
//! | [`build`](crate::ClientBuilder::build) | 40 KB | microseconds |
//! | more than fifteen audiences (with a small [`cache_capacity`](crate::ClientBuilder::cache_capacity): from the first on) | 35 KB | microseconds |
//! | the first request: TLS is set up | 110 KB | some milliseconds |
//! | the same, where the clients share [`Connections`](crate::Connections): once for all of them | 110 KB | some milliseconds |
//! | and then for each of them | 4 KB | |
//!
//! So five hundred tenants take about 22 MB with shared connections, and about 76 MB without. A
//! client that finds all of its tokens in a store of sessions makes no request, and sets up no TLS at all.
//!
//! # What is shared, and what is not
//!
//! Clients with equal time limits, proxy and certificates share one set-up of TLS, and its memory of servers; others that
//! were given the same [`Connections`](crate::Connections) do not notice each other. Each request has a connection of its
//! own, so a tenant whose issuer is slow holds up no other. An API with a `Verifier` for each tenant passes the same value to
//! `VerifierBuilder::connections`.
