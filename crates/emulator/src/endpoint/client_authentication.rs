//! Which application is asking, and whether it can prove it.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::config::{Application, BasicDecoding, Challenge, ClientAuthentication, Switches};
use crate::form::Form;
use crate::refusal::{Code, Refusal};
use crate::tenant::{Authenticated, Tenant};

/// The claim of a request: an id, and how it wants to prove it.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    method: ClientAuthentication,
    /// The readings of id and secret, in the order in which they are tried.
    readings: Vec<(String, Option<String>)>,
}

/// The application behind a request that authenticates.
///
/// A disabled one is refused here too, but only after it has proved who it is.
pub(super) fn authenticate(
    tenant: &Tenant,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Application, Refusal> {
    let now = tenant.now();
    let live = tenant.live();
    let switches = &live.switches;
    let claim = claim(headers, form, switches.basic_decoding)?;
    if !switches.client_authentication.contains(&claim.method) {
        let description = format!("this tenant does not accept {}", name_of(claim.method));
        return Err(not_authenticated(description, claim.method, switches));
    }
    for (id, secret) in &claim.readings {
        match live.registry.authenticate(id, secret.as_deref(), now) {
            Authenticated::No => {}
            Authenticated::Yes(application) if application.enabled => return Ok(*application),
            Authenticated::Yes(application) => {
                let description = format!("application `{}` is disabled", application.id);
                return Err(Refusal::new(Code::UnauthorizedClient, description));
            }
        }
    }
    // One sentence for an unknown id and for a wrong secret: it does not reveal which ids exist.
    let description = "the client id is unknown or its secret is wrong or missing";
    Err(not_authenticated(description, claim.method, switches))
}

/// The client id that a request claims, believed or not, for the logs and the faults.
pub(crate) fn claimed_id(headers: &HeaderMap, form: &Form) -> Option<String> {
    let basic = basic(headers).ok().flatten();
    let basic = basic.and_then(|(id, _)| form_decoded(&id).or(Some(id)));
    basic.or_else(|| form.get("client_id").map(str::to_owned))
}

/// RFC 6749 section 2.3: never more than one method in one request.
fn claim(headers: &HeaderMap, form: &Form, decoding: BasicDecoding) -> Result<Claim, Refusal> {
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    let Some((raw_id, raw_secret)) = basic(headers)? else {
        let id = id.ok_or_else(|| {
            Refusal::new(
                Code::InvalidClient,
                "the request names no client: add `client_id`",
            )
        })?;
        let method = match secret {
            Some(_) => ClientAuthentication::ClientSecretPost,
            None => ClientAuthentication::None,
        };
        let readings = vec![(id.to_owned(), secret.map(str::to_owned))];
        return Ok(Claim { method, readings });
    };
    if secret.is_some() {
        let description = "the client authenticates twice: in the header and in the form";
        return Err(Refusal::invalid_request(description));
    }
    let raw = Some((raw_id.clone(), Some(raw_secret.clone())));
    let decoded = form_decoded(&raw_id)
        .zip(form_decoded(&raw_secret))
        .map(|(id, secret)| (id, Some(secret)));
    let readings: Vec<_> = match decoding {
        BasicDecoding::Form => decoded.into_iter().collect(),
        BasicDecoding::Raw => raw.into_iter().collect(),
        BasicDecoding::Either => decoded.into_iter().chain(raw).collect(),
    };
    if id.is_some_and(|id| !readings.iter().any(|(known, _)| known == id)) {
        let description = "the header and the form name different clients";
        return Err(Refusal::invalid_request(description));
    }
    Ok(Claim {
        method: ClientAuthentication::ClientSecretBasic,
        readings,
    })
}

/// The two halves of HTTP Basic (RFC 7617 section 2), not yet form-decoded.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let unreadable = || {
        let description = "the header Authorization is not valid HTTP Basic";
        Refusal::new(Code::InvalidClient, description)
            .with_header(WWW_AUTHENTICATE, BASIC_CHALLENGE)
    };
    let (scheme, encoded) = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(unreadable)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unreadable());
    }
    let decoded = STANDARD.decode(encoded.trim()).ok();
    let text = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(unreadable)?;
    let (id, secret) = text.split_once(':').ok_or_else(unreadable)?;
    Ok(Some((id.to_owned(), secret.to_owned())))
}

/// RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
fn form_decoded(half: &str) -> Option<String> {
    let spaced = half.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(String::from)
}

fn not_authenticated(
    description: impl Into<String>,
    method: ClientAuthentication,
    switches: &Switches,
) -> Refusal {
    let refusal = Refusal::new(Code::InvalidClient, description);
    if method != ClientAuthentication::ClientSecretBasic {
        return refusal;
    }
    match switches.challenge {
        Challenge::Basic => refusal.with_header(WWW_AUTHENTICATE, BASIC_CHALLENGE),
        Challenge::Bearer => refusal.with_header(WWW_AUTHENTICATE, "Bearer"),
        Challenge::WithoutScheme => refusal.with_header(WWW_AUTHENTICATE, "realm=\"intelliauth\""),
        Challenge::None => refusal,
    }
}

fn name_of(method: ClientAuthentication) -> &'static str {
    match method {
        ClientAuthentication::ClientSecretBasic => "client_secret_basic",
        ClientAuthentication::ClientSecretPost => "client_secret_post",
        ClientAuthentication::None => "clients without authentication",
    }
}

/// RFC 6749 section 5.2: a 401 after HTTP Basic names the scheme.
const BASIC_CHALLENGE: &str = "Basic realm=\"intelliauth\", charset=\"UTF-8\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn basic_header(halves: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(halves))
            .parse()
            .unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    fn readings(halves: &str, decoding: BasicDecoding) -> Vec<(String, String)> {
        let claim = claim(&basic_header(halves), &Form::default(), decoding).unwrap();
        let pair = |(id, secret): (String, Option<String>)| (id, secret.unwrap());
        claim.readings.into_iter().map(pair).collect()
    }

    #[test]
    fn both_halves_of_basic_are_form_decoded() {
        let expected = [("a:b".to_owned(), "p w%+".to_owned())];
        assert_eq!(readings("a%3Ab:p+w%25%2B", BasicDecoding::Form), expected);
    }

    #[test]
    fn raw_basic_is_taken_as_it_is() {
        let expected = [("app".to_owned(), "p+w%25:x".to_owned())];
        assert_eq!(readings("app:p+w%25:x", BasicDecoding::Raw), expected);
        assert_eq!(readings("app:p+w%25:x", BasicDecoding::Either).len(), 2);
    }

    #[test]
    fn two_methods_at_once_are_refused() {
        let form = Form::read_leniently(b"client_id=app&client_secret=s");
        let refusal = claim(&basic_header("app:s"), &form, BasicDecoding::Form).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidRequest);
    }

    #[test]
    fn broken_basic_is_refused_as_a_client() {
        for broken in ["Basic", "Basic !!!", "Bearer abc", "Basic YWJj"] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, broken.parse().unwrap())]);
            let refusal = claim(&headers, &Form::default(), BasicDecoding::Form).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidClient, "{broken}");
        }
    }
}
