//! A person who can sign in.

use std::collections::BTreeSet;

use crate::secret::Secret;

/// A person of the tenant, who signs in with an address and a password.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::User;
///
/// let bob = User::new("usr_bob", "bob@example.com", "sample-password")
///     .name("Bob Sample")
///     .second_factor("123456")
///     .entitle(["read:accounts"]);
/// assert!(!format!("{bob:?}").contains("sample-password"));
/// ```
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: Secret,
    pub(crate) second_factor: Option<Secret>,
    pub(crate) entitlements: Option<BTreeSet<String>>,
    pub(crate) enabled: bool,
}

impl User {
    /// A person with a stable id (`usr_...`), an address and a password.
    pub fn new(
        id: impl Into<String>,
        email: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            email: email.into(),
            password: Secret::new(password),
            second_factor: None,
            entitlements: None,
            enabled: true,
        }
    }

    /// What others call this person. Default: the id.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The code of a second factor, which never changes: real ones change every 30 seconds.
    ///
    /// Without it this person cannot reach more than `AAL1`.
    #[must_use]
    pub fn second_factor(mut self, code: impl Into<String>) -> Self {
        self.second_factor = Some(Secret::new(code));
        self
    }

    /// Limits what this person may have to these scopes of APIs, even if an application may ask for more.
    ///
    /// Default: everything. Stands in for the platform's roles, which become scopes at issue time.
    #[must_use]
    pub fn entitle<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.entitlements.get_or_insert_default().extend(scopes);
        self
    }

    /// Registers the person suspended.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The id: the claim `sub`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address.
    pub fn email(&self) -> &str {
        &self.email
    }

    pub(crate) fn is_entitled_to(&self, scope: &str) -> bool {
        let entitlements = self.entitlements.as_ref();
        entitlements.is_none_or(|entitlements| entitlements.contains(scope))
    }
}
