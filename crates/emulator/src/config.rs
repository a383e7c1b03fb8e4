//! What a tenant starts with.

mod api;
mod application;
mod check;
mod file;
mod reader;
mod switches;
mod user;

use std::fmt;
use std::fs;
use std::path::Path;

pub use self::api::Api;
pub use self::application::{Application, ApplicationKind};
pub(crate) use self::check::{is_oidc_scope, is_scope};
pub use self::switches::{
    AudienceClaim, AudienceParameter, AudienceSource, BasicDecoding, Challenge,
    ClientAuthentication, ConsentMode, ErrorShape, GraceCoverage, MissingAudience, MissingConsent,
    NothingGranted, RefreshScopes, RetryHint, ScopeMode, SilentRefusal, Switches, TenantState,
    TokenFormat, TokenType, UngrantedAudience, UnknownAudience,
};
pub use self::user::User;
use crate::sample;
use crate::secret::Secret;

/// A tenant to start with: its APIs, applications, people and switches.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::{Api, Application, Config};
///
/// let config = Config::new("banking", "cymmetri")
///     .api(Api::new("api.x").scope("read:x", "Read x", "See your x"))
///     .application(
///         Application::service("app_x", "x-secret")
///             .allow_audiences(["api.x"])
///             .allow_scopes(["read:x"]),
///     );
/// config.check().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) tenant: String,
    pub(crate) organisation: String,
    pub(crate) issuer_path: String,
    pub(crate) admin_token: Option<Secret>,
    pub(crate) switches: Switches,
    pub(crate) apis: Vec<Api>,
    pub(crate) applications: Vec<Application>,
    pub(crate) users: Vec<User>,
}

impl Config {
    /// A tenant of an organisation, with nothing in it.
    pub fn new(tenant: impl Into<String>, organisation: impl Into<String>) -> Self {
        Self {
            tenant: tenant.into(),
            organisation: organisation.into(),
            issuer_path: String::new(),
            admin_token: None,
            switches: Switches::default(),
            apis: Vec::new(),
            applications: Vec::new(),
            users: Vec::new(),
        }
    }

    /// The sample tenant, the same as the file [`sample::TOML`].
    ///
    /// Every name and every secret in it is a constant of [`sample`].
    pub fn sample() -> Self {
        sample::config()
    }

    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the line, the column and the fix.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config = file::read(text)?;
        Ok(config)
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file, the line, the column and the fix.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let reason = format!("cannot be read: {error}; give a TOML file in UTF-8");
            ConfigError::new(reason, None).in_file(&file)
        })?;
        Self::from_toml(&text).map_err(|error| error.in_file(&file))
    }

    /// Adds an API.
    #[must_use]
    pub fn api(mut self, api: Api) -> Self {
        self.apis.push(api);
        self
    }

    /// Adds an application.
    #[must_use]
    pub fn application(mut self, application: Application) -> Self {
        self.applications.push(application);
        self
    }

    /// Adds a person.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Changes switches.
    #[must_use]
    pub fn switches(mut self, change: impl FnOnce(&mut Switches)) -> Self {
        change(&mut self.switches);
        self
    }

    /// The bearer token of the admin API. Default: a random one, see
    /// [`Emulator::admin_token`](crate::Emulator::admin_token).
    #[must_use]
    pub fn admin_token(mut self, token: impl Into<String>) -> Self {
        self.admin_token = Some(Secret::new(token));
        self
    }

    /// A path within the issuer, such as `/tenants/a`. Default: none.
    #[must_use]
    pub fn issuer_path(mut self, path: impl Into<String>) -> Self {
        self.issuer_path = path.into();
        self
    }

    /// Checks every name and every reference; [`Emulator::start`](crate::Emulator::start) does it too.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the field and the fix.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_parts()
            .map_err(|(field, error)| ConfigError::new(format!("{field}: {}", error.message), None))
    }

    /// As [`Self::check`], with the field apart from the sentence about it.
    pub(crate) fn check_parts(&self) -> Result<(), (String, ConfigError)> {
        check::check(self).map_err(|problem| {
            (
                problem.field().to_owned(),
                ConfigError::new(problem.message, None),
            )
        })
    }

    /// The tenant's slug: `<tenant>-<organisation>`, as in its address on the platform.
    pub fn slug(&self) -> String {
        format!("{}-{}", self.tenant, self.organisation)
    }

    /// The applications, in order of registration.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.iter()
    }

    /// Whether the admin token is set, and so known to whoever wrote it.
    pub fn has_admin_token(&self) -> bool {
        self.admin_token.is_some()
    }

    /// Whether a secret or password is one of the sample tenant's, which are public.
    pub fn has_sample_secrets(&self) -> bool {
        let secrets = self
            .applications
            .iter()
            .filter_map(|known| known.secret.as_ref());
        let passwords = self.users.iter().map(|user| &user.password);
        secrets
            .chain(passwords)
            .any(|secret| sample::SECRETS.iter().any(|known| secret.matches(known)))
    }

    /// The people, in order of registration.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.iter()
    }

    /// The APIs, in order of registration.
    pub fn apis(&self) -> impl Iterator<Item = &Api> {
        self.apis.iter()
    }
}

/// A configuration that cannot be served: what is wrong, where, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<String>,
    position: Option<Position>,
    message: String,
}

/// A place in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>, position: Option<Position>) -> Self {
        Self {
            file: None,
            position,
            message: message.into(),
        }
    }

    fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// The line, counted from 1, if the configuration came from a file.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|position| position.line)
    }

    /// The column, counted in characters from 1, if the configuration came from a file.
    pub fn column(&self) -> Option<usize> {
        self.position.map(|position| position.column)
    }

    /// What is wrong and how to fix it, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.position) {
            (Some(file), Some(at)) => write!(f, "{file}:{}:{}: ", at.line, at.column)?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(at)) => write!(f, "line {}, column {}: ", at.line, at.column)?,
            (None, None) => {}
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
