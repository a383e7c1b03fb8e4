//! What the audit log says about a token request.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::mint::{Minted, joined};
use crate::audit::{AuditParty, Event, Outcome};
use crate::endpoint::{Exchange, Form, claimed_id};
use crate::refusal::Refusal;
use crate::tenant::Tenant;

/// Every token request is audited, the malformed ones too: the platform leaves those out.
pub(super) fn record(
    tenant: &Tenant,
    exchange: &Exchange,
    headers: &HeaderMap,
    form: &Form,
    minted: &Result<Minted, Refusal>,
) {
    let client_id = claimed_id(headers, form).map(|id| tenant.redact(&id));
    let audience = form.get("audience").or_else(|| form.get("resource"));
    let mut data = json!({
        "grant_type": form.get("grant_type"),
        "audience": audience,
        "scope_requested": form.get("scope"),
    });
    let outcome = match minted {
        Ok(minted) => granted(minted, &mut data),
        Err(refusal) => {
            data["error"] = refusal.code.as_str().into();
            data["error_description"] = refusal.description.as_str().into();
            refusal.code.outcome()
        }
    };
    let actor = AuditParty::new("application", client_id.as_deref().unwrap_or("unknown"));
    let target = match audience {
        Some(audience) => AuditParty::new("api", tenant.redact(audience)),
        None => tenant.itself(),
    };
    let context = exchange.audit_context();
    tenant.record(Event {
        kind: "oauth.token_request",
        actor,
        target,
        outcome,
        data,
        context,
    });
}

fn granted(minted: &Minted, data: &mut Value) -> Outcome {
    data["scope_granted"] = joined(minted.granted.scopes.iter()).into();
    data["expires_in"] = minted.lifetime.as_secs().into();
    if minted.granted.dropped.is_empty() {
        return Outcome::Success;
    }
    data["scope_dropped"] = joined(minted.granted.dropped.iter()).into();
    Outcome::Partial
}
