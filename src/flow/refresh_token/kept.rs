//! Access tokens in a session: what another process, or this one before it ended, has left.

use std::time::Duration;

use super::Wanted;
use crate::{
    dialect::AudienceRule,
    endpoint::{LIFETIME_MAX, TokenReply},
    error::Asked,
    flow::{TokenResponse, sessions::OpenSession},
    jwt::UnverifiedClaims,
    request::Parameters,
    scope::Scopes,
    store::{KeptToken, SignedIn},
    time::Moment,
    token::{Freshness, Phase, Source},
};

/// The token for `wanted` that the session holds, if it is as good as a new one.
pub(super) fn adopt(
    signed_in: &SignedIn,
    wanted: &Wanted,
    open: &OpenSession,
    now: Moment,
) -> Option<TokenResponse> {
    let asked = &wanted.asked;
    let parameters: Vec<_> = wanted.parameters.iter().collect();
    let kept = signed_in
        .tokens
        .iter()
        .find(|kept| kept.is_for(&asked.audience, &asked.scopes, &parameters))?;
    let requested_at = kept.requested_at(now)?;
    let lifetime = Duration::from_millis(kept.lifetime);
    let phase = Freshness::new(requested_at, lifetime, 0.0).phase(now);
    let is_good = match phase {
        Phase::Stale => false,
        // A forced call wants a request that starts after it, by whomever.
        _ if wanted.is_forced => requested_at.has_reached(wanted.departed),
        Phase::Fresh => true,
        Phase::Window => !wanted.replaces_usable,
    };
    if !is_good || open.has_rejected(&kept.access_token) {
        return None;
    }
    tracing::debug!(audience = %asked.audience, scopes = %asked.scopes, "token taken from the session");
    let mut response = TokenResponse::new(kept.access_token.clone()).lifetime(lifetime);
    response.scopes = kept.granted.as_deref().map(Scopes::from_reply);
    response.requested_at = Some(requested_at);
    response.came_from = Source::Session;
    response.account = Some(signed_in.account.clone());
    Some(response)
}

/// The token of `reply` as the session keeps it; nothing if the next process had better ask itself.
pub(crate) fn keep(
    reply: &TokenReply,
    asked: &Asked,
    parameters: &Parameters,
    rule: &AudienceRule,
) -> Option<KeptToken> {
    let claims = UnverifiedClaims::read(reply.access_token.expose());
    let expected = rule.expected(&asked.audience);
    let names_audience = |claims: &UnverifiedClaims| {
        expected.is_none_or(|expected| claims.audiences().contains(&expected.as_str()))
    };
    let granted = granted(reply);
    let is_whole = granted
        .as_ref()
        .is_none_or(|granted| granted.is_superset(&asked.scopes));
    let is_right = claims.as_ref().is_none_or(names_audience);
    if !is_right || !is_whole {
        return None;
    }
    let claimed = || Duration::try_from_secs_f64(claims.as_ref()?.lifetime()?).ok();
    let lifetime = reply.lifetime.or_else(claimed)?.min(LIFETIME_MAX);
    let requested_at = reply.requested_at.wall();
    Some(KeptToken {
        audience: asked.audience.to_string(),
        asked: asked.scopes.to_string(),
        parameters: parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        granted: granted.map(|scopes| scopes.to_string()),
        access_token: reply.access_token.clone(),
        requested_at: milliseconds(requested_at.duration_since(std::time::UNIX_EPOCH).ok()?),
        lifetime: milliseconds(lifetime),
    })
}

/// What the issuer said that it granted, in the reply or in the token.
pub(crate) fn granted(reply: &TokenReply) -> Option<Scopes> {
    let in_token = || UnverifiedClaims::read(reply.access_token.expose())?.granted();
    reply.scopes.clone().or_else(in_token)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
