//! What can go wrong, one variant for each next move of the caller.

mod outward;
mod payload;
mod table;

pub(crate) use payload::{Asked, Proof, Refusal, Resume};
pub use payload::{
    ConsentRequired, Denied, DeniedReason, InvalidRequest, IssuerAnswer, LoginRequired, NotCached,
    ProtocolViolation, StepUpRequired, StoreError, StoreErrorKind, Unavailable, UnavailableReason,
    Violation,
};

/// Why there is no access token, by what the caller does next.
///
/// The enum is small and cheap to clone: every caller that waited for the same request gets the same
/// error. Messages name the API and what is missing; they never hold a token, a secret or the body
/// of a reply. The cause, where there is one, is in [`source`](std::error::Error::source).
///
/// # Examples
///
/// ```
/// # fn handle(error: intelliauth::Error) -> &'static str {
/// use intelliauth::Error;
///
/// match error {
///     Error::Consent(_) | Error::Login(_) | Error::StepUp(_) => "send the person to sign in",
///     Error::Denied(_) => "tell an administrator: asking again will not help",
///     Error::Unavailable(_) => "answer 503, with its retry_after()",
///     _ => "a mistake in the program or its configuration",
/// }
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A person has to consent to scopes first.
    ///
    /// Comes from `consent_required` and `interaction_required`, or without a request where the sign-in
    /// is known not to cover what is asked for; never from an allowlist gap: that is
    /// [`Denied`](Self::Denied), which no prompt would end.
    #[error(transparent)]
    Consent(ConsentRequired),
    /// A person has to sign in, or to sign in again.
    #[error(transparent)]
    Login(LoginRequired),
    /// A person has to prove more: a second factor, or a fresh sign-in.
    #[error(transparent)]
    StepUp(StepUpRequired),
    /// The issuer refuses, and only an administrator or another request changes that.
    #[error(transparent)]
    Denied(Denied),
    /// There is no usable answer at present; the same call may succeed later.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// The issuer's answer breaks a rule, so that it cannot be trusted.
    #[error(transparent)]
    Protocol(ProtocolViolation),
    /// The request itself is invalid; nothing useful was sent.
    #[error(transparent)]
    Request(InvalidRequest),
    /// [`CacheMode::Only`](crate::CacheMode::Only) was asked for, and there is nothing usable.
    #[error(transparent)]
    NotCached(NotCached),
    /// The place where sessions are kept failed, or stayed in use elsewhere.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Whether the same call can succeed later without a change by a person or an administrator.
    ///
    /// True for [`Unavailable`](Self::Unavailable), and for a [`Store`](Self::Store) whose session is
    /// held by another process ([`StoreErrorKind::Locked`]).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Store(error) => error.kind() == StoreErrorKind::Locked,
            _ => false,
        }
    }

    /// What to do about it, as a sentence for a person who runs the program.
    pub fn next_move(&self) -> String {
        match self {
            Self::Consent(consent) => consent.next_move(),
            Self::Login(login) => login.next_move(),
            Self::StepUp(_) => {
                "have the person sign in again with a stronger or fresher factor, in a browser that asks \
                 for it (AuthorizationCode::acr_values or max_age), then repeat the call"
                    .to_owned()
            }
            Self::Denied(denied) => denied.next_move(),
            Self::Unavailable(unavailable) => unavailable.next_move(),
            Self::Protocol(violation) => violation.next_move(),
            Self::Request(request) => request.next_move(),
            Self::NotCached(_) => {
                "call again with CacheMode::Prefer where a request may be made".to_owned()
            }
            Self::Store(error) => error.next_move(),
        }
    }

    /// What the issuer answered, where it answered at all.
    pub fn answer(&self) -> Option<&IssuerAnswer> {
        match self {
            Self::Consent(payload) => payload.answer(),
            Self::Login(payload) => payload.answer(),
            Self::StepUp(payload) => payload.answer(),
            Self::Denied(payload) => payload.answer(),
            Self::Unavailable(payload) => payload.answer(),
            Self::Protocol(payload) => payload.answer(),
            Self::Request(payload) => payload.answer(),
            Self::NotCached(_) | Self::Store(_) => None,
        }
    }

    /// A short name of the variant, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Consent(_) => "consent",
            Self::Login(_) => "login",
            Self::StepUp(_) => "step_up",
            Self::Denied(_) => "denied",
            Self::Unavailable(_) => "unavailable",
            Self::Protocol(_) => "protocol",
            Self::Request(_) => "request",
            Self::NotCached(_) => "not_cached",
            Self::Store(_) => "store",
        }
    }

    /// The error that an answer with a known code, or else its status, stands for.
    pub(crate) fn from_answer(asked: &Asked, answer: IssuerAnswer, refused: Refusal) -> Self {
        table::verdict(&answer).into_error(asked, answer, refused)
    }

    /// A request that cannot be sent as it is.
    pub(crate) fn request(problem: impl Into<String>) -> Self {
        Self::Request(InvalidRequest::new(problem))
    }

    /// What was asked for and needs a person, and what it takes to go on.
    pub(crate) fn person_needed(&self) -> Option<(&Asked, Option<&Resume>)> {
        match self {
            Self::Consent(payload) => Some((payload.asked(), payload.resume())),
            Self::Login(payload) => Some((payload.asked(), payload.resume())),
            Self::StepUp(payload) => Some((payload.asked(), payload.resume())),
            _ => None,
        }
    }

    /// The same error, with what it takes to go on if it needs a person.
    pub(crate) fn resumable(self, resume: Resume) -> Self {
        match self {
            Self::Consent(payload) => Self::Consent(payload.resumable(resume)),
            Self::Login(payload) => Self::Login(payload.resumable(resume)),
            Self::StepUp(payload) => Self::StepUp(payload.resumable(resume)),
            other => other,
        }
    }

    /// The same error, found in this revision of the session if it needs a person.
    pub(crate) fn found_in(self, revision: u64) -> Self {
        match self {
            Self::Consent(payload) => Self::Consent(payload.found_in(revision)),
            Self::Login(payload) => Self::Login(payload.found_in(revision)),
            Self::StepUp(payload) => Self::StepUp(payload.found_in(revision)),
            other => other,
        }
    }

    /// The revision of the session in which it turned out that a person has to act; zero without one.
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Self::Consent(payload) => payload.revision(),
            Self::Login(payload) => payload.revision(),
            Self::StepUp(payload) => payload.revision(),
            _ => 0,
        }
    }

    /// The same error, of a sign-in that could not be kept.
    pub(crate) fn of_account(self, account: &crate::account::Account) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.of_account(account)),
            other => other,
        }
    }

    /// The same error, of so many sessions that could not be written at the end.
    pub(crate) fn of_unwritten(self, sessions: usize) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.of_unwritten(sessions)),
            other => other,
        }
    }

    /// The same error, with the issuer's name where it says that there is no usable answer of it.
    pub(crate) fn of_issuer(self, issuer: &str) -> Self {
        if let Self::Unavailable(unavailable) = &self {
            unavailable.of_issuer(issuer);
        }
        self
    }

    /// The same error, for those who meet it when `left` is left of its pause.
    pub(crate) fn with_wait_left(&self, left: std::time::Duration) -> Self {
        match self {
            Self::Unavailable(unavailable) => Self::Unavailable(unavailable.with_wait_left(left)),
            other => other.clone(),
        }
    }

    /// The same error, told as one about what was `asked` for.
    pub(crate) fn about(self, asked: &Asked) -> Self {
        match self {
            Self::Protocol(violation) => Self::Protocol(violation.about(asked)),
            other => other,
        }
    }

    /// An answer that cannot be trusted.
    pub(crate) fn protocol(asked: Option<&Asked>, violation: Violation) -> Self {
        Self::Protocol(ProtocolViolation::new(asked, violation, None))
    }

    /// A refusal that was found out without an answer of the issuer.
    pub(crate) fn denied(asked: &Asked, reason: DeniedReason) -> Self {
        Self::Denied(Denied::new(
            asked,
            reason,
            crate::scope::Scopes::none(),
            None,
        ))
    }

    /// A refusal that names what is missing, as was found out without an answer of the issuer.
    pub(crate) fn lacking(
        asked: &Asked,
        reason: DeniedReason,
        missing: crate::scope::Scopes,
    ) -> Self {
        Self::Denied(Denied::new(asked, reason, missing, None))
    }

    /// What an API wants of the person beyond a good token.
    pub(crate) fn step_up_required(asked: &Asked, proof: Proof) -> Self {
        Self::StepUp(StepUpRequired::by_api(asked, proof))
    }

    /// A sign-in that is needed, as was found out without an answer of the issuer.
    pub(crate) fn login_required(asked: &Asked) -> Self {
        Self::Login(LoginRequired::new(
            asked,
            crate::scope::Scopes::none(),
            None,
        ))
    }

    /// A consent that is needed, as was found out without an answer of the issuer.
    pub(crate) fn consent_required(asked: &Asked, missing: crate::scope::Scopes) -> Self {
        Self::Consent(ConsentRequired::new(asked, missing, None))
    }

    /// No person is signed in.
    pub(crate) fn signed_out(asked: &Asked) -> Self {
        Self::Login(LoginRequired::signed_out(asked))
    }

    /// A device code that the person did not enter in time.
    pub(crate) fn code_expired(asked: &Asked, answer: Option<IssuerAnswer>) -> Self {
        Self::Login(LoginRequired::code_expired(asked, answer))
    }

    /// A sign-in page that the person did not come back from in time.
    pub(crate) fn nobody_came(asked: &Asked) -> Self {
        Self::Login(LoginRequired::nobody_came(asked))
    }

    /// No usable answer.
    pub(crate) fn unavailable(reason: UnavailableReason) -> Self {
        Self::Unavailable(Unavailable::new(reason))
    }
}
