//! The refresh token grant (RFC 6749 section 6): a person's session yields a token for each API.

mod kept;
mod redemption;

use std::sync::Arc;

pub(crate) use kept::{granted, keep};
use redemption::Redemption;

use super::{
    Flow, FlowContext, TokenResponse,
    sessions::{Looked, OpenSession, Sessions},
};
use crate::{
    dialect::TokenFamily,
    error::{Asked, Denied, Error, Resume, UnavailableReason},
    request::{Parameters, Principal},
    scope::Scopes,
    store::{Account, Coverage, SignedIn},
    time::Moment,
};

/// A person's tokens: from the session that a sign-in has left, without the person.
///
/// One redemption at a time for each session, across tasks and processes; what is refused or lost on
/// the way is handled so that the session survives wherever it can.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    sessions: Arc<Sessions>,
}

impl RefreshToken {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions }
    }
}

impl Flow for RefreshToken {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let Principal::Session(name) = cx.principal else {
            return Err(Error::request("there is no session to take a token from"));
        };
        let open = self.sessions.open(name);
        let wanted = Wanted::of(&cx, &self.sessions);
        for attempt in 1..=ATTEMPTS {
            let is_last = attempt == ATTEMPTS;
            let mut response = match self.obtain(&cx, &open, wanted.clone()).await {
                Ok(response) => response,
                Err(error) => {
                    let error = self.resumable(error, &cx, &open).await;
                    let is_for_person = error.person_needed().is_some();
                    // They have acted since it was found: who asked after that waits for this flight too.
                    if is_for_person && !is_last && open.revision() != error.revision() {
                        continue;
                    }
                    return Err(error);
                }
            };
            if let Some(account) = &response.account {
                if self.is_outdated(account, &open).await {
                    continue;
                }
                response.resets = open.meets_other(account);
            }
            return Ok(response);
        }
        Err(Error::unavailable(UnavailableReason::Abandoned))
    }
}

impl RefreshToken {
    async fn obtain(
        &self,
        cx: &FlowContext<'_>,
        open: &Arc<OpenSession>,
        wanted: Wanted,
    ) -> Result<TokenResponse, Error> {
        // Without the guard first: what another process has left needs no turn.
        let looked = self.sessions.look(open).await?;
        if matches!(looked, Looked::Nothing) && !open.has_unsaved() {
            // Nor a lock, which would leave a file for every name that a stranger makes up.
            return Err(signed_out(&wanted));
        }
        if let Looked::Found(session) = looked {
            let revision = session.revision;
            let Some(signed_in) = session.signed_in else {
                self.sessions.settle_sign_out(open).await;
                self.sessions.pay(open, cx.endpoint);
                return Err(signed_out(&wanted).found_in(revision));
            };
            if let Some(response) = kept::adopt(&signed_in, &wanted, open, self.sessions.now()) {
                self.sessions.save_kept(open);
                return Ok(response);
            }
            covers(
                &signed_in,
                &wanted,
                cx.endpoint.dialect().refresh_may_exceed,
            )
            .map_err(|error| error.found_in(revision))?;
        }
        let redemption = Redemption {
            sessions: Arc::clone(&self.sessions),
            endpoint: Arc::clone(cx.endpoint),
            open: Arc::clone(open),
            wanted,
        };
        // Whoever waits may give up, and their program end: the answer must not be lost.
        self.sessions.outlive(redemption.run()).await
    }

    /// Whether somebody else has signed in since this was read: it is theirs now that is handed out.
    async fn is_outdated(&self, account: &Account, open: &OpenSession) -> bool {
        if !open.is_of_other(account) {
            return false;
        }
        let now = self.sessions.peek(open).await.ok().flatten();
        let now = now.and_then(|session| session.signed_in);
        now.is_none_or(|now| now.account.is_other_than(account))
    }

    /// Adds to an error that needs a person what it takes to continue.
    async fn resumable(&self, error: Error, cx: &FlowContext<'_>, open: &OpenSession) -> Error {
        let Some((asked, _)) = error.person_needed() else {
            return error;
        };
        let signed_in = match self.sessions.peek(open).await {
            Ok(Some(session)) => session.signed_in,
            Ok(None) | Err(_) => None,
        };
        let is_apart = cx.endpoint.dialect().token_family == TokenFamily::PerAudience;
        let covered = signed_in
            .iter()
            .flat_map(SignedIn::covered)
            .filter(|(audience, _)| !is_apart || *audience == asked.audience)
            .map(|(audience, scopes)| Asked { audience, scopes })
            .collect();
        let identity_scopes = signed_in
            .as_ref()
            .map(|signed_in| &*signed_in.identity_scopes);
        let entrance = cx.endpoint.entrance(cx.in_background).await.ok();
        error.resumable(Resume {
            issuer: cx.issuer().to_owned(),
            client_id: cx.client_id().to_owned(),
            session: open.name().to_owned(),
            iss_parameter_supported: entrance.as_ref().is_some_and(|one| one.names_issuer),
            authorization_endpoint: entrance.and_then(|one| one.authorization_endpoint),
            offline_needs_consent: cx.endpoint.dialect().offline_needs_consent,
            audience_parameters: cx.endpoint.dialect().audience_parameter.names(),
            covered,
            identity_scopes: Scopes::from_reply(identity_scopes.unwrap_or_default()),
        })
    }
}

/// How often a flight starts because of somebody who signed in meanwhile.
const ATTEMPTS: usize = 2;

/// What a flight asks of a session.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) asked: Asked,
    pub(super) parameters: Parameters,
    pub(super) is_forced: bool,
    pub(super) in_background: bool,
    /// Whether there is a token that still does: then one like it is no gain.
    pub(super) replaces_usable: bool,
    pub(super) departed: Moment,
}

impl Wanted {
    fn of(cx: &FlowContext<'_>, sessions: &Sessions) -> Self {
        Self {
            asked: cx.asked.clone(),
            parameters: cx.parameters.clone(),
            is_forced: cx.is_forced,
            in_background: cx.in_background,
            replaces_usable: cx.replaces_usable,
            departed: sessions.now(),
        }
    }
}

/// Refuses what the sign-in is not known to cover, without asking the issuer: a refused refresh
/// consumes the token at some, and a prompt would not end at others.
pub(super) fn covers(signed_in: &SignedIn, wanted: &Wanted, may_exceed: bool) -> Result<(), Error> {
    let asked = &wanted.asked;
    let family = signed_in.family(&asked.audience);
    if family.is_some_and(|family| family.refresh_token.is_none()) {
        return Err(Error::login_required(asked));
    }
    let coverage = family.and_then(|family| family.covers.get(asked.audience.as_str()));
    let granted = coverage.map(Coverage::granted);
    let held = granted.clone().unwrap_or_default();
    let missing = asked.scopes.difference(&held);
    let withheld = coverage.map_or_else(Scopes::none, Coverage::withheld);
    if missing
        .iter()
        .any(|scope| withheld.contains(scope.as_str()))
    {
        // The person was asked already, and the issuer gave less: another prompt changes nothing.
        return Err(Error::Denied(Denied::narrowed(asked, &held)));
    }
    let is_covered = granted.is_some() && missing.is_empty();
    if is_covered || (may_exceed && family.is_some()) {
        return Ok(());
    }
    Err(Error::consent_required(asked, missing))
}

pub(super) fn signed_out(wanted: &Wanted) -> Error {
    Error::signed_out(&wanted.asked)
}
