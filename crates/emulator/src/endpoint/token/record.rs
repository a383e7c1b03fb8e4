//! What the audit log says about a token request.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::mint::{Minted, joined};
use crate::audit::{AuditParty, Event, Outcome};
use crate::endpoint::claimed_id;
use crate::exchange::Exchange;
use crate::form::Form;
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
    let mut data = request_data(exchange, form);
    let outcome = match minted {
        Ok(minted) => granted(minted, &mut data),
        Err(refusal) => {
            data["error"] = refusal.code.as_str().into();
            data["error_description"] = refusal.description.as_str().into();
            refusal.code.outcome()
        }
    };
    let client_id = claimed_id(headers, form);
    append(tenant, exchange, client_id, outcome, data);
}

/// A token request that a fault answered in place of the endpoint.
pub(crate) fn record_spoilt(
    tenant: &Tenant,
    exchange: &Exchange,
    client_id: Option<String>,
    form: &Form,
) {
    let data = request_data(exchange, form);
    append(tenant, exchange, client_id, Outcome::Failure, data);
}

fn request_data(exchange: &Exchange, form: &Form) -> Value {
    let mut data = json!({
        "grant_type": form.get("grant_type"),
        "audience": form.get("audience").or_else(|| form.get("resource")),
        "scope_requested": form.get("scope"),
    });
    if let Some(fault) = &exchange.fault {
        data["fault"] = fault.as_str().into();
    }
    data
}

fn append(
    tenant: &Tenant,
    exchange: &Exchange,
    client_id: Option<String>,
    outcome: Outcome,
    data: Value,
) {
    let client_id = client_id.map_or_else(|| "unknown".to_owned(), |id| tenant.redact(&id));
    let target = match data["audience"].as_str() {
        Some(audience) => AuditParty::new("api", tenant.redact(audience)),
        None => tenant.itself(),
    };
    tenant.record(Event {
        kind: "oauth.token_request",
        actor: AuditParty::new("application", client_id),
        target,
        outcome,
        data,
        context: exchange.audit_context(),
    });
}

fn granted(minted: &Minted, data: &mut Value) -> Outcome {
    data["scope_granted"] = joined(minted.granted.scopes.iter()).into();
    data["expires_in"] = minted.lifetime.as_secs().into();
    for (name, value) in [("user", &minted.user), ("family", &minted.family)] {
        if let Some(value) = value {
            data[name] = value.as_str().into();
        }
    }
    if let Some(number) = minted.refresh_token_number {
        data["refresh_token_number"] = number.into();
    }
    if minted.is_replay {
        data["replay"] = true.into();
    }
    if minted.granted.dropped.is_empty() {
        return Outcome::Success;
    }
    data["scope_dropped"] = joined(minted.granted.dropped.iter()).into();
    Outcome::Partial
}
