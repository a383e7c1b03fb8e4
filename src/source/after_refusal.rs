//! What to do after an API has refused a request that carried a token: the one table.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use crate::{
    error::{Asked, DeniedReason, Error, Proof},
    refusal::{Refusal, RefusalKind},
    request::TokenRequest,
    scope::Scopes,
    token::{AccessToken, Token},
};

/// What to do after an API has refused a request.
#[derive(Clone, Debug)]
#[must_use]
#[non_exhaustive]
pub enum AfterRefusal {
    /// Repeat the request with this token: once, whatever the API says then.
    Repeat(AccessToken),
    /// The refusal is not about the token: its answer is the answer.
    NotAboutToken,
}

/// What a source of tokens does about a refusal.
pub(super) enum Step {
    /// Drop the token if it is still the current one, and get one for the request.
    Replace(TokenRequest<'static>),
    /// Get a token for the request.
    Widen(TokenRequest<'static>),
    /// Nothing.
    NotAboutToken,
}

/// The decision. Each row of it is a kind of refusal.
///
/// | refusal | what is done |
/// |---|---|
/// | the token is invalid | dropped if it is still the current one, one new for all callers |
/// | a scope is missing, and all that are may be asked for | a token with what it was asked for and these |
/// | a scope is missing that may not be asked for, or none that is is named | `Denied`, without a request |
/// | the person has to prove more | `StepUp`; the token stays |
/// | another audience's, or about something else | nothing |
pub(super) fn decide(token: &AccessToken, refusal: &Refusal) -> Result<Step, Error> {
    let audience = token.audience();
    let kind = refusal.kind();
    tracing::debug!(%audience, status = refusal.status().as_u16(), ?kind, "an API refused a request");
    let is_of_another = refusal
        .named_audience()
        .is_some_and(|named| named != audience.as_str());
    if is_of_another {
        return Ok(Step::NotAboutToken);
    }
    match kind {
        RefusalKind::InvalidToken => Ok(Step::Replace(again(token, &Scopes::none()))),
        RefusalKind::InsufficientScope => {
            let missing = missing(token, refusal)?;
            Ok(Step::Widen(again(token, &missing)))
        }
        RefusalKind::InsufficientAuthentication => {
            let proof = Proof {
                acr_values: refusal.acr_values().map(str::to_owned),
                max_age: refusal.max_age(),
                refused: weak(token),
            };
            Err(Error::step_up_required(asked(token), proof))
        }
        RefusalKind::Other => Ok(Step::NotAboutToken),
    }
}

/// The scopes that the token lacks and that may be asked for.
fn missing(token: &AccessToken, refusal: &Refusal) -> Result<Scopes, Error> {
    // An API that repeats the token as a scope brings it into no error.
    let wanted = refusal.scopes();
    let wanted = wanted.iter().filter(|one| one.as_str() != token.secret());
    let missing = wanted
        .cloned()
        .collect::<Scopes>()
        .difference(token.scopes());
    let may_be_asked_for = refusal.allowed().union(&token.token().target.asked.scopes);
    let unlisted = missing.difference(&may_be_asked_for);
    if !unlisted.is_empty() {
        return Err(Error::lacking(
            asked(token),
            DeniedReason::ScopeNotListed,
            unlisted,
        ));
    }
    if missing.is_empty() {
        return Err(Error::lacking(
            asked(token),
            DeniedReason::ScopeNotNamed,
            missing,
        ));
    }
    Ok(missing)
}

/// The request that the token was fetched for, with `more` scopes.
fn again(token: &AccessToken, more: &Scopes) -> TokenRequest<'static> {
    let target = token.token().target_again();
    let scopes = target.asked.scopes.union(more);
    // Exactly these: whether its caller would take a broader token is not known here.
    TokenRequest::from(target.with_scopes(scopes)).exact_scopes()
}

/// The token without a hold on it: an error keeps no secret.
fn weak(token: &AccessToken) -> Weak<dyn Any + Send + Sync> {
    let shared: Arc<dyn Any + Send + Sync> = Arc::<Token>::clone(token.token());
    Arc::downgrade(&shared)
}

fn asked(token: &AccessToken) -> &Asked {
    &token.token().target.asked
}
