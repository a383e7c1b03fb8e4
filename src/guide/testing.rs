//! Your own tests, with a clock that you move and an issuer that misbehaves.
//!
//! The emulator (`intelliauth-emulator`) is the platform on a free port of your machine. It starts in
//! milliseconds, any number of them run side by side, and it stops when it is dropped. A
//! [`ManualClock`](crate::ManualClock) moves the client's time, `advance` the emulator's.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use intelliauth::{Client, ManualClock};
//! use intelliauth_emulator::{Config, Emulator, Endpoint, Fault};
//!
//! let emulator = Emulator::start(Config::sample()).await?;
//! let clock = ManualClock::at(emulator.now());
//! let client = Client::for_application(emulator.issuer(), "app_01HZX0SERVICE")
//!     .client_secret("sample-service-secret")
//!     .clock(clock.clone())
//!     .retries(0)
//!     .build()?;
//!
//! // An outage in the last part of the token's life: no caller notices.
//! let token = client.get_access_token("api.banking.cymmetri.com").await?;
//! emulator.fault(Fault::status(503).at(Endpoint::Token).times(1));
//! clock.advance(token.lifetime().mul_f64(0.95));
//! let same = client.get_access_token("api.banking.cymmetri.com").await?;
//! assert_eq!(same.secret(), token.secret());
//!
//! // The refresh behind it has failed, and the next one brings a new token.
//! client.close().await?;
//! clock.advance(Duration::from_secs(60));
//! client.get_access_token("api.banking.cymmetri.com").await?;
//! client.close().await?;
//! assert_eq!(emulator.token_requests(), 3);
//! # Ok(()) }
//! ```
//!
//! Two things to know. A paused tokio clock and real sockets do not go together: the timeouts fire at
//! once. And a test of a cache should count requests: one that only looks at the token would pass
//! without a cache.
//!
//! # Your own code alone
//!
//! Code that takes any [`TokenSource`](crate::TokenSource) needs neither an issuer nor a network in its unit
//! tests. The feature `test-util` has a fake of it that answers with what the test has prepared, and makes
//! every [`Error`](crate::Error), so that "the handler shows the consent page" is a test of five lines:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use intelliauth::{Error, TokenSource, test_util::{FakeSource, errors}};
//!
//! async fn page(tokens: &impl TokenSource) -> &'static str {
//!     match tokens.get("api.banking.cymmetri.com".into()).await {
//!         Ok(_) => "the balance",
//!         Err(Error::Consent(_)) => "the consent page",
//!         Err(_) => "try again later",
//!     }
//! }
//!
//! let tokens = FakeSource::new();
//! let missing = errors::consent_required("api.banking.cymmetri.com", "read:transactions");
//! tokens.fails("api.banking.cymmetri.com", missing);
//! assert_eq!(page(&tokens).await, "the consent page");
//! # }
//! ```
//!
//! A store of sessions of your own is held against all that the client relies on by
//! `intelliauth::test_util::assert_store`, with the feature `test-util`: see [stores](super::stores).
//!
//! A test of the client itself that needs no issuer passes a [`Flow`](crate::Flow) of its own to
//! [`Client::builder`](crate::Client::builder).
