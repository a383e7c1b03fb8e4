//! `/oauth2/logout`: a person signs out (OpenID Connect RP-Initiated Logout 1.0).

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use url::Url;

use super::redirect_uri::fits;
use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::form::Form;
use crate::page;
use crate::person::FamilyDeath;
use crate::refusal::Code;
use crate::routes;
use crate::tenant::{By, Tenant};

/// What an application asks for when it sends a person here.
#[derive(Debug, Default)]
struct Request {
    /// The session that the id token names, and the application that it was made for.
    hinted: Option<(String, String)>,
    return_to: Option<String>,
}

pub(super) async fn arrive(mut visit: Visit, Query(query): Query) -> Response {
    let left = leave(&mut visit, &query, false);
    left.unwrap_or_else(|stop| visit.stop(&stop))
}

/// From our own page, or from an application that posts (section 2).
pub(super) async fn submit(mut visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::read_leniently(&body);
    let is_ours = visit.form(&headers, &body).is_ok();
    let left = leave(&mut visit, &form, is_ours);
    left.unwrap_or_else(|stop| visit.stop(&stop))
}

pub(super) async fn signed_out(visit: Visit) -> Response {
    visit.page(StatusCode::OK, page::signed_out(&visit.frame()), None)
}

/// Signs out at once where an id token of this very session asks for it; else a page asks first,
/// so that a link alone signs no person out.
fn leave(visit: &mut Visit, form: &Form, is_confirmed: bool) -> Result<Response, Stop> {
    let request = read(&visit.tenant, form)?;
    let session = visit.session();
    if let Some(session) = &session {
        let is_theirs = request
            .hinted
            .as_ref()
            .is_some_and(|(sid, _)| *sid == session.id);
        if !is_confirmed && !is_theirs {
            let kept = form
                .get("id_token_hint")
                .map(|hint| ("id_token_hint", hint));
            let back = form.get("post_logout_redirect_uri");
            let kept = kept
                .into_iter()
                .chain(back.map(|it| ("post_logout_redirect_uri", it)));
            let kept = kept.chain(form.get("state").map(|state| ("state", state)));
            let kept = kept.chain(form.get("client_id").map(|id| ("client_id", id)));
            let kept: Vec<(&str, &str)> = kept.collect();
            let content = page::sign_out(&visit.frame(), &kept);
            let target = request.return_to.as_deref();
            return Ok(visit.page_with_target(StatusCode::OK, content, target));
        }
    }
    let ended = session.map(|session| session.id);
    let ended = ended.or_else(|| request.hinted.map(|(session, _)| session));
    if let Some(id) = ended {
        let by = By {
            context: visit.exchange.audit_context(),
            ..By::handle()
        };
        visit.tenant.end_session(&id, FamilyDeath::SignedOut, &by);
    }
    visit.set_session(None)?;
    Ok(match request.return_to {
        Some(return_to) => visit.redirect(&return_to),
        None => visit.redirect_to_page(routes::SIGNED_OUT),
    })
}

fn read(tenant: &Tenant, form: &Form) -> Result<Request, Stop> {
    let hinted = form
        .get("id_token_hint")
        .and_then(|hint| tenant.session_of(hint));
    let Some(uri) = form.get("post_logout_redirect_uri") else {
        return Ok(Request {
            hinted,
            return_to: None,
        });
    };
    let id = hinted
        .as_ref()
        .map(|(_, client)| client.as_str())
        .or_else(|| form.get("client_id"));
    let is_registered = id.is_some_and(|id| {
        let live = tenant.live();
        let known = live.registry.find(id);
        let ipv6 = live.switches.loopback_ipv6;
        known.is_some_and(|known| {
            let mut registered = known.application.logout_uris.iter();
            registered.any(|known| fits(known, uri, ipv6))
        })
    });
    if !is_registered {
        let description = "The address to return to after signing out is not one that this \
                           application registered. No session was ended.";
        let title = "This address is not registered";
        return Err(Stop::new(title, Code::InvalidRedirectUri, description));
    }
    let mut return_to = uri.to_owned();
    if let (Ok(mut url), Some(state)) = (Url::parse(uri), form.get("state")) {
        url.query_pairs_mut().append_pair("state", state);
        return_to = url.into();
    }
    Ok(Request {
        hinted,
        return_to: Some(return_to),
    })
}
