//! Every [`Error`], as a client would return it.
//!
//! | variant | made by |
//! |---|---|
//! | [`Error::Consent`] | [`consent_required`] |
//! | [`Error::Login`] | [`login_required`] |
//! | [`Error::StepUp`] | [`step_up_required`] |
//! | [`Error::Denied`] | [`denied`], [`narrowed`] |
//! | [`Error::Unavailable`] | [`unavailable`] |
//! | [`Error::Protocol`] | [`protocol`], [`wrong_audience`], [`wrong_issuer`] |
//! | [`Error::Request`] | [`invalid_request`] |
//! | [`Error::NotCached`] | [`not_cached`] |
//! | [`Error::Store`] | [`store`], [`not_kept`], or from a [`StoreError`] |
//!
//! Those that need a person know how to go on, as if they came from the session called
//! [`DEFAULT_SESSION`]: their `authorization_url` leads to `https://issuer.example/authorize`.
//! [`of_session`] names another one.

use std::time::Duration;

use url::Url;

use crate::{
    account::Account,
    client::DEFAULT_SESSION,
    dialect::Dialect,
    error::{
        Asked, ConsentRequired, Denied, DeniedReason, Error, NotCached, Resume, StepUpRequired,
        StoreError, StoreErrorKind, Unavailable, UnavailableReason, Violation,
    },
    request::TokenRequest,
    scope::{Audience, Scopes},
};

/// A person has to consent to the scopes in `missing` first; several are separated by spaces.
///
/// # Examples
///
/// ```
/// use intelliauth::{Error, TokenRequest, test_util::errors};
///
/// let request = TokenRequest::new("api.banking.example").scope("read:accounts write:transfers");
/// let Error::Consent(consent) = errors::consent_required(&request, "write:transfers") else {
///     unreachable!()
/// };
/// assert_eq!(consent.audience().as_str(), "api.banking.example");
/// assert_eq!(consent.missing().to_string(), "write:transfers");
///
/// let (page, pending) = consent.authorization_url("https://app.example/callback")?;
/// assert_eq!(page.host_str(), Some("issuer.example"));
/// assert_eq!(pending.session(), "default");
/// # Ok::<(), Error>(())
/// ```
pub fn consent_required<'a>(request: impl Into<TokenRequest<'a>>, missing: &str) -> Error {
    let asked = asked(request);
    let missing = Scopes::from_reply(missing);
    resumable(Error::Consent(ConsentRequired::new(&asked, missing, None)))
}

/// A person has to sign in: the session has no sign-in.
pub fn login_required<'a>(request: impl Into<TokenRequest<'a>>) -> Error {
    resumable(Error::signed_out(&asked(request)))
}

/// A person has to prove more: a second factor, or a fresh sign-in.
pub fn step_up_required<'a>(request: impl Into<TokenRequest<'a>>) -> Error {
    let asked = asked(request);
    resumable(Error::StepUp(StepUpRequired::new(
        &asked,
        Scopes::none(),
        None,
    )))
}

/// The issuer refuses, for this reason; `missing` are the scopes that stand in the way, if any do.
///
/// # Examples
///
/// ```
/// use intelliauth::{DeniedReason, test_util::errors};
///
/// let error = errors::denied("api.banking.example", DeniedReason::AudienceNotAllowed, "");
/// assert_eq!(error.kind(), "denied");
/// assert!(!error.is_retryable());
/// ```
pub fn denied<'a>(
    request: impl Into<TokenRequest<'a>>,
    reason: DeniedReason,
    missing: &str,
) -> Error {
    let missing = Scopes::from_reply(missing);
    Error::Denied(Denied::new(&asked(request), reason, missing, None))
}

/// The issuer granted the scopes in `granted` and not all that were asked for:
/// [`DeniedReason::Narrowed`].
pub fn narrowed<'a>(request: impl Into<TokenRequest<'a>>, granted: &str) -> Error {
    let granted = Scopes::from_reply(granted);
    Error::Denied(Denied::narrowed(&asked(request), &granted))
}

/// No usable answer at present; the same call may succeed after `retry_after`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use intelliauth::{Error, UnavailableReason, test_util::errors};
///
/// let error = errors::unavailable(UnavailableReason::RateLimited, Duration::from_secs(7));
/// let Error::Unavailable(unavailable) = &error else { unreachable!() };
/// assert_eq!(unavailable.retry_after(), Duration::from_secs(7));
/// assert!(error.is_retryable());
/// ```
pub fn unavailable(reason: UnavailableReason, retry_after: Duration) -> Error {
    Error::Unavailable(Unavailable::new(reason).with_retry_after(retry_after))
}

/// The issuer's answer breaks a rule.
pub fn protocol<'a>(request: impl Into<TokenRequest<'a>>, violation: Violation) -> Error {
    Error::protocol(Some(&asked(request)), violation)
}

/// The issuer has minted a token for these audiences instead of the one that was asked for.
pub fn wrong_audience<'a>(
    request: impl Into<TokenRequest<'a>>,
    found: impl IntoIterator<Item = impl Into<String>>,
) -> Error {
    let asked = asked(request);
    let violation = Violation::WrongAudience {
        expected: asked.audience.clone(),
        found: found.into_iter().map(Into::into).collect(),
    };
    Error::protocol(Some(&asked), violation)
}

/// The metadata of the issuer `expected` says that it is another's.
pub fn wrong_issuer(expected: impl Into<String>, found: impl Into<String>) -> Error {
    let violation = Violation::WrongIssuer {
        expected: expected.into(),
        found: found.into(),
    };
    Error::protocol(None, violation)
}

/// The request is invalid, and was not sent.
pub fn invalid_request(problem: impl Into<String>) -> Error {
    Error::request(problem)
}

/// [`CacheMode::Only`](crate::CacheMode::Only) was asked for, and there is nothing usable.
pub fn not_cached(audience: impl Into<Audience>) -> Error {
    Error::NotCached(NotCached::new(audience.into()))
}

/// The place where sessions are kept failed; [`StoreError`] has more to say.
pub fn store(kind: StoreErrorKind, what: impl Into<String>) -> Error {
    Error::Store(StoreError::new(kind, what))
}

/// A sign-in of the person with this `sub` has worked, and the store did not take their session.
///
/// # Examples
///
/// ```
/// use intelliauth::{Error, StoreErrorKind, test_util::errors};
///
/// let error = errors::not_kept("usr_1", StoreErrorKind::Full, "the disk is full");
/// let Error::Store(store) = error else { unreachable!() };
/// assert_eq!(store.account().and_then(|account| account.subject()), Some("usr_1"));
/// ```
pub fn not_kept(
    subject: impl Into<String>,
    kind: StoreErrorKind,
    what: impl Into<String>,
) -> Error {
    let account = Account::new(Some(subject.into()), None, None);
    store(kind, what).of_account(&account)
}

/// The same error, from the session of this name; one that needs no person is returned as it is.
///
/// # Examples
///
/// ```
/// use intelliauth::{Error, test_util::errors};
///
/// let error = errors::of_session("alice", errors::login_required("api.banking.example"));
/// let Error::Login(login) = error else { unreachable!() };
/// let (_, pending) = login.authorization_url("https://app.example/callback")?;
/// assert_eq!(pending.session(), "alice");
/// # Ok::<(), Error>(())
/// ```
pub fn of_session(name: impl Into<String>, error: Error) -> Error {
    error.resumable(resume(name.into()))
}

fn resumable(error: Error) -> Error {
    of_session(DEFAULT_SESSION, error)
}

fn resume(session: String) -> Resume {
    let dialect = Dialect::intelliauth();
    Resume {
        issuer: "https://issuer.example".to_owned(),
        client_id: "app_test".to_owned(),
        session,
        authorization_endpoint: Url::parse("https://issuer.example/authorize").ok(),
        iss_parameter_supported: true,
        sign_in_scopes: dialect.sign_in_scopes(),
        offline_needs_consent: dialect.offline_needs_consent,
        audience_parameters: dialect.audience_parameter.names(),
        covered: Vec::new(),
        identity_scopes: Scopes::none(),
    }
}

fn asked<'a>(request: impl Into<TokenRequest<'a>>) -> Asked {
    request.into().into_details().target.asked
}
