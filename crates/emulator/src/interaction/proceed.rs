//! What comes next for a request: a page, or the answer to the application.

use std::collections::BTreeSet;
use std::time::SystemTime;

use axum::http::StatusCode;
use axum::response::Response;

use super::stop::Stop;
use super::visit::Visit;
use crate::clock::later;
use crate::config::{ConsentMode, SilentRefusal, is_oidc_scope};
use crate::page;
use crate::person::{AuthorizationRequest, Back, Decision, Grant, Level, Session, Step};
use crate::policy::{RequestedScope, Standing};
use crate::random;
use crate::refusal::{Code, Refusal};
use crate::tenant::Live;

/// What the request needs next.
#[derive(Debug)]
enum Next {
    Page(Step),
    Done(Session, Vec<RequestedScope>),
}

impl Visit {
    /// Continues a request: with the next page, or with the answer to the application.
    pub(super) fn proceed(&self, request: &AuthorizationRequest, has_signed_in: bool) -> Response {
        let answered = match self.next(request, has_signed_in) {
            Ok(Next::Page(step)) => {
                let ticket = self.new_ticket(request.clone(), step, has_signed_in);
                ticket.map(|ticket| self.step(step, &ticket))
            }
            Ok(Next::Done(session, requested)) => self.allow(request, &session, &requested),
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| self.give_up(request, &refusal))
    }

    /// Ends the request without a grant: an error for the application, or a page where it has no redirect URI.
    pub(super) fn give_up(&self, request: &AuthorizationRequest, refusal: &Refusal) -> Response {
        match &request.back {
            Back::Redirect(callback) => self.return_error(callback, &request.client_id, refusal),
            Back::Device(_) => {
                let refusal = Refusal::new(refusal.code, refusal.description.as_str());
                self.stop(&Stop::from(refusal))
            }
        }
    }

    /// Ends the request with a grant: a code for the application, or the consent for the device.
    pub(super) fn allow(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        requested: &[RequestedScope],
    ) -> Result<Response, Refusal> {
        let grant = self.grant(request, session, requested);
        match &request.back {
            Back::Redirect(callback) => self.return_code(callback, grant),
            Back::Device(id) => {
                let decision = Decision::Allowed(Box::new(grant));
                self.tenant.live().people.devices.decide(*id, decision);
                self.record_device("oauth.device_approved", request, session);
                Ok(self.page(StatusCode::OK, page::device_allowed(&self.frame()), None))
            }
        }
    }

    fn next(&self, request: &AuthorizationRequest, has_signed_in: bool) -> Result<Next, Refusal> {
        let now = self.tenant.now();
        let session = self.session();
        let session = session.filter(|it| has_signed_in || self.is_enough(request, it, now));
        let Some(session) = session else {
            return self.or_silent(request, Code::LoginRequired, Next::Page(Step::SignIn));
        };
        if session.sign_in.level < request.level {
            self.can_reach(&session, request.level)?;
            return self.or_silent(
                request,
                Code::InteractionRequired,
                Next::Page(Step::SecondFactor),
            );
        }
        let requested = self.requested_scopes(request, &session.user)?;
        let is_new = |it: &&RequestedScope| !self.is_consented(request, &session.user, it);
        let new: Vec<RequestedScope> = requested.iter().filter(is_new).cloned().collect();
        // RFC 8628 section 5.4: the person confirms the code on every device.
        let must_ask = request.prompt.consent || matches!(request.back, Back::Device(_));
        if new.is_empty() && !must_ask {
            return Ok(Next::Done(session, requested));
        }
        let mode = self.tenant.live().switches.consent;
        match mode {
            ConsentMode::Ask => {
                self.or_silent(request, Code::ConsentRequired, Next::Page(Step::Consent))
            }
            ConsentMode::Auto => {
                self.record_consent(request, &session, &new, false, true);
                Ok(Next::Done(session, requested))
            }
            ConsentMode::Deny => {
                self.record_consent(request, &session, &new, false, false);
                Err(Refusal::new(Code::AccessDenied, DENIED))
            }
        }
    }

    /// Whether the session is enough for this request, without a new sign-in.
    fn is_enough(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        now: SystemTime,
    ) -> bool {
        let asks_again = request.prompt.login || request.prompt.select_account;
        let live = self.tenant.live();
        let is_hinted = match (&request.login_hint, live.user(&session.user)) {
            (Some(hint), Some(user)) if live.switches.login_hint_is_checked => {
                user.email.eq_ignore_ascii_case(hint) || user.id == *hint
            }
            _ => true,
        };
        is_young(request, session, now) && !asks_again && is_hinted
    }

    /// OpenID Connect Core section 3.1.2.6: with `prompt=none` no page is shown.
    fn or_silent(
        &self,
        request: &AuthorizationRequest,
        code: Code,
        next: Next,
    ) -> Result<Next, Refusal> {
        if !request.prompt.none {
            return Ok(next);
        }
        let code = match self.tenant.live().switches.silent_refusal {
            SilentRefusal::Specific => code,
            SilentRefusal::InteractionRequired => Code::InteractionRequired,
        };
        Err(Refusal::new(
            code,
            "a person must act, and `prompt` is `none`",
        ))
    }

    fn can_reach(&self, session: &Session, level: Level) -> Result<(), Refusal> {
        let live = self.tenant.live();
        let user = live.user(&session.user);
        let has_second = user.is_some_and(|user| user.second_factor.is_some());
        if level == Level::Two && has_second {
            return Ok(());
        }
        let description = format!("this person cannot reach {}", level.as_str());
        Err(Refusal::new(
            Code::UnmetAuthenticationRequirements,
            description,
        ))
    }

    /// What the application may get of this person: its allowlist and the person's entitlements.
    pub(super) fn requested_scopes(
        &self,
        request: &AuthorizationRequest,
        user: &str,
    ) -> Result<Vec<RequestedScope>, Refusal> {
        let live = self.tenant.live();
        let requested =
            standing(&live, request)?.requested_scopes(&request.audiences, &request.scopes)?;
        let user = live.user(user);
        let is_entitled = |it: &RequestedScope| {
            is_oidc_scope(&it.scope) || user.is_some_and(|user| user.is_entitled_to(&it.scope))
        };
        let (requested, lacking): (Vec<_>, Vec<_>) = requested.into_iter().partition(is_entitled);
        if requested.is_empty() && !lacking.is_empty() {
            let description = "this person is not entitled to anything that was asked for";
            return Err(Refusal::new(Code::AccessDenied, description));
        }
        Ok(requested)
    }

    pub(super) fn is_consented(
        &self,
        request: &AuthorizationRequest,
        user: &str,
        requested: &RequestedScope,
    ) -> bool {
        let live = self.tenant.live();
        standing(&live, request).is_ok_and(|standing| standing.is_consented(user, requested))
    }

    fn grant(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
        requested: &[RequestedScope],
    ) -> Grant {
        let scopes: BTreeSet<String> = requested.iter().map(|it| it.scope.clone()).collect();
        let mut audiences = request.audiences.clone();
        if audiences.is_empty() {
            // In the tenant's order, so that the first audience does not depend on the scopes.
            let live = self.tenant.live();
            let apis = live.apis.iter().map(|api| &api.audience);
            let is_wanted = |api: &&String| {
                requested
                    .iter()
                    .any(|it| it.audience.as_ref() == Some(*api))
            };
            audiences.extend(apis.filter(is_wanted).cloned());
        }
        let nonce = match &request.back {
            Back::Redirect(callback) => callback.nonce.clone(),
            Back::Device(_) => None,
        };
        Grant {
            family: random::id("fam_", self.tenant.now()),
            user: session.user.clone(),
            client_id: request.client_id.clone(),
            session: session.id.clone(),
            audiences,
            scopes,
            nonce,
            sign_in: session.sign_in.clone(),
        }
    }
}

/// OpenID Connect Core section 3.1.2.1: `max_age` since the person last proved who they are.
pub(super) fn is_young(request: &AuthorizationRequest, session: &Session, now: SystemTime) -> bool {
    let limit = request.max_age;
    limit.is_none_or(|age| later(session.sign_in.at, age) > now)
}

/// The application may have been changed or removed since it asked.
fn standing<'l>(live: &'l Live, request: &AuthorizationRequest) -> Result<Standing<'l>, Refusal> {
    let known = live
        .registry
        .find(&request.client_id)
        .filter(|it| it.application.enabled);
    let gone = || Refusal::new(Code::UnauthorizedClient, "the application is disabled");
    Ok(Standing {
        application: &known.ok_or_else(gone)?.application,
        apis: &live.apis,
        switches: &live.switches,
        consents: &live.people.consents,
    })
}

pub(super) const DENIED: &str = "the person did not allow it";
