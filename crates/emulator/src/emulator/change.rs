//! Changes of the tenant at run time, by the handle.

use std::time::Duration;

use super::Emulator;
use crate::config::{Application, Switches};
use crate::tenant::{By, ChangeError, Lifetime, Update};

/// What changes. Every change is audited.
impl Emulator {
    /// Changes the tenant's switches.
    pub fn switches(&self, change: impl FnOnce(&mut Switches)) {
        self.tenant.change_switches(change, &By::handle());
    }

    /// Signs with a new key from now on; the old one stays published. Returns the new key's id.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Crypto`] if no key can be made.
    pub fn rotate_keys(&self) -> Result<String, ChangeError> {
        self.tenant.rotate_keys(true, &By::handle())
    }

    /// Signs with a new key from now on; the old ones are gone. Returns the new key's id.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Crypto`] if no key can be made.
    pub fn replace_keys(&self) -> Result<String, ChangeError> {
        self.tenant.rotate_keys(false, &By::handle())
    }

    /// Gives an application a new secret and returns it.
    ///
    /// The old one stays valid for [`Switches::secret_overlap`], 72 hours by default.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if there is no such application, or it has no secret.
    pub fn rotate_secret(&self, application: &str) -> Result<String, ChangeError> {
        let (secret, _until) = self.tenant.rotate_secret(application, &By::handle())?;
        Ok(secret)
    }

    /// Registers an application.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if its id is taken, or a scope or an audience is unknown.
    pub fn register(&self, application: Application) -> Result<(), ChangeError> {
        self.tenant.register(application, &By::handle()).map(drop)
    }

    /// Enables or disables an application.
    ///
    /// # Errors
    ///
    /// [`ChangeError::UnknownApplication`]
    pub fn set_enabled(&self, application: &str, enabled: bool) -> Result<(), ChangeError> {
        self.update(
            application,
            Update {
                enabled: Some(enabled),
                ..Update::default()
            },
        )
    }

    /// Replaces the list of scopes that an application may get.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if there is no such application, or no API has one of the scopes.
    pub fn set_allowed_scopes<S: Into<String>>(
        &self,
        application: &str,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<(), ChangeError> {
        let scopes = Some(scopes.into_iter().map(Into::into).collect());
        self.update(
            application,
            Update {
                allowed_scopes: scopes,
                ..Update::default()
            },
        )
    }

    /// Replaces the list of APIs that an application may call.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if there is no such application, or no API has one of the audiences.
    pub fn set_allowed_audiences<S: Into<String>>(
        &self,
        application: &str,
        audiences: impl IntoIterator<Item = S>,
    ) -> Result<(), ChangeError> {
        let audiences = Some(audiences.into_iter().map(Into::into).collect());
        self.update(
            application,
            Update {
                allowed_audiences: audiences,
                ..Update::default()
            },
        )
    }

    /// Sets the lifetime of an application's tokens; `None` is the tenant's `access_ttl`.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if there is no such application, or the lifetime is under one second.
    pub fn set_token_lifetime(
        &self,
        application: &str,
        lifetime: Option<Duration>,
    ) -> Result<(), ChangeError> {
        let lifetime = lifetime.map_or(Lifetime::OfTenant, Lifetime::Own);
        self.update(
            application,
            Update {
                token_lifetime: Some(lifetime),
                ..Update::default()
            },
        )
    }

    /// Revokes every live token of an application. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`ChangeError::UnknownApplication`]
    pub fn revoke_tokens(&self, application: &str) -> Result<usize, ChangeError> {
        self.tenant.revoke_tokens(application, &By::handle())
    }

    fn update(&self, application: &str, update: Update) -> Result<(), ChangeError> {
        self.tenant
            .update(application, update, &By::handle())
            .map(drop)
    }
}
