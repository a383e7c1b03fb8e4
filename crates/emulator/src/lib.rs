//! The IntelliAuth platform on your machine.

mod admin;
mod audit;
mod clock;
mod config;
mod emulator;
mod endpoint;
mod fault;
mod keys;
mod pipeline;
mod policy;
mod random;
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
    BasicDecoding, Challenge, ClientAuthentication, Config, ConfigError, ErrorShape,
    MissingAudience, NothingGranted, RetryHint, ScopeMode, Switches, TenantState, TokenFormat,
    TokenType, UnknownAudience, User,
};
pub use self::emulator::{Builder, Emulator, StartError};
pub use self::fault::{Fault, ReplyBody, RetryAfter};
pub use self::requests::RequestRecord;
pub use self::routes::Endpoint;
pub use self::tenant::ChangeError;
