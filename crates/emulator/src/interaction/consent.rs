//! The consent page: what an application wants, and the person's yes or no.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::proceed::DENIED;
use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::page::{self, ConsentView, Item, Section};
use crate::person::{AuthorizationRequest, Back, Decision, Session, Step};
use crate::policy::RequestedScope;
use crate::refusal::{Code, Refusal};
use crate::tenant::Live;

pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    let ticket = query.get("ticket").unwrap_or_default();
    let shown = visit.read_ticket(ticket, Step::Consent).and_then(|found| {
        let session = visit.session().ok_or_else(Stop::gone)?;
        let requested = visit.requested_scopes(&found.request, &session.user)?;
        Ok(visit.consent_page(&found.request, &session, &requested, ticket))
    });
    shown.unwrap_or_else(|stop| visit.stop(&stop))
}

pub(super) async fn submit(mut visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let decided = decide(&mut visit, &headers, &body);
    decided.unwrap_or_else(|stop| visit.stop(&stop))
}

fn decide(visit: &mut Visit, headers: &HeaderMap, body: &[u8]) -> Result<Response, Stop> {
    let form = visit.form(headers, body)?;
    let ticket = visit.take_ticket(&form, Step::Consent)?;
    let session = visit.session().ok_or_else(Stop::gone)?;
    let request = ticket.request;
    let requested = visit.requested_scopes(&request, &session.user)?;
    match form.get("action") {
        Some("allow") => {
            visit.record_consent(&request, &session, &requested, true, true);
            Ok(visit.allow(&request, &session, &requested)?)
        }
        Some("switch") => {
            visit.set_session(None)?;
            Ok(visit.proceed(&request, false))
        }
        // Anything else counts as a refusal.
        _ => {
            visit.record_consent(&request, &session, &requested, true, false);
            Ok(visit.deny(&request, &session))
        }
    }
}

impl Visit {
    fn consent_page(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        requested: &[RequestedScope],
        ticket: &str,
    ) -> Response {
        let frame = self.frame();
        let live = self.tenant.live();
        let application = live.registry.find(&request.client_id);
        let person = live.user(&session.user);
        let who = (session.user.as_str(), request.client_id.as_str());
        let is_new = |it: &RequestedScope| {
            !live
                .people
                .consents
                .allows(who, it.audience.as_deref(), &it.scope)
        };
        let view = ConsentView {
            application: application.map_or("", |known| &known.application.name),
            person: person.map_or("", |person| &person.name),
            email: person.map_or("", |person| &person.email),
            sections: sections(&live, requested, is_new),
            target: target(&live, &request.back),
            ticket,
        };
        let content = page::consent(&frame, &view);
        drop(live);
        self.page(StatusCode::OK, content, Some(&request.back))
    }

    fn deny(&self, request: &AuthorizationRequest, session: &Session) -> Response {
        match &request.back {
            Back::Redirect(callback) => {
                let refusal = Refusal::new(Code::AccessDenied, DENIED);
                self.return_error(callback, &request.client_id, &refusal)
            }
            Back::Device(id) => {
                self.tenant
                    .live()
                    .people
                    .devices
                    .decide(*id, Decision::Denied);
                self.record_device("oauth.device_denied", request, session);
                self.page(StatusCode::OK, page::device_denied(&self.frame()), None)
            }
        }
    }
}

/// The scopes by API, in the order of the tenant's APIs, those about the person first.
fn sections<'l>(
    live: &'l Live,
    requested: &'l [RequestedScope],
    is_new: impl Fn(&RequestedScope) -> bool,
) -> Vec<Section<'l>> {
    let items = |audience: Option<&str>| -> Vec<Item<'l>> {
        let here = requested.iter();
        let here = here.filter(|it| it.audience.as_deref() == audience);
        here.map(|it| {
            let (name, description) = live.words_for(it);
            Item {
                scope: &it.scope,
                name,
                description,
                is_new: is_new(it),
            }
        })
        .collect()
    };
    let items = |audience: Option<&str>| {
        let mut items = items(audience);
        items.sort_by_key(|item| (!item.is_new, live.rank(item.scope)));
        items
    };
    let person = Section {
        name: "About you",
        audience: None,
        items: items(None),
    };
    let apis = live.apis.iter().map(|api| Section {
        name: &api.name,
        audience: Some(&api.audience),
        items: items(Some(&api.audience)),
    });
    let all = std::iter::once(person).chain(apis);
    let mut all: Vec<Section<'l>> = all.filter(|it| !it.items.is_empty()).collect();
    // What is new comes first, where the person sees it.
    all.sort_by_key(|section| !section.items.iter().any(|item| item.is_new));
    all
}

/// Where the answer goes, in a form that the person can check.
fn target(live: &Live, back: &Back) -> page::Target {
    match back {
        Back::Device(id) => {
            let device = live.people.devices.find(*id);
            page::Target::Device(device.map_or_else(String::new, |it| it.user_code.clone()))
        }
        Back::Redirect(callback) => {
            let url = url::Url::parse(&callback.redirect_uri).ok();
            let place = url.map(|url| match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => format!("{}:", url.scheme()),
            });
            page::Target::Application(place.unwrap_or_default())
        }
    }
}
