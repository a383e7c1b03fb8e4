//! The step-up page: a second factor for a person who is signed in already.

use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;

use super::proceed::DENIED;
use super::stop::Stop;
use super::visit::{Query, Visit};
use crate::audit::{AuditParty, Event, Outcome};
use crate::page::{self, SecondFactorView};
use crate::person::{AuthorizationRequest, Level, Session, Step};
use crate::refusal::{Code, Refusal};

pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    let ticket = query.get("ticket").unwrap_or_default();
    match visit.read_ticket(ticket, Step::SecondFactor) {
        Ok(found) => {
            visit.record_factor("user.mfa_required", Outcome::Success);
            visit.second_factor_page(&found.request, ticket, None)
        }
        Err(stop) => visit.stop(&stop),
    }
}

pub(super) async fn submit(visit: Visit, headers: HeaderMap, body: Bytes) -> Response {
    let verified = verify(&visit, &headers, &body);
    verified.unwrap_or_else(|stop| visit.stop(&stop))
}

fn verify(visit: &Visit, headers: &HeaderMap, body: &[u8]) -> Result<Response, Stop> {
    let form = visit.form(headers, body)?;
    let ticket = visit.take_ticket(&form, Step::SecondFactor)?;
    if form.get("action") == Some("cancel") {
        return Ok(visit.give_up(&ticket.request, &Refusal::new(Code::AccessDenied, DENIED)));
    }
    let session = visit.session().ok_or_else(Stop::gone)?;
    let code: String = form
        .get("code")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    if visit.raise_level(&session, &code) {
        visit.record_factor("user.mfa_succeeded", Outcome::Success);
        return Ok(visit.proceed(&ticket.request, true));
    }
    visit.record_factor("user.mfa_failed", Outcome::Failure);
    let next = visit.new_ticket(
        ticket.request.clone(),
        Step::SecondFactor,
        ticket.has_signed_in,
    )?;
    let message = "This code is not right.";
    Ok(visit.second_factor_page(&ticket.request, &next, Some(message)))
}

impl Visit {
    /// Raises the session to the second level if the code is right; returns whether it is.
    fn raise_level(&self, session: &Session, code: &str) -> bool {
        let now = self.tenant.now();
        let mut live = self.tenant.live();
        let user = live.user(&session.user);
        let factor = user.and_then(|user| user.second_factor.as_ref());
        let is_right = factor.is_some_and(|factor| factor.matches(code));
        let known = live.people.sessions.find_mut(&session.id);
        if let Some(session) = known.filter(|_| is_right) {
            session.sign_in.level = Level::Two;
            session.sign_in.at = now;
        }
        is_right
    }

    fn second_factor_page(
        &self,
        request: &AuthorizationRequest,
        ticket: &str,
        message: Option<&str>,
    ) -> Response {
        let session = self.session();
        let frame = self.frame();
        let live = self.tenant.live();
        let application = live.registry.find(&request.client_id);
        let user = session
            .as_ref()
            .and_then(|session| live.user(&session.user));
        let view = SecondFactorView {
            application: application.map_or("", |known| &known.application.name),
            email: user.map_or("", |user| &user.email),
            message,
            ticket,
        };
        let content = page::second_factor(&frame, &view);
        drop(live);
        self.question(content, message, Some(&request.back))
    }

    fn record_factor(&self, kind: &'static str, outcome: Outcome) {
        let Some(session) = self.session() else {
            return;
        };
        self.tenant.record(Event {
            kind,
            actor: AuditParty::new("user", session.user),
            target: AuditParty::new("session", session.id),
            outcome,
            data: json!({ "factor": "totp" }),
            context: self.exchange.audit_context(),
        });
    }
}
