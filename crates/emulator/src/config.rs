//! What a tenant starts with.

mod api;
mod application;
mod check;
mod error;
mod file;
mod reader;
mod scope;
mod switches;
mod tenant;
mod user;

pub use self::api::Api;
pub use self::application::{Application, ApplicationKind};
pub use self::error::ConfigError;
pub(crate) use self::scope::{is_oidc_scope, is_scope};
pub use self::switches::{
    AudienceClaim, AudienceParameter, AudienceSource, BasicDecoding, Challenge,
    ClientAuthentication, ConsentMode, ErrorShape, GraceCoverage, MissingAudience, MissingConsent,
    NothingGranted, RefreshScopes, RetryHint, ScopeMode, SilentRefusal, Switches, TenantState,
    TokenFormat, TokenType, UngrantedAudience, UnknownAudience,
};
pub use self::tenant::Config;
pub use self::user::User;
