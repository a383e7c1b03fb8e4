//! The IntelliAuth platform on your machine: an issuer for tests and development.
//!
//! An [`Emulator`] serves one tenant over HTTP, in-process or as the command
//! `intelliauth-emulator`. Its tokens are really signed, its time is its own, it counts requests,
//! audits every change, and goes wrong when told to. It knows nothing of any client: what it
//! answers follows the platform's documentation, or a switch where that is silent.
//!
//! # A test
//!
//! ```
//! use std::time::Duration;
//! use intelliauth_emulator::{Config, Emulator, Endpoint, Fault, sample};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start(Config::sample()).await?;
//!
//! // Point the client under test at `emulator.issuer()`, as `sample::SERVICE`. Then:
//! emulator.fault(Fault::status(503).at(Endpoint::Token).times(1));
//! emulator.advance(Duration::from_secs(3600));
//! let secret = emulator.rotate_secret(sample::SERVICE)?;
//! # assert_ne!(secret, sample::SERVICE_SECRET);
//!
//! assert_eq!(emulator.token_requests(), 0);
//! assert_eq!(emulator.audit().len(), 1);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```
//!
//! # A tenant
//!
//! [`Config::sample`] is a small bank with two neighbours; its names and secrets are the constants
//! of [`sample`]. [`Config::from_file`] reads a TOML file, and a wrong one names the line and the
//! fix. In code:
//!
//! ```
//! use intelliauth_emulator::{Api, Application, Config, ScopeMode};
//!
//! let config = Config::new("banking", "cymmetri")
//!     .api(Api::new("api.x").scope("read:x", "Read x", "See your x"))
//!     .application(
//!         Application::service("app_x", "x-secret")
//!             .allow_audiences(["api.x"])
//!             .allow_scopes(["read:x"]),
//!     )
//!     .switches(|switches| switches.scope_mode = ScopeMode::Permissive);
//! config.check().unwrap();
//! ```
//!
//! # A person
//!
//! A person signs in, allows or denies, and the application gets its tokens. The pages are for
//! browsers; a test needs none: [`Emulator::login_as`] drives them over HTTP.
//!
//! ```
//! # use intelliauth_emulator::{Config, Emulator, sample};
//! # async fn example(url: &str, token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start(Config::sample()).await?;
//!
//! let callback = emulator.login_as(sample::ALICE).approve(url).await?;
//! let may_refresh = emulator.refresh_token_state(token).is_accepted();
//! let deaths: Vec<_> = emulator.families().iter().filter_map(|family| family.death).collect();
//! # Ok(())
//! # }
//! ```
//!
//! # What the platform leaves open
//!
//! Each field of [`Switches`] says what is documented, what is a guess, and what the default is.
//! Together with a [`Fault`] they play the answers that real servers give.
//!
//! # What it does not do
//!
//! No token exchange and no response type but `code`. It has no TLS and keeps nothing on disk.

mod admin;
mod audit;
mod clock;
mod config;
mod emulator;
mod endpoint;
mod exchange;
mod fault;
mod form;
mod host;
mod interaction;
mod keys;
mod login;
mod page;
mod person;
mod pipeline;
mod policy;
mod random;
mod redact;
mod refusal;
mod reply;
mod requests;
mod routes;
pub mod sample;
mod secret;
mod server;
mod tenant;

pub use self::audit::{AuditContext, AuditEntry, AuditParty, Outcome};
pub use self::config::{
    Api, Application, ApplicationKind, AudienceClaim, AudienceParameter, AudienceSource,
    BasicDecoding, Challenge, ClientAuthentication, Config, ConfigError, ConsentMode, ErrorShape,
    GraceCoverage, MissingAudience, MissingConsent, NothingGranted, RefreshScopes, RetryHint,
    ScopeMode, SilentRefusal, Switches, TenantState, TokenFormat, TokenType, UngrantedAudience,
    UnknownAudience, User,
};
pub use self::emulator::{Builder, Emulator, StartError};
pub use self::fault::{Fault, ReplyBody, RetryAfter};
pub use self::login::{PageError, Person};
pub use self::person::{
    ConsentRecord, ConsentedScope, FamilyDeath, FamilyRecord, RefreshTokenRecord,
    RefreshTokenState, SessionRecord,
};
pub use self::requests::RequestRecord;
pub use self::routes::Endpoint;
pub use self::tenant::ChangeError;

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
