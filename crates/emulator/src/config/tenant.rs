//! [`Config`]: everything that a tenant starts with.

use super::{Api, Application, Switches, User};
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

    /// The tenant's slug: `<tenant>-<organisation>`, as in its address on the platform.
    pub fn slug(&self) -> String {
        format!("{}-{}", self.tenant, self.organisation)
    }

    /// The applications, in order of registration.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.iter()
    }

    /// Whether the admin token is set by the configuration, and not made up at the start.
    pub fn has_admin_token(&self) -> bool {
        self.admin_token.is_some()
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
