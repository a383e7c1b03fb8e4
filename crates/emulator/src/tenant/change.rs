//! Changes of the tenant: each is checked, made and audited in one place.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::registry::Registration;
use super::update::Update;
use super::{Live, Tenant};
use crate::audit::{AuditContext, AuditParty, Event, Outcome};
use crate::clock::{later, rfc3339};
use crate::config::{Application, Config, ConfigError, Switches};
use crate::person::{FamilyDeath, Grant};
use crate::refusal::{Code, Refusal};
use crate::secret::Secret;
use crate::{keys, random};

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No application has this id.
    #[error("no application has the id `{0}`")]
    UnknownApplication(String),
    /// No person has this id.
    #[error("no person has the id `{0}`")]
    UnknownUser(String),
    /// No session has this id.
    #[error("no session has the id `{0}`")]
    UnknownSession(String),
    /// An application has this id already.
    #[error("an application has the id `{0}` already")]
    Exists(String),
    /// The value of a field cannot be accepted.
    #[error("{field}: {message}")]
    #[non_exhaustive]
    Invalid {
        /// The field, as the admin API names it.
        field: String,
        /// What is wrong and how to fix it.
        message: String,
    },
    /// The application has no secret to rotate.
    #[error("the application `{0}` has no secret")]
    NoSecret(String),
    /// A key or a secret could not be made.
    #[error("the cryptographic library failed")]
    Crypto,
}

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) actor: AuditParty,
    pub(crate) context: AuditContext,
}

impl By {
    /// The process that holds the handle.
    pub(crate) fn handle() -> Self {
        Self {
            actor: AuditParty::new("system", "emulator"),
            context: AuditContext::default(),
        }
    }
}

impl Tenant {
    pub(crate) fn register(
        &self,
        application: Application,
        by: &By,
    ) -> Result<Registration, ChangeError> {
        let now = self.now();
        let registration = Registration {
            application,
            created_at: now,
            previous: Vec::new(),
        };
        let id = registration.application.id.clone();
        {
            let mut live = self.live();
            if live.registry.find(&id).is_some() {
                return Err(ChangeError::Exists(id));
            }
            live.accepts(&registration.application)?;
            live.registry.add(registration.clone());
        }
        self.audit_change(
            "application.created",
            &id,
            &Value::Null,
            &registration.view(),
            by,
        );
        Ok(registration)
    }

    pub(crate) fn update(
        &self,
        id: &str,
        update: Update,
        by: &By,
    ) -> Result<Registration, ChangeError> {
        let (before, after) = {
            let mut live = self.live();
            let before = live.known(id)?.clone();
            let mut after = before.clone();
            update.apply(&mut after.application);
            live.accepts(&after.application)?;
            if let Some(known) = live.registry.find_mut(id) {
                *known = after.clone();
            }
            (before.view(), after)
        };
        let view = after.view();
        let (was, is) = (before["enabled"].as_bool(), view["enabled"].as_bool());
        let kind = match (was, is) {
            (Some(true), Some(false)) => "application.disabled",
            (Some(false), Some(true)) => "application.enabled",
            _ => "application.updated",
        };
        self.audit_change(kind, id, &before, &view, by);
        Ok(after)
    }

    /// Makes a new secret; the old one stays valid for the tenant's overlap.
    ///
    /// Returns the new one and when the old one ends.
    pub(crate) fn rotate_secret(
        &self,
        id: &str,
        by: &By,
    ) -> Result<(String, SystemTime), ChangeError> {
        let now = self.now();
        let fresh = random::token().map_err(|random::NoRandomness| ChangeError::Crypto)?;
        let until = {
            let mut live = self.live();
            let until = later(now, live.switches.secret_overlap);
            let known = live
                .registry
                .find_mut(id)
                .ok_or_else(|| ChangeError::UnknownApplication(id.to_owned()))?;
            let current = &mut known.application.secret;
            let old = current
                .take()
                .ok_or_else(|| ChangeError::NoSecret(id.to_owned()))?;
            *current = Some(Secret::new(fresh.clone()));
            known.previous.push((old, until));
            until
        };
        let after = json!({ "previous_expires_at": rfc3339(until) });
        self.audit_change("application.secret_rotated", id, &json!({}), &after, by);
        Ok((fresh, until))
    }

    pub(crate) fn revoke_tokens(&self, id: &str, by: &By) -> Result<usize, ChangeError> {
        let now = self.now();
        let revoked = {
            let mut live = self.live();
            live.known(id)?;
            let theirs = |grant: &Grant| grant.client_id == id;
            let families = live
                .people
                .families
                .end_where(theirs, FamilyDeath::TokensRevoked);
            live.tokens.revoke_all_of(id, now) + families.len()
        };
        let before = json!({ "live_tokens": revoked });
        let after = json!({ "live_tokens": 0 });
        self.audit_change("application.tokens_revoked", id, &before, &after, by);
        Ok(revoked)
    }

    pub(crate) fn change_switches(&self, change: impl FnOnce(&mut Switches), by: &By) {
        let (before, after) = {
            let mut live = self.live();
            let before = serde_json::to_value(&live.switches).unwrap_or_default();
            change(&mut live.switches);
            (
                before,
                serde_json::to_value(&live.switches).unwrap_or_default(),
            )
        };
        self.record_change(
            "tenant.switches_changed",
            self.itself(),
            &before,
            &after,
            by,
        );
    }

    pub(crate) fn rotate_keys(&self, keep_old: bool, by: &By) -> Result<String, ChangeError> {
        let failed = |keys::KeyFailure| ChangeError::Crypto;
        let before = json!({ "kid": self.keys.current().map_err(failed)?.id() });
        let id = self.keys.rotate(keep_old).map_err(failed)?;
        let after = json!({ "kid": id, "old_published": keep_old });
        self.record_change("tenant.keys_rotated", self.itself(), &before, &after, by);
        Ok(id)
    }

    pub(crate) fn itself(&self) -> AuditParty {
        AuditParty::new("tenant", self.slug())
    }

    fn audit_change(&self, kind: &'static str, id: &str, before: &Value, after: &Value, by: &By) {
        self.record_change(kind, AuditParty::new("application", id), before, after, by);
    }

    pub(super) fn record_change(
        &self,
        kind: &'static str,
        target: AuditParty,
        before: &Value,
        after: &Value,
        by: &By,
    ) {
        let data = differences(before, after);
        let By { actor, context } = by.clone();
        self.record(Event {
            kind,
            actor,
            target,
            outcome: Outcome::Success,
            data,
            context,
        });
    }
}

/// At an OAuth endpoint a change fails only where the emulator itself does.
impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        Self::new(Code::ServerError, error.to_string())
    }
}

impl Live {
    pub(crate) fn known(&self, id: &str) -> Result<&Registration, ChangeError> {
        let known = self.registry.find(id);
        known.ok_or_else(|| ChangeError::UnknownApplication(id.to_owned()))
    }

    /// The same rules as for a configuration file, over one application.
    fn accepts(&self, application: &Application) -> Result<(), ChangeError> {
        let config = Config {
            apis: self.apis.clone(),
            applications: vec![application.clone()],
            ..Config::new("tenant", "organisation")
        };
        config
            .check_parts()
            .map_err(|(field, error)| invalid(&field, &error))
    }
}

fn invalid(field: &str, error: &ConfigError) -> ChangeError {
    let field = field
        .strip_prefix("application[0].")
        .unwrap_or(field)
        .to_owned();
    ChangeError::Invalid {
        field,
        message: error.message().to_owned(),
    }
}

/// `before` and `after` with the members that differ.
fn differences(before: &Value, after: &Value) -> Value {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return json!({ "before": before, "after": after });
    };
    let only = |this: &serde_json::Map<String, Value>, other: &serde_json::Map<String, Value>| {
        let changed = this
            .iter()
            .filter(|(key, value)| other.get(*key) != Some(value));
        let changed = changed.map(|(key, value)| (key.clone(), value.clone()));
        Value::Object(changed.collect())
    };
    json!({ "before": only(old, new), "after": only(new, old) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_hold_only_what_changed() {
        let before = json!({ "a": 1, "b": 2 });
        let after = json!({ "a": 1, "b": 3 });
        assert_eq!(
            differences(&before, &after),
            json!({ "before": { "b": 2 }, "after": { "b": 3 } })
        );
    }
}
