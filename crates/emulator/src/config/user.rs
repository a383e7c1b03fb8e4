//! A person who can sign in.

use crate::secret::Secret;

/// A person of the tenant. Part of the seed; nobody signs in yet.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: Secret,
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
            enabled: true,
        }
    }

    /// What others call this person. Default: the id.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Registers the person suspended.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }
}
