//! Which fault concerns which request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
    pub(crate) delay: Option<Duration>,
    pub(crate) action: Option<Action>,
}

/// What a fault changes about the token that is minted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mint {
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) skew_seconds: i64,
    pub(crate) is_opaque: bool,
    /// Whether to change the key first, and if so whether the old one stays.
    pub(crate) rotate_keeping_old: Option<bool>,
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

    /// Takes the first delay and the first other fault that fit, and counts them down.
    pub(crate) fn take(
        &self,
        endpoint: Endpoint,
        client_id: Option<&str>,
        audience: Option<&str>,
    ) -> Plan {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan = Plan::default();
        for fault in faults
            .iter_mut()
            .filter(|fault| fault.fits(endpoint, client_id, audience))
        {
            match &fault.action {
                Action::Delay { milliseconds } if plan.delay.is_none() => {
                    plan.delay = Some(Duration::from_millis(*milliseconds));
                }
                Action::Delay { .. } => continue,
                action if plan.action.is_none() => plan.action = Some(action.clone()),
                _ => continue,
            }
            fault.times = fault.times.map(|times| times.saturating_sub(1));
        }
        faults.retain(|fault| fault.times != Some(0));
        plan
    }
}

impl Fault {
    fn fits(&self, endpoint: Endpoint, client_id: Option<&str>, audience: Option<&str>) -> bool {
        let fits_endpoint = match self.endpoint {
            Some(only) => only == endpoint,
            // The admin API is how faults are taken away again.
            None => endpoint != Endpoint::Admin,
        };
        let is = |only: &Option<String>, value: Option<&str>| {
            only.as_deref().is_none_or(|only| value == Some(only))
        };
        let fits_request = is(&self.application, client_id) && is(&self.audience, audience);
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
        faults.take(endpoint, Some(client), Some("api.a"))
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
