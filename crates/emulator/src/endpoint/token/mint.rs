//! The token itself, and the reply around it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::{later, unix_seconds};
use crate::config::{Application, AudienceClaim, Switches, TokenFormat, TokenType};
use crate::fault::Mint;
use crate::person::Grant;
use crate::policy::{Audience, Granted};
use crate::random;
use crate::refusal::Refusal;
use crate::tenant::{IssuedToken, Tenant, TokenOwner};

/// A token and everything that the reply and the audit log say about it.
#[derive(Debug)]
pub(super) struct Minted {
    token: String,
    pub(super) lifetime: Duration,
    pub(super) granted: Granted,
    pub(super) refresh_token: Option<String>,
    pub(super) id_token: Option<String>,
    /// The person, and the family of what comes from one code.
    pub(super) user: Option<String>,
    pub(super) family: Option<String>,
    /// Which token of its family was redeemed for it.
    pub(super) refresh_token_number: Option<u64>,
    /// A spent refresh token, answered again within its grace period.
    pub(super) is_replay: bool,
}

/// What a token is made from.
#[derive(Debug)]
pub(super) struct Order<'o> {
    pub(super) application: &'o Application,
    pub(super) audience: Audience,
    pub(super) granted: Granted,
    /// The sign-in behind it; none for an application that acts for itself.
    pub(super) grant: Option<&'o Grant>,
}

pub(super) fn mint(
    tenant: &Tenant,
    fault: &Mint,
    switches: &Switches,
    mut order: Order<'_>,
) -> Result<Minted, Refusal> {
    if let Some(only) = &fault.scopes {
        let scopes = &mut order.granted.scopes;
        scopes.retain(|scope| only.contains(scope));
    }
    let is_opaque = fault.is_opaque
        || switches.token_format == TokenFormat::Opaque
        || order.audience == Audience::NoApi;
    let lifetime = order
        .application
        .token_lifetime
        .unwrap_or(switches.access_ttl);
    let issued = issued(tenant, fault, &order, lifetime);
    let token = if is_opaque {
        random::token()?
    } else {
        let mut claims = claims(&tenant.issuer, &issued, switches, fault.skew_seconds);
        add_sign_in(&mut claims, order.grant);
        let key = tenant.keys.current()?;
        key.sign(typ(switches.token_typ), &claims)?
    };
    tenant.issue(&token, issued);
    Ok(Minted {
        token,
        lifetime,
        granted: order.granted,
        refresh_token: None,
        id_token: None,
        user: None,
        family: None,
        refresh_token_number: None,
        is_replay: false,
    })
}

fn issued(tenant: &Tenant, fault: &Mint, order: &Order<'_>, lifetime: Duration) -> IssuedToken {
    let now = tenant.now();
    IssuedToken {
        id: random::id("tok_", now),
        client_id: order.application.id.clone(),
        person: order.grant.map(owner),
        audience: minted_for(&order.audience, fault),
        scopes: order.granted.scopes.clone(),
        since: now,
        until: later(now, lifetime),
        is_revoked: false,
    }
}

fn owner(grant: &Grant) -> TokenOwner {
    TokenOwner {
        user: grant.user.clone(),
        session: grant.session.clone(),
        family: grant.family.clone(),
    }
}

/// The documented claims of a token of a person.
fn add_sign_in(claims: &mut Value, grant: Option<&Grant>) {
    let Some(grant) = grant else {
        return;
    };
    claims["sub"] = grant.user.as_str().into();
    claims["sid"] = grant.session.as_str().into();
    claims["auth_level"] = grant.sign_in.level.as_str().into();
    claims["amr"] = json!(grant.sign_in.methods());
    claims["auth_time"] = unix_seconds(grant.sign_in.at).into();
}

fn minted_for(audience: &Audience, fault: &Mint) -> Vec<String> {
    match (&fault.audience, audience) {
        (Some(wrong), _) => vec![wrong.clone()],
        (None, Audience::One(one)) => vec![one.clone()],
        (None, Audience::All(all)) => all.clone(),
        (None, Audience::NoApi) => Vec::new(),
    }
}

/// The documented claims, and those of RFC 9068 that the platform says nothing about.
fn claims(issuer: &str, grant: &IssuedToken, switches: &Switches, skew_seconds: i64) -> Value {
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
pub(in crate::endpoint) fn audience_claim(audience: &[String], shape: AudienceClaim) -> Value {
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
pub(in crate::endpoint) fn joined<'s>(scopes: impl Iterator<Item = &'s String>) -> String {
    let words: Vec<&str> = scopes.map(String::as_str).collect();
    words.join(" ")
}

impl Minted {
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// RFC 6749 section 5.1. A reply for which nothing was granted has no `scope`, as real
    /// servers do it.
    pub(super) fn reply(&self, includes_scope: bool) -> Value {
        let mut reply = json!({
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
        });
        if includes_scope && !self.granted.scopes.is_empty() {
            reply["scope"] = joined(self.granted.scopes.iter()).into();
        }
        for (name, token) in [
            ("refresh_token", &self.refresh_token),
            ("id_token", &self.id_token),
        ] {
            if let Some(token) = token {
                reply[name] = token.as_str().into();
            }
        }
        reply
    }
}
