//! What an error says of the refresh token that was sent: refused, perhaps redeemed, or neither.

use crate::{
    error::{Asked, Error, IssuerAnswer, LoginRequired, UnavailableReason, Violation},
    scope::Scopes,
};

/// RFC 6749 section 5.2: the refresh token itself is what the issuer refuses.
pub(super) fn is_refused(error: &Error) -> bool {
    let code = error.answer().and_then(|answer| answer.code());
    matches!(error, Error::Login(_)) && code.is_some_and(|code| REFUSED.contains(&code))
}

/// What some issuers say of a refresh token that has ended: nothing, or that the request is malformed.
///
/// A sign-in mends that. The token is kept, since it may be the request after all.
pub(super) fn in_other_words(error: Error, asked: &Asked) -> Error {
    let is_vague = |answer: &&IssuerAnswer| {
        answer.status() == 400 && matches!(answer.code(), None | Some("invalid_request"))
    };
    match error.answer().filter(is_vague).cloned() {
        Some(answer) => Error::Login(LoginRequired::new(asked, Scopes::none(), Some(answer))),
        None => error,
    }
}

/// Whether the issuer may have redeemed the token although no answer came.
pub(super) fn is_unknown(error: &Error) -> bool {
    let Error::Unavailable(unavailable) = error else {
        // What an answer said that was too long is not known. One that was read whole and breaks a
        // rule brought no other token (RFC 6749 section 6: then the old one stays).
        return matches!(error, Error::Protocol(violation)
            if matches!(violation.violation(), Violation::TooLarge(_)));
    };
    match unavailable.reason() {
        UnavailableReason::Timeout
        | UnavailableReason::Interrupted
        | UnavailableReason::UnusableBody
        | UnavailableReason::Abandoned => true,
        UnavailableReason::Connect | UnavailableReason::Issuer | UnavailableReason::RateLimited => {
            false
        }
    }
}

/// Whether it is a success that was read whole, and breaks a rule.
pub(super) fn is_success(error: &Error) -> bool {
    let Error::Protocol(violation) = error else {
        return false;
    };
    !matches!(
        violation.violation(),
        Violation::TooLarge(_) | Violation::Redirect
    )
}

/// Codes with which issuers refuse a refresh token: RFC 6749, RFC 6750, and the platform's own.
const REFUSED: &[&str] = &[
    "invalid_grant",
    "invalid_token",
    "token_expired",
    "session_expired",
    "session_revoked",
];
