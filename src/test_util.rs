//! For tests of programs that use this crate: a fake source of tokens, every error, and a suite for stores.
//!
//! Behind the feature `test-util`, which belongs into `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! intelliauth = { version = "0.1", features = ["test-util"] }
//! ```
//!
//! Code that takes a [`TokenSource`](crate::TokenSource) instead of a client can be tested without an
//! issuer, a network or a runtime with timers:
//!
//! - [`FakeSource`] answers with what the test has prepared, and keeps what it was asked for.
//! - [`FakeToken`] makes an [`AccessToken`](crate::AccessToken).
//! - [`errors`] makes each variant of [`Error`](crate::Error).
//!
//! A store of your own is held against everything that the client relies on by [`assert_store`], which
//! panics with what it found, or by [`check_store`], which returns that.
//!
//! # Examples
//!
//! A handler of yours shows a page where consent is missing, and its unit test:
//!
//! ```
//! use intelliauth::{Error, TokenRequest, TokenSource};
//!
//! #[derive(Debug, PartialEq)]
//! enum Page {
//!     Balance,
//!     AskForConsent { to: String },
//!     TryAgainLater,
//! }
//!
//! async fn balance(tokens: &impl TokenSource) -> Page {
//!     let request = TokenRequest::new("api.banking.example").scope("read:accounts");
//!     match tokens.get(request).await {
//!         Ok(_token) => Page::Balance, // calls the API
//!         Err(Error::Consent(consent)) => Page::AskForConsent { to: consent.missing().to_string() },
//!         Err(_) => Page::TryAgainLater,
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use intelliauth::test_util::{FakeSource, errors};
//!
//! let tokens = FakeSource::new();
//! let request = TokenRequest::new("api.banking.example").scope("read:accounts");
//! tokens.fails("api.banking.example", errors::consent_required(&request, "read:accounts"));
//!
//! assert_eq!(balance(&tokens).await, Page::AskForConsent { to: "read:accounts".to_owned() });
//! assert_eq!(balance(&tokens).await, Page::Balance, "the person has consented meanwhile");
//! assert_eq!(tokens.requests(), [request.clone(), request]);
//! # }
//! ```

pub mod errors;
mod store;
mod tokens;

pub use store::{BrokenRule, BrokenStore, StoreRule, assert_store, check_store};
pub use tokens::{FakeSource, FakeToken};
