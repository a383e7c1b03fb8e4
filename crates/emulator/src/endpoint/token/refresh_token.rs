//! The grant `refresh_token` (RFC 6749 section 6): rotation, and what reuse does.

use std::collections::BTreeSet;

use serde_json::json;

use super::id_token;
use super::mint::Minted;
use super::person::{self, Planned};
use super::request::TokenRequest;
use crate::audit::{AuditParty, Event, Outcome};
use crate::person::{Family, FamilyDeath, Grace, Grant, Redemption, RefreshRequest, Rotation};
use crate::policy::Audience;
use crate::random;
use crate::refusal::{Code, Refusal};
use crate::tenant::By;

/// A family whose token may be redeemed.
#[derive(Debug)]
struct Usable {
    family: Box<Family>,
    /// Which token of the family it is.
    number: Option<u64>,
    /// The token is spent, and covered by the grace period.
    is_replay: bool,
}

/// One request after the other: nothing is awaited between reading a token and rotating it.
pub(super) fn refresh(request: &TokenRequest<'_>) -> Result<Minted, Refusal> {
    let token = request.form.require("refresh_token")?;
    let usable = usable(request, token)?;
    let family = &usable.family;
    let may_name = request.tenant.live().switches.refresh_accepts_audience;
    let usual = family.bound.as_deref();
    let planned = person::plan(request, &family.grant, usual, may_name)
        .inspect_err(|_refusal| refused(request, &usable))?;
    let grant = narrowed(&usable, &planned);
    let mut minted = person::access(request, &grant, &planned)?;
    minted.refresh_token_number = usable.number;
    minted.is_replay = usable.is_replay;
    minted.refresh_token = if usable.is_replay {
        replayed(request, &usable)
    } else {
        next(request, &usable, &planned, &grant.scopes)?
    };
    if grant.has("openid") && planned.switches.id_token_on_refresh {
        minted.id_token = Some(id_token::make(request, &grant, minted.token(), false)?);
    }
    Ok(minted)
}

fn usable(request: &TokenRequest<'_>, token: &str) -> Result<Usable, Refusal> {
    let (redemption, number) = look_up(request, token);
    let usable = |family, is_replay| Usable {
        family,
        number,
        is_replay,
    };
    let description = match redemption {
        Redemption::Current(family) => return Ok(usable(family, false)),
        Redemption::Replay(family) => return Ok(usable(family, true)),
        Redemption::Reused(family, differing) => {
            reused(request, &family, number, &differing);
            return Err(Refusal::new(Code::InvalidGrant, used_before(&differing)));
        }
        Redemption::Dead(_) => "the refresh token is revoked",
        Redemption::Expired => "the refresh token has expired",
        Redemption::Unknown => "the refresh token is not known here",
    };
    Err(Refusal::new(Code::InvalidGrant, description))
}

fn used_before(differing: &[String]) -> String {
    if differing.is_empty() {
        return "the refresh token was used before; its family is revoked".to_owned();
    }
    let names = differing
        .iter()
        .map(|name| format!("`{}`", name.escape_default()));
    let names = names.collect::<Vec<_>>().join(", ");
    format!(
        "the refresh token was used before, in a request with another {names}; its family is revoked"
    )
}

/// What the request asks for, without the parameters that identify the client.
fn refresh_request(request: &TokenRequest<'_>) -> RefreshRequest {
    RefreshRequest::of(request.form.each())
}

/// The state of the token, and its number in its family.
fn look_up(request: &TokenRequest<'_>, token: &str) -> (Redemption, Option<u64>) {
    let now = request.tenant.now();
    let live = request.tenant.live();
    let families = &live.people.families;
    let known = families.of_token(token);
    // RFC 6749 section 10.4: a refresh token is bound to its client, and unknown to any other.
    let is_theirs = known.is_some_and(|it| it.grant.client_id == request.application.id);
    let redemption = if is_theirs {
        let grace = Grace::of(&live.switches);
        families.look_up(token, Some(&refresh_request(request)), now, grace)
    } else {
        Redemption::Unknown
    };
    (redemption, families.number(token))
}

/// Documented: the second use of a refresh token is presumed theft, its family ends, and that is an
/// audited event beside `user.session_revoked`.
fn reused(request: &TokenRequest<'_>, family: &Family, number: Option<u64>, differing: &[String]) {
    let tenant = request.tenant;
    let grant = &family.grant;
    if let Some(family) = tenant.live().people.families.find_mut(&grant.family) {
        family.count_reuse();
    }
    tenant.end_family(&grant.family, FamilyDeath::Reuse);
    let context = request.exchange.audit_context();
    let actor = || AuditParty::new("application", request.application.id.as_str());
    let mut data = json!({ "user": grant.user, "family": grant.family, "reason": "reuse",
        "refresh_token_number": number });
    if !differing.is_empty() {
        data["differing"] = json!(differing);
    }
    tenant.record(Event {
        kind: "oauth.refresh_token_reused",
        actor: actor(),
        target: AuditParty::new("user", grant.user.as_str()),
        outcome: Outcome::Denied,
        data: data.clone(),
        context: context.clone(),
    });
    let ends_session = tenant.live().switches.reuse_ends_session;
    if ends_session {
        let by = By {
            actor: actor(),
            context,
        };
        tenant.end_session(&grant.session, FamilyDeath::Reuse, &by);
        return;
    }
    tenant.record(Event {
        kind: "user.session_revoked",
        actor: actor(),
        target: AuditParty::new("session", grant.session.as_str()),
        outcome: Outcome::Success,
        data,
        context,
    });
}

/// A refusal leaves the token as it was, unless the switch `refused_refresh_consumes` is on.
fn refused(request: &TokenRequest<'_>, usable: &Usable) {
    let now = request.tenant.now();
    let mut live = request.tenant.live();
    let consumes = live.switches.refused_refresh_consumes && !usable.is_replay;
    let id = &usable.family.grant.family;
    if let Some(family) = live.people.families.find_mut(id) {
        family.count_refusal();
    }
    if consumes {
        live.people.families.consume(id, now);
    }
}

/// The grant that the family goes on with.
fn narrowed(usable: &Usable, planned: &Planned) -> Grant {
    let mut grant = usable.family.grant.clone();
    if planned.switches.narrowing_is_permanent && !usable.is_replay {
        grant
            .scopes
            .retain(|scope| planned.granted.scopes.contains(scope));
    }
    grant
}

/// A replay gets the refresh token that was issued already, and its family stays as it is.
fn replayed(request: &TokenRequest<'_>, usable: &Usable) -> Option<String> {
    let family = &usable.family;
    let mut live = request.tenant.live();
    let families = &mut live.people.families;
    families
        .find_mut(&family.grant.family)?
        .count_redemption(true);
    let current = family.current.as_ref()?;
    Some(current.expose().to_owned())
}

/// The refresh token of the reply.
fn next(
    request: &TokenRequest<'_>,
    usable: &Usable,
    planned: &Planned,
    scopes: &BTreeSet<String>,
) -> Result<Option<String>, Refusal> {
    let now = request.tenant.now();
    let switches = &planned.switches;
    let id = &usable.family.grant.family;
    let fresh = random::token()?;
    let mut live = request.tenant.live();
    let people = &mut live.people;
    let Some(family) = people.families.find_mut(id) else {
        return Ok(None);
    };
    family.count_redemption(false);
    family.bound = match &planned.audience {
        Audience::One(one) if switches.resource_sticks => Some(one.clone()),
        _ => family.bound.take(),
    };
    family.grant.scopes.clone_from(scopes);
    let current = family.current.as_ref();
    let current = current.map(|current| current.expose().to_owned());
    if !scopes.contains("offline_access") {
        people.families.consume(id, now);
        return Ok(None);
    }
    if !switches.refresh_rotates {
        return Ok(current.filter(|_| switches.refresh_reply_includes_token));
    }
    people.issued_secrets.insert(&fresh);
    let rotation = Rotation {
        next: &fresh,
        request: refresh_request(request),
        before: &usable.family,
        at: now,
    };
    people.families.rotate(rotation, switches);
    Ok(Some(fresh))
}
