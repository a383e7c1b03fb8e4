//! [`Rules`]: which tokens are access tokens for this API.

use std::time::SystemTime;

use super::claims::{AssuranceLevel, Claims, Parts};
use crate::{
    jwt::{Algorithm, ClaimSet, Compact, KeySet, Kind, LEEWAY, Refused},
    scope::{Scope, Scopes},
};

/// What a token must be, beyond its signature.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether all that RFC 9068 requires must be there.
    pub(super) is_profile_strict: bool,
    pub(super) takes_scope_arrays: bool,
    pub(super) takes_scp: bool,
}

impl Rules {
    /// Checks a token that was taken apart, with `keys`.
    pub(super) fn check(
        &self,
        token: &Compact<'_>,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<Claims, Refused> {
        let payload = token.verify(keys, &self.algorithms)?;
        let claims = ClaimSet::read(&payload)?;
        claims.check_issuer(&self.issuer)?;
        claims.check_audience(&self.audience)?;
        claims.check_texts("amr")?;
        check_purpose(&claims)?;
        let expires = claims.check_times(now, LEEWAY)?;
        if self.is_profile_strict {
            check_profile(&claims)?;
        }
        let parts = Parts {
            subject: claims.text("sub")?.map(Box::from),
            client_id: client_id(&claims)?.map(Box::from),
            scopes: self.scopes(&claims)?,
            expires,
            level: level(&claims)?,
            payload: Vec::new(),
        };
        Ok(Claims::new(Parts { payload, ..parts }))
    }

    /// Refuses at once what no key could make acceptable.
    pub(super) fn check_header(&self, token: &Compact<'_>) -> Result<(), Refused> {
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(Refused::Algorithm);
        }
        // RFC 9068 section 4: `at+jwt`. The platform does not say what it writes, so `JWT` and
        // nothing are taken too; what calls itself anything else is something else.
        let is_right = match token.kind() {
            Kind::AccessToken => true,
            Kind::Jwt | Kind::Untold => !self.is_profile_strict,
            Kind::Other => false,
        };
        is_right.then_some(()).ok_or(Refused::Type)
    }

    /// `scope`, separated by spaces (RFC 9068 section 2.2.3), and `scp` where that is an option.
    fn scopes(&self, claims: &ClaimSet<'_>) -> Result<Scopes, Refused> {
        let scopes = self.scopes_in(claims, "scope")?;
        if !self.takes_scp {
            return Ok(scopes);
        }
        Ok(scopes.union(&self.scopes_in(claims, "scp")?))
    }

    fn scopes_in(&self, claims: &ClaimSet<'_>, name: &'static str) -> Result<Scopes, Refused> {
        // RFC 6749 section 3.3: what is no scope can be no requirement either.
        let scope = |name: &str| Scope::new(name).ok();
        if self.takes_scope_arrays && claims.is_array(name) {
            return Ok(claims.texts(name)?.into_iter().filter_map(scope).collect());
        }
        let text = claims.text(name)?.unwrap_or_default();
        Ok(text.split(' ').filter_map(scope).collect())
    }
}

/// Refuses tokens of the same issuer that are no access tokens, and those of another holder.
fn check_purpose(claims: &ClaimSet<'_>) -> Result<(), Refused> {
    // OpenID Connect Core section 2 and Back-Channel Logout section 2.4: claims of ID and logout
    // tokens, which may have this API's audience if it signs people in as well.
    for name in ["nonce", "at_hash", "c_hash", "events"] {
        if claims.has(name) {
            return Err(Refused::NotAnAccessToken(name));
        }
    }
    // RFC 7800: the sender has to prove a key, and no such proof is read here.
    if claims.has("cnf") {
        return Err(Refused::Bound);
    }
    Ok(())
}

/// RFC 9068 section 2.2: required there, and not by the platform's documentation.
fn check_profile(claims: &ClaimSet<'_>) -> Result<(), Refused> {
    for name in ["sub", "client_id", "jti"] {
        claims.text(name)?.ok_or(Refused::Missing(name))?;
    }
    claims.time("iat")?.ok_or(Refused::Missing("iat"))?;
    Ok(())
}

fn client_id<'b>(claims: &'b ClaimSet<'_>) -> Result<Option<&'b str>, Refused> {
    let azp = claims.text("azp")?;
    Ok(claims.text("client_id")?.or(azp))
}

fn level(claims: &ClaimSet<'_>) -> Result<Option<AssuranceLevel>, Refused> {
    let acr = claims.text("acr")?.and_then(AssuranceLevel::named);
    if !claims.has("auth_level") {
        return Ok(acr);
    }
    // It is registered nowhere, so another issuer may mean anything by it: what is no known level is no
    // level, whatever `acr` says.
    let told = claims.loose_text("auth_level");
    let told = told.and_then(AssuranceLevel::named);
    Ok(told.map(|told| acr.map_or(told, |acr| acr.min(told))))
}
