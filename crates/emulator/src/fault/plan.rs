//! Which fault concerns which request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{Action, Fault};
use crate::routes::Endpoint;

/// The faults in force, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Mutex<Vec<Fault>>,
}

/// What goes wrong with one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) hold: Option<Duration>,
    pub(crate) delay: Option<Duration>,
    pub(crate) delay_after: Option<Duration>,
    pub(crate) action: Option<Action>,
}

/// What a fault changes about the token that is minted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mint {
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) skew_seconds: i64,
    pub(crate) is_opaque: bool,
    /// Whether to change the key first, and if so whether the old one stays.
    pub(crate) rotate_keeping_old: Option<bool>,
    /// A claim of the id token and its value.
    pub(crate) id_token_claim: Option<(String, Value)>,
}

/// What a request is about, as faults are matched against it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Concern<'r> {
    pub(crate) endpoint: Endpoint,
    pub(crate) client_id: Option<&'r str>,
    pub(crate) audience: Option<&'r str>,
    pub(crate) grant_type: Option<&'r str>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    pub(crate) fn clear(&self) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(crate) fn all(&self) -> Vec<Fault> {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes the first delay of each kind and the first other fault that fit, and counts them down.
    pub(crate) fn take(&self, concern: Concern<'_>) -> Plan {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::default();
        for fault in faults.iter_mut().filter(|fault| fault.fits(concern)) {
            if plan.accepts(&fault.action) {
                fault.times = fault.times.map(|times| times.saturating_sub(1));
            }
        }
        faults.retain(|fault| fault.times != Some(0));
        plan
    }

    /// Takes what is to happen to a callback of this application: a parameter and its value.
    pub(crate) fn take_callback(&self, client_id: &str) -> Option<(String, Option<String>)> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |fault: &&mut Fault| {
            let is_theirs = fault
                .application
                .as_deref()
                .is_none_or(|only| only == client_id);
            is_theirs && matches!(fault.action, Action::Callback { .. }) && fault.times != Some(0)
        };
        let fault = faults.iter_mut().find(is_meant)?;
        let Action::Callback { name, value } = fault.action.clone() else {
            return None;
        };
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        faults.retain(|fault| fault.times != Some(0));
        Some((name, value))
    }
}

impl Plan {
    /// Makes room for an action, if there is room for it.
    fn accepts(&mut self, action: &Action) -> bool {
        let slot = match action {
            Action::Hold { .. } => &mut self.hold,
            Action::Delay { .. } => &mut self.delay,
            Action::DelayAfter { .. } => &mut self.delay_after,
            Action::Callback { .. } => return false,
            action if self.action.is_none() => {
                self.action = Some(action.clone());
                return true;
            }
            _ => return false,
        };
        match action {
            Action::Hold { milliseconds }
            | Action::Delay { milliseconds }
            | Action::DelayAfter { milliseconds }
                if slot.is_none() =>
            {
                *slot = Some(Duration::from_millis(*milliseconds));
                true
            }
            _ => false,
        }
    }
}

impl Fault {
    fn fits(&self, concern: Concern<'_>) -> bool {
        let fits_endpoint = match self.endpoint {
            Some(only) => only == concern.endpoint,
            None if self.action.is_about_id_tokens() => concern.endpoint == Endpoint::Token,
            // The admin API is how faults are taken away again, and people see no faults by chance.
            None => !matches!(concern.endpoint, Endpoint::Admin | Endpoint::Pages),
        };
        let is = |only: &Option<String>, value: Option<&str>| {
            only.as_deref().is_none_or(|only| value == Some(only))
        };
        let fits_request = is(&self.application, concern.client_id)
            && is(&self.audience, concern.audience)
            && is(&self.grant_type, concern.grant_type);
        fits_endpoint && fits_request && self.times != Some(0)
    }
}

impl Mint {
    pub(crate) fn of(action: Option<&Action>) -> Self {
        let mut mint = Self::default();
        match action {
            Some(Action::WrongAudience { audience }) => mint.audience = Some(audience.clone()),
            Some(Action::NarrowedScope { scopes }) => mint.scopes = Some(scopes.clone()),
            Some(Action::ClockSkew { seconds }) => mint.skew_seconds = *seconds,
            Some(Action::OpaqueToken) => mint.is_opaque = true,
            Some(Action::IdTokenClaim { name, value }) => {
                mint.id_token_claim = Some((name.clone(), value.clone()));
            }
            Some(Action::RotateKeys { keep_old }) => mint.rotate_keeping_old = Some(*keep_old),
            _ => {}
        }
        mint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(faults: &Faults, endpoint: Endpoint, client: &str) -> Plan {
        faults.take(Concern {
            endpoint,
            client_id: Some(client),
            audience: Some("api.a"),
            grant_type: None,
        })
    }

    #[test]
    fn faults_are_used_up_in_order() {
        let faults = Faults::default();
        faults.add(Fault::drop_before().times(1));
        faults.add(Fault::torn_body().times(1));
        let token = Endpoint::Token;
        assert_eq!(
            actions(&faults, token, "app").action,
            Some(Action::DropBefore)
        );
        assert_eq!(
            actions(&faults, token, "app").action,
            Some(Action::TornBody)
        );
        assert_eq!(actions(&faults, token, "app"), Plan::default());
    }

    #[test]
    fn a_delay_goes_together_with_another_fault() {
        let faults = Faults::default();
        faults.add(Fault::delay(Duration::from_millis(5)));
        faults.add(Fault::drop_after());
        let plan = actions(&faults, Endpoint::Token, "app");
        assert_eq!(plan.delay, Some(Duration::from_millis(5)));
        assert_eq!(plan.action, Some(Action::DropAfter));
    }

    #[test]
    fn endpoint_application_and_audience_select() {
        let faults = Faults::default();
        faults.add(Fault::drop_before().at(Endpoint::Jwks));
        faults.add(Fault::torn_body().application("other"));
        faults.add(Fault::html().audience("api.b"));
        assert_eq!(actions(&faults, Endpoint::Token, "app"), Plan::default());
        assert_eq!(
            actions(&faults, Endpoint::Token, "other").action,
            Some(Action::TornBody)
        );
        assert_eq!(
            actions(&faults, Endpoint::Jwks, "app").action,
            Some(Action::DropBefore)
        );
    }

    #[test]
    fn the_admin_api_is_only_hit_by_name() {
        let faults = Faults::default();
        faults.add(Fault::drop_before());
        assert_eq!(actions(&faults, Endpoint::Admin, "app"), Plan::default());
        faults.add(Fault::torn_body().at(Endpoint::Admin));
        assert_eq!(
            actions(&faults, Endpoint::Admin, "app").action,
            Some(Action::TornBody)
        );
    }
}
