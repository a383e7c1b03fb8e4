//! OAuth error code, or else status, to the caller's next move: the one table.

use super::{
    Asked, ConsentRequired, Denied, DeniedReason, Error, InvalidRequest, IssuerAnswer,
    LoginRequired, ProtocolViolation, Refusal, StepUpRequired, Unavailable, UnavailableReason,
    Violation,
};
use crate::scope::Scopes;

/// What a code or status stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Consent,
    Login,
    StepUp,
    Denied(DeniedReason),
    Unavailable(UnavailableReason),
    Request(&'static str),
    Protocol(&'static str),
}

use DeniedReason as D;
use UnavailableReason as U;
use Verdict::{Consent, Login, Protocol, Request, StepUp};

/// Each row: code, what it stands for, where it comes from.
const CODES: &[(&str, Verdict, &str)] = &[
    (
        "invalid_request",
        Request("the issuer found the request malformed"),
        "RFC 6749 section 5.2",
    ),
    (
        "invalid_client",
        Verdict::Denied(D::CredentialsRejected),
        "RFC 6749 section 5.2",
    ),
    ("invalid_grant", Login, "RFC 6749 section 5.2"),
    (
        "unauthorized_client",
        Verdict::Denied(D::ApplicationNotAllowed),
        "RFC 6749 section 5.2",
    ),
    (
        "unsupported_grant_type",
        Verdict::Denied(D::ApplicationNotAllowed),
        "RFC 6749 section 5.2",
    ),
    (
        "invalid_scope",
        Verdict::Denied(D::ScopeNotAllowed),
        "RFC 6749 section 5.2",
    ),
    (
        "scope_invalid",
        Verdict::Denied(D::ScopeNotAllowed),
        "seen: glewlwyd",
    ),
    (
        "access_denied",
        Verdict::Denied(D::AccessDenied),
        "RFC 6749 section 4.1.2.1",
    ),
    (
        "unsupported_response_type",
        Request("the issuer does not offer this response type"),
        "RFC 6749 section 4.1.2.1",
    ),
    (
        "server_error",
        Verdict::Unavailable(U::Issuer),
        "RFC 6749 section 4.1.2.1",
    ),
    (
        "temporarily_unavailable",
        Verdict::Unavailable(U::Issuer),
        "RFC 6749 section 4.1.2.1",
    ),
    (
        "invalid_target",
        Verdict::Denied(D::AudienceNotAllowed),
        "RFC 8707 section 2, RFC 8693 section 2.2.2",
    ),
    ("invalid_token", Login, "RFC 6750 section 3.1"),
    (
        "insufficient_scope",
        Verdict::Denied(D::ScopeNotAllowed),
        "RFC 6750 section 3.1, platform",
    ),
    (
        "insufficient_user_authentication",
        StepUp,
        "RFC 9470 section 3",
    ),
    (
        "unmet_authentication_requirements",
        StepUp,
        "OpenID Connect Unmet Authentication Requirements 1.0",
    ),
    (
        "interaction_required",
        Consent,
        "OpenID Connect Core section 3.1.2.6",
    ),
    (
        "consent_required",
        Consent,
        "OpenID Connect Core section 3.1.2.6, platform",
    ),
    (
        "login_required",
        Login,
        "OpenID Connect Core section 3.1.2.6",
    ),
    (
        "account_selection_required",
        Login,
        "OpenID Connect Core section 3.1.2.6",
    ),
    (
        "authorization_pending",
        Protocol("a device code answer outside of a device login"),
        "RFC 8628 section 3.5",
    ),
    (
        "slow_down",
        Verdict::Unavailable(U::RateLimited),
        "RFC 8628 section 3.5",
    ),
    ("expired_token", Login, "RFC 8628 section 3.5"),
    ("device_not_found", Login, "seen: better-auth"),
    ("invalid_code", Login, "seen: glewlwyd"),
    (
        "pkce_required",
        Request("the issuer wants PKCE"),
        "platform",
    ),
    (
        "invalid_redirect_uri",
        Request("the redirect URI is not registered"),
        "platform",
    ),
    (
        "state_mismatch",
        Protocol("the state does not match: do not retry"),
        "platform",
    ),
    ("token_expired", Login, "platform"),
    ("session_expired", Login, "platform"),
    ("session_revoked", Login, "platform"),
    ("not_authenticated", Login, "platform"),
    ("silent_auth_failed", Login, "platform"),
    ("invalid_credentials", Login, "platform"),
    ("email_unverified", Login, "platform"),
    ("password_must_be_reset", Login, "platform"),
    ("captcha_required", Login, "platform"),
    ("mfa_required", StepUp, "platform"),
    ("mfa_enrolment_required", StepUp, "platform"),
    ("step_up_required", StepUp, "platform"),
    ("webauthn_failed", StepUp, "platform"),
    ("totp_invalid", StepUp, "platform"),
    (
        "account_disabled",
        Verdict::Denied(D::AccountDisabled),
        "platform",
    ),
    (
        "account_locked",
        Verdict::Unavailable(U::Issuer),
        "platform",
    ),
    (
        "rate_limited",
        Verdict::Unavailable(U::RateLimited),
        "platform",
    ),
    ("network_error", Verdict::Unavailable(U::Issuer), "platform"),
    (
        "not_found",
        Protocol("there is no such endpoint"),
        "platform",
    ),
];

/// Whether `code` is a documented one.
pub(super) fn is_known(code: &str) -> bool {
    CODES.iter().any(|(known, ..)| *known == code)
}

/// A status that asks for patience says so whatever the body claims; else the code decides, else the status.
pub(super) fn verdict(answer: &IssuerAnswer) -> Verdict {
    let by_status = match answer.status() {
        429 => Some(Verdict::Unavailable(U::RateLimited)),
        408 | 425 | 500.. => Some(Verdict::Unavailable(U::Issuer)),
        _ => None,
    };
    let by_code = || {
        let code = answer.code()?;
        CODES
            .iter()
            .find(|(known, ..)| *known == code)
            .map(|(_, verdict, _)| *verdict)
    };
    by_status
        .or_else(by_code)
        .unwrap_or_else(|| by_status_alone(answer))
}

/// For answers without a body, or with an undocumented code.
fn by_status_alone(answer: &IssuerAnswer) -> Verdict {
    match answer.status() {
        300..=399 => Protocol("a redirect, and those are not followed"),
        403 if answer.code().is_some() => Verdict::Denied(D::Unspecified),
        // RFC 6749 section 5.2: 401 is for client authentication; glewlwyd says 403 with no body.
        401 | 403 => Verdict::Denied(D::CredentialsRejected),
        404 | 405 | 410 => Protocol("there is no token endpoint at this address"),
        400..=499 => Protocol("refused without a code that is known"),
        _ => Protocol("neither a token nor an error"),
    }
}

impl Verdict {
    pub(super) fn into_error(self, asked: &Asked, answer: IssuerAnswer, refused: Refusal) -> Error {
        let missing = missing(asked, refused.named_scopes);
        match self {
            Self::Consent => Error::Consent(ConsentRequired::new(asked, missing, Some(answer))),
            Self::Login => Error::Login(LoginRequired::new(asked, Scopes::none(), Some(answer))),
            Self::StepUp => Error::StepUp(StepUpRequired::new(asked, Scopes::none(), Some(answer))),
            Self::Denied(reason) => {
                Error::Denied(Denied::new(asked, reason, missing, Some(answer)))
            }
            Self::Unavailable(reason) => {
                Error::Unavailable(Unavailable::answered(reason, refused.retry_after, answer))
            }
            Self::Request(problem) => Error::Request(InvalidRequest::answered(problem, answer)),
            Self::Protocol(_) if (300..400).contains(&answer.status()) => Error::Protocol(
                ProtocolViolation::new(Some(asked), Violation::Redirect, Some(answer)),
            ),
            Self::Protocol(problem) => Error::Protocol(ProtocolViolation::new(
                Some(asked),
                Violation::Reply(problem.to_owned()),
                Some(answer),
            )),
        }
    }
}

/// The scopes that the issuer named, if they are ours; else all that were asked for.
fn missing(asked: &Asked, named: Scopes) -> Scopes {
    let are_ours = !named.is_empty() && asked.scopes.is_superset(&named);
    if are_ours {
        named
    } else {
        asked.scopes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Audience;

    fn answer(status: u16, code: Option<&str>) -> IssuerAnswer {
        IssuerAnswer::new(status).with_code(code.map(str::to_owned))
    }

    fn error(status: u16, code: Option<&str>) -> Error {
        let scopes = "read write".parse().unwrap();
        let asked = Asked {
            audience: Audience::from("api"),
            scopes,
        };
        Error::from_answer(&asked, answer(status, code), Refusal::default())
    }

    #[test]
    fn every_row_leads_to_its_variant() {
        let rows = [
            (400, "invalid_request", "request"),
            (401, "invalid_client", "denied"),
            (400, "invalid_grant", "login"),
            (400, "unauthorized_client", "denied"),
            (400, "unsupported_grant_type", "denied"),
            (400, "invalid_scope", "denied"),
            (400, "scope_invalid", "denied"),
            (403, "access_denied", "denied"),
            (400, "unsupported_response_type", "request"),
            (400, "server_error", "unavailable"),
            (400, "temporarily_unavailable", "unavailable"),
            (400, "invalid_target", "denied"),
            (401, "invalid_token", "login"),
            (403, "insufficient_scope", "denied"),
            (401, "insufficient_user_authentication", "step_up"),
            (400, "unmet_authentication_requirements", "step_up"),
            (400, "interaction_required", "consent"),
            (400, "consent_required", "consent"),
            (400, "login_required", "login"),
            (400, "account_selection_required", "login"),
            (400, "authorization_pending", "protocol"),
            (400, "slow_down", "unavailable"),
            (400, "expired_token", "login"),
            (404, "device_not_found", "login"),
            (403, "invalid_code", "login"),
            (400, "pkce_required", "request"),
            (400, "invalid_redirect_uri", "request"),
            (400, "state_mismatch", "protocol"),
            (401, "token_expired", "login"),
            (401, "session_expired", "login"),
            (401, "session_revoked", "login"),
            (401, "not_authenticated", "login"),
            (400, "silent_auth_failed", "login"),
            (401, "invalid_credentials", "login"),
            (403, "email_unverified", "login"),
            (403, "password_must_be_reset", "login"),
            (400, "captcha_required", "login"),
            (403, "mfa_required", "step_up"),
            (403, "mfa_enrolment_required", "step_up"),
            (401, "step_up_required", "step_up"),
            (401, "webauthn_failed", "step_up"),
            (401, "totp_invalid", "step_up"),
            (403, "account_disabled", "denied"),
            (403, "account_locked", "unavailable"),
            (400, "rate_limited", "unavailable"),
            (400, "network_error", "unavailable"),
            (404, "not_found", "protocol"),
        ];
        for (status, code, kind) in rows {
            assert_eq!(error(status, Some(code)).kind(), kind, "{code}");
        }
        let tested: Vec<&str> = rows.iter().map(|(_, code, _)| *code).collect();
        for (code, ..) in CODES {
            assert!(tested.contains(code), "{code} has no row in this test");
        }
    }

    #[test]
    fn a_status_that_asks_for_patience_outweighs_the_code() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(
                error(status, Some("invalid_grant")).is_retryable(),
                "{status}"
            );
        }
    }

    #[test]
    fn an_answer_without_a_known_code_is_read_by_its_status() {
        for (status, kind) in [
            (401, "denied"),
            (403, "denied"),
            (400, "protocol"),
            (404, "protocol"),
            (410, "protocol"),
            (302, "protocol"),
            (429, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
        ] {
            assert_eq!(error(status, None).kind(), kind, "{status}");
            assert_eq!(error(status, Some("made_up")).kind(), kind, "{status}");
        }
    }

    #[test]
    fn the_same_code_means_the_same_whatever_refusing_status_carries_it() {
        for status in [200, 400, 401, 403] {
            assert_eq!(error(status, Some("invalid_client")).kind(), "denied");
            assert_eq!(error(status, Some("consent_required")).kind(), "consent");
        }
    }

    #[test]
    fn an_allowlist_gap_never_asks_a_person() {
        for code in [
            "invalid_scope",
            "scope_invalid",
            "insufficient_scope",
            "invalid_target",
        ] {
            assert!(matches!(error(400, Some(code)), Error::Denied(_)), "{code}");
        }
    }

    #[test]
    fn scopes_named_by_the_issuer_are_missing_if_they_were_asked_for() {
        let asked = Asked {
            audience: Audience::from("api"),
            scopes: "a b".parse().unwrap(),
        };
        for (named, expected) in [("b", "b"), ("c", "a b"), ("", "a b")] {
            let refused = Refusal {
                named_scopes: Scopes::from_reply(named),
                retry_after: None,
            };
            let error = Error::from_answer(&asked, answer(400, Some("invalid_scope")), refused);
            let Error::Denied(denied) = error else {
                panic!("{error:?}")
            };
            assert_eq!(denied.missing().to_string(), expected);
        }
    }

    #[test]
    fn messages_and_debug_show_no_text_of_the_issuer() {
        let hostile = IssuerAnswer::new(400)
            .with_code(Some("Eyj0.secret9".to_owned()))
            .with_description(Some("secret9 was wrong".to_owned()))
            .with_request_id(Some("secret9".to_owned()));
        let asked = Asked {
            audience: Audience::from("api"),
            scopes: Scopes::none(),
        };
        let error = Error::from_answer(&asked, hostile, Refusal::default());
        let shown = format!("{error} {error:?} {}", error.next_move());
        assert!(!shown.contains("secret9"), "{shown}");
        assert_eq!(
            error.answer().unwrap().description(),
            Some("secret9 was wrong")
        );
    }
}
