//! What an ID token says of a sign-in (`OpenID` Connect Core 1.0 section 3.1.3.7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::account::Profile;

use super::{
    algorithm::Algorithm,
    claim_set::{ClaimSet, LEEWAY, seconds},
    jws::{Compact, Headers, Kind},
    key_set::KeySet,
    refused::Refused,
};

/// What the ID token of a sign-in has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// The APIs that the sign-in asked for, by the names that tokens have for them: an ID token may be for
    /// them as well.
    pub(crate) apis: &'a [&'a str],
    /// The nonce that was sent with the authorization request, where one was.
    pub(crate) nonce: Option<&'a str>,
    /// The access token that came with it, where one did.
    pub(crate) access_token: Option<&'a str>,
    /// How long ago the person may have signed in, where that was asked for (`max_age`).
    pub(crate) max_age: Option<Duration>,
    /// What may have signed it; [`ALGORITHMS`] unless the issuer is known to differ.
    pub(crate) algorithms: &'a [Algorithm],
    pub(crate) now: SystemTime,
}

/// A checked ID token.
#[derive(Clone, PartialEq)]
pub(crate) struct IdToken {
    /// `sub`: never empty, and the same person for ever at this issuer.
    pub(crate) subject: String,
    pub(crate) expires_at: SystemTime,
    /// When the person signed in.
    pub(crate) auth_time: Option<SystemTime>,
    pub(crate) acr: Option<String>,
    /// The platform's name for the assurance level, `AAL1` to `AAL3`.
    pub(crate) auth_level: Option<String>,
    pub(crate) amr: Vec<String>,
    /// Whether it was compared with a nonce that was sent.
    pub(crate) is_nonce_checked: bool,
    pub(crate) sid: Option<String>,
    pub(crate) profile: Profile,
}

impl std::fmt::Debug for IdToken {
    /// Who the person is stays out of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdToken")
            .field("expires_at", &self.expires_at)
            .field("auth_time", &self.auth_time)
            .field("acr", &self.acr)
            .field("auth_level", &self.auth_level)
            .field("amr", &self.amr)
            .field("is_nonce_checked", &self.is_nonce_checked)
            .finish_non_exhaustive()
    }
}

/// `OpenID` Connect Core section 3.1.3.7, number 7: RS256 unless something else was registered.
pub(crate) const ALGORITHMS: &[Algorithm] = &[Algorithm::Rs256];

/// What of `advertised` (`id_token_signing_alg_values_supported`) may sign: all that verifies with a
/// public key. An issuer that says nothing signs with RS256, which every one must offer.
pub(crate) fn algorithms(advertised: &[String]) -> Vec<Algorithm> {
    let known: Vec<_> = advertised
        .iter()
        .filter_map(|name| Algorithm::named(name))
        .collect();
    if known.is_empty() {
        ALGORITHMS.to_vec()
    } else {
        known
    }
}

/// Checks `token` by all the rules for a client.
///
/// [`Refused::UnknownKey`] may mean that the keys have rotated: it is worth another try with newer
/// ones. Everything else is final.
pub(crate) fn check(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<IdToken, Refused> {
    let token = Compact::parse(token, &Headers::default())?;
    // RFC 8725 section 3.11: an access token of the same issuer is no answer to a sign-in.
    if !matches!(token.kind(), Kind::Untold | Kind::Jwt) {
        return Err(Refused::Type);
    }
    let payload = token.verify(keys, expected.algorithms)?;
    let claims = ClaimSet::read(&payload)?;
    check_parties(&claims, expected)?;
    let expires = claims.check_times(expected.now, LEEWAY)?;
    // Section 2: `iat` is required, as is `sub`.
    claims.time("iat")?.ok_or(Refused::Missing("iat"))?;
    check_nonce(&claims, expected.nonce)?;
    let auth_time = check_auth_time(&claims, expected)?;
    check_access_token(&claims, token.algorithm(), expected.access_token)?;
    let optional = |name| Ok(claims.text(name)?.map(str::to_owned));
    Ok(IdToken {
        subject: subject(&claims)?.to_owned(),
        expires_at: instant(expires),
        auth_time: auth_time.map(instant),
        acr: optional("acr")?,
        auth_level: claims.loose_text("auth_level").map(str::to_owned),
        amr: claims
            .texts("amr")?
            .into_iter()
            .map(str::to_owned)
            .collect(),
        is_nonce_checked: expected.nonce.is_some(),
        sid: optional("sid")?,
        // Names and addresses are for showing: in another form they are left out, and the token holds.
        profile: serde_json::from_slice(&payload)
            .map(|claims| Profile::from_claims(&claims))
            .unwrap_or_default(),
    })
}

/// Numbers 2 to 5: issued by the issuer, for this client, and to this client.
fn check_parties(claims: &ClaimSet<'_>, expected: &Expected<'_>) -> Result<(), Refused> {
    claims.check_issuer(expected.issuer)?;
    claims.check_audience(expected.client_id)?;
    let is_known = |name: &&str| *name == expected.client_id || expected.apis.contains(name);
    let is_ours = match claims.text("azp")? {
        Some(party) => party == expected.client_id,
        // Number 3: not if it is also for audiences that this client does not trust. An API that it has asked for is
        // one that it trusts, and none that it has not.
        None if !claims.one_or_many("aud")?.iter().all(is_known) => {
            return Err(Refused::FurtherAudience);
        }
        None => true,
    };
    // OpenID Connect Back-Channel Logout section 2.4: a logout token has events, and no nonce.
    if claims.has("events") {
        return Err(Refused::Type);
    }
    is_ours.then_some(()).ok_or(Refused::AuthorizedParty)
}

/// Number 11: the one that was sent.
fn check_nonce(claims: &ClaimSet<'_>, sent: Option<&str>) -> Result<(), Refused> {
    let nonce = claims.text("nonce")?;
    let is_answer = sent.is_none() || nonce == sent;
    is_answer.then_some(()).ok_or(Refused::Nonce)
}

/// Number 13: the person signed in recently enough; when that was.
fn check_auth_time(claims: &ClaimSet<'_>, expected: &Expected<'_>) -> Result<Option<f64>, Refused> {
    let auth_time = claims.time("auth_time")?;
    if let Some(max_age) = expected.max_age {
        let since = auth_time.ok_or(Refused::Missing("auth_time"))?;
        let line = since + max_age.as_secs_f64() + LEEWAY.as_secs_f64();
        if seconds(expected.now) > line {
            return Err(Refused::AuthenticatedTooLongAgo);
        }
    }
    Ok(auth_time)
}

/// Section 3.1.3.8: the left half of the access token's hash, where the issuer gives one.
fn check_access_token(
    claims: &ClaimSet<'_>,
    algorithm: Algorithm,
    access_token: Option<&str>,
) -> Result<(), Refused> {
    let (Some(hash), Some(access_token)) = (claims.text("at_hash")?, access_token) else {
        return Ok(());
    };
    let whole = digest(algorithm.digest(), access_token.as_bytes());
    let (left, _right) = whole.as_ref().split_at(whole.as_ref().len() / 2);
    let is_same = hash == URL_SAFE_NO_PAD.encode(left);
    is_same.then_some(()).ok_or(Refused::AccessTokenHash)
}

fn subject<'b>(claims: &'b ClaimSet<'_>) -> Result<&'b str, Refused> {
    let subject = claims.text("sub")?.ok_or(Refused::Missing("sub"))?;
    // Section 2: at most 255 characters.
    let is_one = !subject.is_empty() && subject.len() <= 255;
    is_one.then_some(subject).ok_or(Refused::Malformed("sub"))
}

/// Dates were checked to lie in this or the next few thousand years.
fn instant(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
#[path = "id_token/tests.rs"]
mod tests;
