//! The grant `authorization_code` (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::mint::Minted;
use super::person;
use super::request::TokenRequest;
use crate::audit::{AuditParty, Event, Outcome};
use crate::person::{Code as AuthorizationCode, FamilyDeath, Redeemed};
use crate::refusal::{Code, Refusal};

pub(super) fn exchange(request: &TokenRequest<'_>) -> Result<Minted, Refusal> {
    let value = request.form.require("code")?;
    let code = usable(request, value)?;
    // From here on the code is used, even if the request fails.
    request.tenant.live().people.codes.spend(value);
    if request.form.require("redirect_uri")? != code.redirect_uri {
        let description = "`redirect_uri` is not the one that the code was sent to";
        return Err(Refusal::new(Code::InvalidGrant, description));
    }
    verify(code.challenge.as_deref(), request.form.get("code_verifier"))?;
    person::first(request, &code.grant)
}

fn usable(request: &TokenRequest<'_>, value: &str) -> Result<AuthorizationCode, Refusal> {
    let tenant = request.tenant;
    let now = tenant.now();
    let found = {
        let live = tenant.live();
        live.people
            .codes
            .look_up(value, now, live.switches.code_ttl)
    };
    let is_theirs = |code: &AuthorizationCode| code.grant.client_id == request.application.id;
    match found {
        Redeemed::First(code) if is_theirs(&code) && is_signed_in(request, &code) => Ok(code),
        Redeemed::Again(code) if is_theirs(&code) => {
            reused(request, &code);
            let description = "the code was used before; what came of it is revoked";
            Err(Refusal::new(Code::InvalidGrant, description))
        }
        Redeemed::Expired => Err(Refusal::new(Code::InvalidGrant, "the code has expired")),
        Redeemed::Unknown | Redeemed::First(_) | Redeemed::Again(_) => Err(Refusal::new(
            Code::InvalidGrant,
            "the code is not known here",
        )),
    }
}

fn is_signed_in(request: &TokenRequest<'_>, code: &AuthorizationCode) -> bool {
    let live = request.tenant.live();
    let session = live.people.sessions.find(&code.grant.session);
    session.is_some_and(|session| !session.is_revoked)
}

/// RFC 6749 section 4.1.2: everything that the code minted is revoked.
fn reused(request: &TokenRequest<'_>, code: &AuthorizationCode) {
    let family = &code.grant.family;
    request.tenant.end_family(family, FamilyDeath::CodeReuse);
    request.tenant.record(Event {
        kind: "oauth.code_reused",
        actor: AuditParty::new("application", request.application.id.as_str()),
        target: AuditParty::new("user", code.grant.user.as_str()),
        outcome: Outcome::Denied,
        data: json!({ "family": family, "session": code.grant.session }),
        context: request.exchange.audit_context(),
    });
}

fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Refusal> {
    let is_right = match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            // RFC 7636 section 4.1: 43 to 128 characters.
            let is_long_enough = (43..=128).contains(&verifier.len());
            let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
            is_long_enough && hash == challenge
        }
        // A verifier without a challenge: the challenge was removed from the authorization request
        // (PKCE downgrade, RFC 9700 section 4.8.2).
        _ => false,
    };
    if is_right {
        return Ok(());
    }
    let description = "`code_verifier` does not fit the `code_challenge`";
    Err(Refusal::new(Code::InvalidGrant, description))
}
