//! What the three grants of a person have in common.

use super::id_token;
use super::mint::{Minted, Order, mint};
use super::request::TokenRequest;
use crate::config::{Switches, User};
use crate::person::Grant;
use crate::policy::{Audience, Granted, Standing, named_audience};
use crate::random;
use crate::refusal::{Code, Refusal};

/// What a token of a grant is to be.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) audience: Audience,
    pub(super) granted: Granted,
    pub(super) switches: Switches,
}

/// Decides what the token is, without making it.
///
/// `usual` is the audience where none is named, before the grant's first.
pub(super) fn plan(
    request: &TokenRequest<'_>,
    grant: &Grant,
    usual: Option<&str>,
    may_name: bool,
) -> Result<Planned, Refusal> {
    let TokenRequest {
        tenant,
        application,
        form,
        ..
    } = request;
    let live = tenant.live();
    let switches = &live.switches;
    let user = live.user(&grant.user).filter(|user| user.enabled);
    let user: &User = user.ok_or_else(|| {
        let description = "the person is suspended or gone";
        Refusal::new(Code::InvalidGrant, description)
    })?;
    let standing = Standing {
        application,
        apis: &live.apis,
        switches,
        consents: &live.people.consents,
    };
    let (audience, resource) = (form.get("audience"), form.get("resource"));
    let named = named_audience(switches.audience_parameter, audience, resource)?;
    let platform = platform(&tenant.issuer);
    let audience = standing.audience(grant, named, usual, &platform)?;
    if !may_name && audience != standing.audience(grant, None, usual, &platform)? {
        let description = "the audience was fixed when the person signed in";
        return Err(Refusal::new(Code::InvalidTarget, description));
    }
    let granted = standing.scopes(grant, user, &audience, form.get("scope"))?;
    Ok(Planned {
        audience,
        granted,
        switches: switches.clone(),
    })
}

/// The first tokens of a grant: access token, id token, and a refresh token for `offline_access`.
pub(super) fn first(request: &TokenRequest<'_>, grant: &Grant) -> Result<Minted, Refusal> {
    let planned = plan(request, grant, None, true)?;
    let tenant = request.tenant;
    let mut minted = access(request, grant, &planned)?;
    if grant.has("openid") {
        minted.id_token = Some(id_token::make(request, grant, minted.token(), true)?);
    }
    // Documented: without `offline_access` there is no refresh token.
    if grant.has("offline_access") {
        let token = random::token()?;
        let (now, ttl) = (tenant.now(), planned.switches.refresh_ttl);
        let mut live = tenant.live();
        live.people.issued_secrets.insert(&token);
        live.people.families.begin(grant.clone(), &token, now, ttl);
        minted.refresh_token = Some(token);
    }
    Ok(minted)
}

/// The access token alone.
pub(super) fn access(
    request: &TokenRequest<'_>,
    grant: &Grant,
    planned: &Planned,
) -> Result<Minted, Refusal> {
    let order = Order {
        application: &request.application,
        audience: planned.audience.clone(),
        granted: planned.granted.clone(),
        grant: Some(grant),
    };
    let mut minted = mint(
        request.tenant,
        &request.exchange.mint,
        &planned.switches,
        order,
    )?;
    minted.user = Some(grant.user.clone());
    minted.family = Some(grant.family.clone());
    Ok(minted)
}

/// The platform's own API, for a token of a sign-in that was about no API: the default audience of
/// the documented browser SDK.
fn platform(issuer: &str) -> String {
    format!("{issuer}/api")
}
