//! `POST /oauth2/token`: an application gets a token for one API.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::client_authentication::{authenticate, claimed_id};
use super::{Exchange, Form, admit, refused};
use crate::audit::{AuditParty, Event, Outcome};
use crate::clock::unix_seconds;
use crate::config::{
    Application, ApplicationKind, AudienceClaim, Switches, TokenFormat, TokenType,
};
use crate::fault::Mint;
use crate::policy::{self, Audience, Granted};
use crate::refusal::{Code, Refusal};
use crate::tenant::{Issued, Tenant};
use crate::{random, reply};

/// A token and everything that the reply and the audit log say about it.
#[derive(Debug)]
struct Minted {
    token: String,
    lifetime: Duration,
    granted: Granted,
}

pub(super) async fn token(
    State(tenant): State<Arc<Tenant>>,
    Extension(exchange): Extension<Exchange>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let minted = client_credentials(&tenant, &exchange.mint, &headers, &body);
    record(
        &tenant,
        &exchange,
        &headers,
        &Form::read_leniently(&body),
        &minted,
    );
    match minted {
        Ok(minted) => {
            let includes_scope = tenant.live().switches.token_reply_includes_scope;
            reply::not_stored(reply::json(StatusCode::OK, &minted.reply(includes_scope)))
        }
        Err(refusal) => refused(&tenant, &exchange, &refusal),
    }
}

/// RFC 6749 section 4.4.
fn client_credentials(
    tenant: &Tenant,
    fault: &Mint,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Minted, Refusal> {
    admit(tenant)?;
    let form = Form::read(headers, body)?;
    let grant_type = form.require("grant_type")?;
    let application = authenticate(tenant, headers, &form)?;
    may_use(&application, grant_type)?;
    let (audience, granted, switches) = {
        let live = tenant.live();
        let switches = &live.switches;
        let (audience, resource) = (form.get("audience"), form.get("resource"));
        let named = policy::named_audience(switches.audience_parameter, audience, resource)?;
        let audience = policy::audience(&application, &live.apis, switches, named)?;
        let scope = form.get("scope");
        let granted = policy::scopes(&application, &live.apis, switches, &audience, scope)?;
        (audience, granted, switches.clone())
    };
    if let Some(keep_old) = fault.rotate_keeping_old {
        tenant.keys.rotate(keep_old)?;
    }
    mint(tenant, fault, &switches, &application, audience, granted)
}

fn may_use(application: &Application, grant_type: &str) -> Result<(), Refusal> {
    let is_service = application.kind == ApplicationKind::Service;
    match grant_type {
        "client_credentials" if is_service => Ok(()),
        "client_credentials" => {
            let description = format!("application `{}` may not use this grant", application.id);
            Err(Refusal::new(Code::UnauthorizedClient, description))
        }
        _ => {
            let description = format!("no grant `{}` here", grant_type.escape_default());
            Err(Refusal::new(Code::UnsupportedGrantType, description))
        }
    }
}

fn mint(
    tenant: &Tenant,
    fault: &Mint,
    switches: &Switches,
    application: &Application,
    audience: Audience,
    mut granted: Granted,
) -> Result<Minted, Refusal> {
    if let Some(only) = &fault.scopes {
        granted.scopes.retain(|scope| only.contains(scope));
    }
    let is_opaque = fault.is_opaque
        || switches.token_format == TokenFormat::Opaque
        || audience == Audience::Nobody;
    let audience = match (&fault.audience, audience) {
        (Some(wrong), _) => vec![wrong.clone()],
        (None, Audience::One(one)) => vec![one],
        (None, Audience::All(all)) => all,
        (None, Audience::Nobody) => Vec::new(),
    };
    let lifetime = application.token_lifetime.unwrap_or(switches.access_ttl);
    let now = tenant.now();
    let issued = Issued {
        id: random::id("tok_", now),
        client_id: application.id.clone(),
        audience,
        scopes: granted.scopes.clone(),
        since: now,
        until: now + lifetime,
        is_revoked: false,
    };
    let token = if is_opaque {
        random::token()?
    } else {
        let claims = claims(&tenant.issuer, &issued, switches, fault.skew_seconds);
        tenant
            .keys
            .current()?
            .sign(typ(switches.token_typ), &claims)?
    };
    tenant.issue(&token, issued);
    Ok(Minted {
        token,
        lifetime,
        granted,
    })
}

/// The documented claims, and those of RFC 9068 that the platform says nothing about.
fn claims(issuer: &str, grant: &Issued, switches: &Switches, skew_seconds: i64) -> Value {
    let issued_at = unix_seconds(grant.since).saturating_add(skew_seconds);
    let expires_at = unix_seconds(grant.until).saturating_add(skew_seconds);
    let mut claims = json!({
        "iss": issuer,
        // Documented: the subject of an application that acts for itself is its client id.
        "sub": grant.client_id,
        "aud": audience_claim(&grant.audience, switches.audience_claim),
        "iat": issued_at,
        "exp": expires_at,
    });
    if !grant.scopes.is_empty() {
        claims["scope"] = joined(grant.scopes.iter()).into();
    }
    if switches.claim_jti {
        claims["jti"] = grant.id.as_str().into();
    }
    if switches.claim_client_id {
        claims["client_id"] = grant.client_id.as_str().into();
    }
    if switches.claim_nbf {
        claims["nbf"] = issued_at.into();
    }
    claims
}

/// `aud` as a token or an introspection reply shows it.
pub(super) fn audience_claim(audience: &[String], shape: AudienceClaim) -> Value {
    match (audience, shape) {
        ([one], AudienceClaim::String) => one.as_str().into(),
        (all, _) => json!(all),
    }
}

fn typ(token_type: TokenType) -> Option<&'static str> {
    match token_type {
        TokenType::AtJwt => Some("at+jwt"),
        TokenType::Jwt => Some("JWT"),
        TokenType::None => None,
    }
}

/// Scopes as they stand on the wire: sorted, with single spaces.
pub(super) fn joined<'s>(scopes: impl Iterator<Item = &'s String>) -> String {
    let words: Vec<&str> = scopes.map(String::as_str).collect();
    words.join(" ")
}

impl Minted {
    /// RFC 6749 section 5.1. A reply for which nothing was granted has no `scope`, as real
    /// servers do it.
    fn reply(&self, includes_scope: bool) -> Value {
        let mut reply = json!({
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
        });
        if includes_scope && !self.granted.scopes.is_empty() {
            reply["scope"] = joined(self.granted.scopes.iter()).into();
        }
        reply
    }
}

/// Every token request is audited, the malformed ones too: the platform leaves those out.
fn record(
    tenant: &Tenant,
    exchange: &Exchange,
    headers: &HeaderMap,
    form: &Form,
    minted: &Result<Minted, Refusal>,
) {
    let read = |name: &str| form.get(name).map(|text| tenant.redact(text));
    let client_id = claimed_id(headers, form).map(|id| tenant.redact(&id));
    let mut data = json!({
        "grant_type": read("grant_type"),
        "audience": read("audience").or_else(|| read("resource")),
        "scope_requested": read("scope"),
    });
    let outcome = match minted {
        Ok(minted) => {
            data["scope_granted"] = joined(minted.granted.scopes.iter()).into();
            data["expires_in"] = minted.lifetime.as_secs().into();
            if minted.granted.dropped.is_empty() {
                Outcome::Success
            } else {
                data["scope_dropped"] = joined(minted.granted.dropped.iter()).into();
                Outcome::Partial
            }
        }
        Err(refusal) => {
            data["error"] = refusal.code.as_str().into();
            data["error_description"] = tenant.redact(&refusal.description).into();
            refusal.code.outcome()
        }
    };
    let actor = AuditParty::new("application", client_id.as_deref().unwrap_or("unknown"));
    let target = match data["audience"].as_str() {
        Some(audience) => AuditParty::new("api", audience),
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
