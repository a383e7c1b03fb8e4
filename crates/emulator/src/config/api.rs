//! An API behind the platform.

/// An API: its audience and the scopes that protect it.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::Api;
///
/// let api = Api::new("api.banking.example")
///     .name("Banking")
///     .scope("read:accounts", "Read accounts", "See your accounts and their balances");
/// # let _ = api;
/// ```
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) audience: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<ApiScope>,
}

/// One scope of an API, as people read it on a consent page.
#[derive(Clone, Debug)]
pub(crate) struct ApiScope {
    pub(crate) scope: String,
    pub(crate) name: String,
    pub(crate) description: String,
}

impl Api {
    /// An API known by its audience: an opaque, case-sensitive string that need not resolve.
    pub fn new(audience: impl Into<String>) -> Self {
        let audience = audience.into();
        Self {
            name: audience.clone(),
            audience,
            scopes: Vec::new(),
        }
    }

    /// What people call it. Default: the audience.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A scope with the name and the description that a consent page shows; both are required.
    #[must_use]
    pub fn scope(
        mut self,
        scope: impl Into<String>,
        name: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.scopes.push(ApiScope {
            scope: scope.into(),
            name: name.into(),
            description: description.into(),
        });
        self
    }

    /// The string that a token for this API carries as `aud`.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known.scope == scope)
    }
}
