//! An application: what OAuth calls a client.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// An application registered with the tenant.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use intelliauth_emulator::Application;
///
/// let application = Application::service("app_jobs", "jobs-secret")
///     .allow_scopes(["read:accounts"])
///     .allow_audiences(["api.banking.example"])
///     .token_lifetime(Duration::from_secs(300));
/// assert_eq!(application.id(), "app_jobs");
/// assert!(!format!("{application:?}").contains("jobs-secret"));
/// ```
#[derive(Clone, Debug)]
pub struct Application {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: ApplicationKind,
    pub(crate) secret: Option<Secret>,
    pub(crate) allowed_scopes: BTreeSet<String>,
    pub(crate) allowed_audiences: BTreeSet<String>,
    pub(crate) audience: Option<String>,
    pub(crate) token_lifetime: Option<Duration>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) logout_uris: Vec<String>,
    pub(crate) enabled: bool,
}

/// The type of an application: the one setting that is hard to change later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApplicationKind {
    /// Acts for itself with a secret (M2M): client credentials.
    Service,
    /// A web application with a back end that keeps a secret.
    Web,
    /// On a person's device, without a secret.
    Native,
    /// In a browser, without a secret.
    Browser,
}

impl Application {
    /// An application that acts for itself, with client credentials.
    pub fn service(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, ApplicationKind::Service, Some(Secret::new(secret)))
    }

    /// A web application with a back end.
    pub fn web(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::new(id, ApplicationKind::Web, Some(Secret::new(secret)))
    }

    /// An application on a person's device.
    pub fn native(id: impl Into<String>) -> Self {
        Self::new(id, ApplicationKind::Native, None)
    }

    /// An application in a browser.
    pub fn browser(id: impl Into<String>) -> Self {
        Self::new(id, ApplicationKind::Browser, None)
    }

    pub(crate) fn new(
        id: impl Into<String>,
        kind: ApplicationKind,
        secret: Option<Secret>,
    ) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            kind,
            secret,
            allowed_scopes: BTreeSet::new(),
            allowed_audiences: BTreeSet::new(),
            audience: None,
            token_lifetime: None,
            redirect_uris: Vec::new(),
            logout_uris: Vec::new(),
            enabled: true,
        }
    }

    /// What people call it. Default: the id.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds to the list of scopes that the application may ever get: a hard cap.
    #[must_use]
    pub fn allow_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.allowed_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds to the list of APIs that the application may call.
    #[must_use]
    pub fn allow_audiences<S: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allowed_audiences
            .extend(audiences.into_iter().map(Into::into));
        self
    }

    /// The application's own audience, for [`AudienceSource::Application`] and
    /// [`AudienceSource::Both`].
    ///
    /// [`AudienceSource::Application`]: crate::AudienceSource::Application
    /// [`AudienceSource::Both`]: crate::AudienceSource::Both
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Lifetime of its access tokens, in whole seconds. Default: the tenant's `access_ttl`.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = Some(lifetime);
        self
    }

    /// Where a person may be sent back to after signing in.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Where a person may be sent back to after signing out.
    #[must_use]
    pub fn logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.logout_uris.push(uri.into());
        self
    }

    /// Registers it disabled: it is known, and refused with `unauthorized_client`.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// The client id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its type.
    pub fn kind(&self) -> ApplicationKind {
        self.kind
    }

    /// Whether it may get tokens at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether it has a secret to authenticate with.
    pub fn is_confidential(&self) -> bool {
        self.secret.is_some()
    }

    /// The APIs it may call, in order.
    pub fn allowed_audiences(&self) -> impl Iterator<Item = &str> {
        self.allowed_audiences.iter().map(String::as_str)
    }

    /// The scopes it may get, in order.
    pub fn allowed_scopes(&self) -> impl Iterator<Item = &str> {
        self.allowed_scopes.iter().map(String::as_str)
    }

    /// The one audience that follows without being named, if there is one.
    pub(crate) fn own_audience(&self) -> Option<&str> {
        let sole = || {
            let mut allowed = self.allowed_audiences.iter();
            allowed.next().filter(|_first| allowed.next().is_none())
        };
        self.audience.as_ref().or_else(sole).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_audience_is_the_one_set_or_the_only_one_allowed() {
        let none = Application::native("app_a");
        assert_eq!(none.own_audience(), None);
        let one = none.allow_audiences(["api.a"]);
        assert_eq!(one.own_audience(), Some("api.a"));
        let two = one.allow_audiences(["api.b"]);
        assert_eq!(two.own_audience(), None);
        assert_eq!(two.audience("api.b").own_audience(), Some("api.b"));
    }
}
