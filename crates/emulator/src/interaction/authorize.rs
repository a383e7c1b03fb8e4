//! `GET /oauth2/authorize` (RFC 6749 section 4.1.1): an application asks for a person.

use std::time::Duration;

use axum::response::Response;
use serde_json::json;

use super::redirect_uri::fits;
use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::audit::{AuditParty, Event, Outcome};
use crate::config::{Application, ApplicationKind};
use crate::form::Form;
use crate::person::{AuthorizationRequest, Back, Callback, Level, Prompt};
use crate::policy::{self, Standing};
use crate::refusal::{Code, Refusal};
use crate::tenant::Tenant;

pub(super) async fn authorize(visit: Visit, Query(form): Query) -> Response {
    let (application, callback) = match identify_client(&visit, &form) {
        Ok(known) => known,
        Err(stop) => return visit.stop(&stop),
    };
    match read_request(&visit.tenant, &application, &callback, form) {
        Ok(request) => visit.proceed(&request, false),
        Err(refusal) => visit.return_error(&callback, &application.id, &refusal),
    }
}

/// RFC 6749 section 4.1.2.1: where client or redirect URI are wrong, the person is not redirected.
fn identify_client(visit: &Visit, form: &Form) -> Result<(Application, Callback), Stop> {
    let unknown = "This application is not registered here. Its developer can find the right id \
                   in the application's settings.";
    let unknown = || Stop::new("Unknown application", Code::InvalidRequest, unknown);
    let id = form.get("client_id").ok_or_else(unknown)?;
    let (application, loopback_ipv6) = {
        let live = visit.tenant.live();
        let known = live.registry.find(id).ok_or_else(unknown)?;
        (known.application.clone(), live.switches.loopback_ipv6)
    };
    let asked = form.get("redirect_uri").unwrap_or_default();
    let registered = &application.redirect_uris;
    // A parameter that is sent twice is ambiguous.
    let is_clear = form.all("redirect_uri").len() == 1 && form.all("client_id").len() == 1;
    let is_known = registered
        .iter()
        .any(|known| fits(known, asked, loopback_ipv6));
    if !is_clear || !is_known || asked.contains('#') {
        record_mismatch(visit, &application, asked);
        let description = "The address to return to is not one that this application registered. \
                           Nothing was sent there.";
        let title = "This address is not registered";
        return Err(Stop::new(title, Code::InvalidRedirectUri, description));
    }
    let callback = Callback {
        redirect_uri: asked.to_owned(),
        state: form.get("state").map(str::to_owned),
        nonce: form.get("nonce").map(str::to_owned),
        code_challenge: form.get("code_challenge").map(str::to_owned),
    };
    Ok((application, callback))
}

/// The platform documents that a mismatch is logged with both values.
fn record_mismatch(visit: &Visit, application: &Application, asked: &str) {
    visit.tenant.record(Event {
        kind: "oauth.redirect_uri_mismatch",
        actor: AuditParty::new("application", application.id.as_str()),
        target: visit.tenant.itself(),
        outcome: Outcome::Denied,
        data: json!({ "submitted": asked, "registered": application.redirect_uris }),
        context: visit.exchange.audit_context(),
    });
}

fn read_request(
    tenant: &Tenant,
    application: &Application,
    callback: &Callback,
    form: Form,
) -> Result<AuthorizationRequest, Refusal> {
    let form = form.without_duplicates(&["audience", "resource"])?;
    may_ask(application, &form)?;
    code_challenge(application, &form)?;
    let prompt = prompt(&form)?;
    let (audiences, scopes) = {
        let live = tenant.live();
        let standing = Standing {
            application,
            apis: &live.apis,
            switches: &live.switches,
            consents: &live.people.consents,
        };
        let audiences = policy::named_audiences(application, &live.apis, &live.switches, &form)?;
        let scopes = standing.named_scopes(&audiences, form.get("scope"))?;
        (audiences, scopes)
    };
    Ok(AuthorizationRequest {
        client_id: application.id.clone(),
        audiences,
        scopes,
        prompt,
        login_hint: form.get("login_hint").map(str::to_owned),
        max_age: max_age(&form)?,
        level: level(&form)?,
        back: Back::Redirect(callback.clone()),
    })
}

fn may_ask(application: &Application, form: &Form) -> Result<(), Refusal> {
    if !application.enabled {
        let description = format!("application `{}` is disabled", application.id);
        return Err(Refusal::new(Code::UnauthorizedClient, description));
    }
    if application.kind == ApplicationKind::Service {
        let description = format!("application `{}` acts for itself only", application.id);
        return Err(Refusal::new(Code::UnauthorizedClient, description));
    }
    if form.require("response_type")? != "code" {
        let description = "only the response type `code` is served";
        return Err(Refusal::new(Code::UnsupportedResponseType, description));
    }
    if form
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(Refusal::invalid_request(
            "only the response mode `query` is served",
        ));
    }
    // OpenID Connect Core section 6: a request object that is not read must not be ignored.
    for (name, code) in [
        ("request", "request objects"),
        ("request_uri", "request URIs"),
    ] {
        if form.get(name).is_some() {
            return Err(Refusal::invalid_request(format!("{code} are not served")));
        }
    }
    Ok(())
}

/// RFC 7636 section 4.3, and S256 only, as documented.
fn code_challenge(application: &Application, form: &Form) -> Result<(), Refusal> {
    let Some(challenge) = form.get("code_challenge") else {
        if application.is_confidential() {
            return Ok(());
        }
        let description = "a public application must send `code_challenge` with S256";
        return Err(Refusal::new(Code::PkceRequired, description));
    };
    if form.get("code_challenge_method") != Some("S256") {
        let description = "`code_challenge_method` must be S256";
        let code = if application.is_confidential() {
            Code::InvalidRequest
        } else {
            Code::PkceRequired
        };
        return Err(Refusal::new(code, description));
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if challenge.len() != S256_LENGTH || !challenge.bytes().all(is_base64url) {
        return Err(Refusal::invalid_request(
            "`code_challenge` is not a SHA-256 in base64url",
        ));
    }
    Ok(())
}

fn prompt(form: &Form) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    for word in form
        .get("prompt")
        .unwrap_or_default()
        .split(' ')
        .filter(|it| !it.is_empty())
    {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err(Refusal::invalid_request("`prompt` has an unknown value")),
        }
    }
    let asks = prompt.login || prompt.consent || prompt.select_account;
    if prompt.none && asks {
        let description = "`prompt` has `none` together with another value";
        return Err(Refusal::invalid_request(description));
    }
    Ok(prompt)
}

fn max_age(form: &Form) -> Result<Option<Duration>, Refusal> {
    let Some(text) = form.get("max_age") else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .map_err(|_unreadable: std::num::ParseIntError| {
            Refusal::invalid_request("`max_age` is not a number of seconds")
        })?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// The lowest of the levels that the application accepts.
fn level(form: &Form) -> Result<Level, Refusal> {
    let Some(words) = form.get("acr_values") else {
        return Ok(Level::One);
    };
    let lowest = words.split(' ').filter_map(Level::read).min();
    lowest.ok_or_else(|| {
        let description = format!("no level `{}` here", words.escape_default());
        Refusal::new(Code::UnmetAuthenticationRequirements, description)
    })
}

/// A SHA-256 in base64url without padding.
const S256_LENGTH: usize = 43;
