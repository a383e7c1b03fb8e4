//! What may change about an application.

use std::time::Duration;

use crate::config::Application;

/// The fields of an application that may change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    pub(crate) name: Option<String>,
    pub(crate) allowed_scopes: Option<Vec<String>>,
    pub(crate) allowed_audiences: Option<Vec<String>>,
    pub(crate) enabled: Option<bool>,
    pub(crate) token_lifetime: Option<Lifetime>,
}

/// How long an application's tokens live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lifetime {
    /// As the tenant's switch says.
    OfTenant,
    /// As its own setting says.
    Own(Duration),
}

impl Update {
    pub(super) fn apply(self, application: &mut Application) {
        if let Some(name) = self.name {
            application.name = name;
        }
        if let Some(scopes) = self.allowed_scopes {
            application.allowed_scopes = scopes.into_iter().collect();
        }
        if let Some(audiences) = self.allowed_audiences {
            application.allowed_audiences = audiences.into_iter().collect();
        }
        if let Some(enabled) = self.enabled {
            application.enabled = enabled;
        }
        if let Some(lifetime) = self.token_lifetime {
            application.token_lifetime = match lifetime {
                Lifetime::OfTenant => None,
                Lifetime::Own(lifetime) => Some(lifetime),
            };
        }
    }
}
