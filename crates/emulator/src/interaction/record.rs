//! What is kept of a person's decisions, in the records and in the audit log.

use serde_json::json;

use super::visit::Visit;
use crate::audit::{AuditParty, Event, Outcome};
use crate::person::{AuthorizationRequest, Session, Shown};
use crate::policy::RequestedScope;

impl Visit {
    /// Writes down what the person decided, with what the page said.
    pub(super) fn record_consent(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        requested: &[RequestedScope],
        was_shown: bool,
        is_granted: bool,
    ) {
        self.write_down(request, session, requested, (was_shown, is_granted));
        let scopes: Vec<&str> = requested.iter().map(|it| it.scope.as_str()).collect();
        let audiences: Vec<&str> = requested
            .iter()
            .filter_map(|it| it.audience.as_deref())
            .collect();
        let kind = if is_granted {
            "consent.granted"
        } else {
            "consent.denied"
        };
        self.tenant.record(Event {
            kind,
            actor: AuditParty::new("user", session.user.as_str()),
            target: AuditParty::new("application", request.client_id.as_str()),
            outcome: if is_granted {
                Outcome::Success
            } else {
                Outcome::Denied
            },
            data: json!({ "scopes": scopes, "audiences": audiences, "page_shown": was_shown }),
            context: self.exchange.audit_context(),
        });
    }

    fn write_down(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        requested: &[RequestedScope],
        (was_shown, is_granted): (bool, bool),
    ) {
        let now = self.tenant.now();
        let mut live = self.tenant.live();
        let shown = requested.iter().map(|it| Shown {
            audience: it.audience.clone(),
            scope: it.scope.clone(),
            text: was_shown.then(|| live.text_of(it)),
        });
        let shown: Vec<Shown> = shown.collect();
        let who = (session.user.as_str(), request.client_id.as_str());
        live.people.consents.decide(who, &shown, is_granted, now);
    }

    pub(super) fn record_device(
        &self,
        kind: &'static str,
        request: &AuthorizationRequest,
        session: &Session,
    ) {
        self.tenant.record(Event {
            kind,
            actor: AuditParty::new("user", session.user.as_str()),
            target: AuditParty::new("application", request.client_id.as_str()),
            outcome: Outcome::Success,
            data: json!({ "session": session.id }),
            context: self.exchange.audit_context(),
        });
    }
}
