//! The registered applications and their secrets.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::config::Application;
use crate::secret::Secret;

/// An application as the tenant knows it at run time.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) application: Application,
    pub(crate) created_at: SystemTime,
    /// Rotated secrets and when each of them stops being valid.
    pub(crate) previous: Vec<(Secret, SystemTime)>,
}

/// The applications in order of registration.
#[derive(Debug)]
pub(crate) struct Registry {
    registrations: Vec<Registration>,
}

/// How an attempt to authenticate an application ended.
#[derive(Debug)]
pub(crate) enum Authenticated {
    /// The application proved its identity; it may still be disabled.
    Yes(Box<Application>),
    /// The application is unknown, or the secret is wrong.
    No,
}

impl Registry {
    pub(crate) fn new(applications: &[Application], now: SystemTime) -> Self {
        let registrations = applications.iter().map(|application| Registration {
            application: application.clone(),
            created_at: now,
            previous: Vec::new(),
        });
        Self {
            registrations: registrations.collect(),
        }
    }

    /// Every application as the admin API shows it.
    pub(crate) fn views(&self) -> Vec<Value> {
        self.registrations.iter().map(Registration::view).collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Registration> {
        self.registrations
            .iter()
            .find(|known| known.application.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: &str) -> Option<&mut Registration> {
        self.registrations
            .iter_mut()
            .find(|known| known.application.id == id)
    }

    pub(crate) fn add(&mut self, registration: Registration) {
        self.registrations.push(registration);
    }

    /// Checks an id and the secret that came with it; a public application comes without one.
    pub(crate) fn authenticate(
        &self,
        id: &str,
        secret: Option<&str>,
        now: SystemTime,
    ) -> Authenticated {
        match self.find(id) {
            Some(known) if known.accepts(secret, now) => {
                Authenticated::Yes(Box::new(known.application.clone()))
            }
            _ => Authenticated::No,
        }
    }

    /// Every secret that is or was in use.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.registrations.iter().flat_map(|known| {
            known
                .application
                .secret
                .iter()
                .chain(known.previous.iter().map(|(secret, _)| secret))
        })
    }
}

impl Registration {
    fn accepts(&self, secret: Option<&str>, now: SystemTime) -> bool {
        match (secret, &self.application.secret) {
            (None, None) => true,
            (Some(secret), Some(current)) => {
                let is_previous = |(previous, until): &(Secret, SystemTime)| {
                    *until > now && previous.matches(secret)
                };
                current.matches(secret) || self.previous.iter().any(is_previous)
            }
            _ => false,
        }
    }

    /// The application as the admin API shows it: everything but its secrets.
    pub(crate) fn view(&self) -> Value {
        let application = &self.application;
        json!({
            "id": application.id,
            "name": application.name,
            "type": application.kind,
            "enabled": application.enabled,
            "audience": application.audience,
            "allowed_audiences": application.allowed_audiences,
            "allowed_scopes": application.allowed_scopes,
            "token_lifetime": application.token_lifetime.map(|lifetime| lifetime.as_secs()),
            "redirect_uris": application.redirect_uris,
            "logout_uris": application.logout_uris,
            "created_at": rfc3339(self.created_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_previous_secret_is_accepted_until_its_overlap_ends() {
        let now = SystemTime::UNIX_EPOCH;
        let later = now + Duration::from_secs(10);
        let registration = Registration {
            application: Application::service("app", "new"),
            created_at: now,
            previous: vec![(Secret::new("old"), later)],
        };
        assert!(registration.accepts(Some("new"), later));
        assert!(registration.accepts(Some("old"), now));
        assert!(!registration.accepts(Some("old"), later));
        assert!(!registration.accepts(None, now));
    }

    #[test]
    fn a_public_application_has_no_secret_to_accept() {
        let now = SystemTime::UNIX_EPOCH;
        let registry = Registry::new(&[Application::native("app")], now);
        assert!(matches!(
            registry.authenticate("app", None, now),
            Authenticated::Yes(_)
        ));
        assert!(matches!(
            registry.authenticate("app", Some(""), now),
            Authenticated::No
        ));
        assert!(matches!(
            registry.authenticate("other", None, now),
            Authenticated::No
        ));
    }
}
