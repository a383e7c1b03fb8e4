//! [`ConsentRequired`], [`LoginRequired`] and [`StepUpRequired`]: a person has to act.

use std::{
    any::Any,
    error::Error as StdError,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use url::Url;

use super::{Asked, IssuerAnswer, write_answer};
use crate::scope::{Audience, Scopes};

#[derive(Clone, Debug)]
struct PersonNeeded {
    asked: Asked,
    missing: Scopes,
    answer: Option<IssuerAnswer>,
    cause: Cause,
    /// The revision of the session that this was found in; zero without one.
    revision: u64,
    resume: Option<Resume>,
    proof: Option<Proof>,
}

/// What an API wants of the person beyond a good token (RFC 9470).
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) acr_values: Option<String>,
    pub(crate) max_age: Option<Duration>,
    /// The token that was too weak: as long as it is the current one, no other call has led further.
    pub(crate) refused: Weak<dyn Any + Send + Sync>,
}

/// Why a person is needed, beyond what the issuer answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Asked,
    /// The person has signed out, or never signed in.
    SignedOut,
    /// The person did not enter the device code in time.
    CodeExpired,
    /// The person did not come back from the sign-in page.
    NobodyCame,
}

/// What it takes to go on with the person.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) session: String,
    /// Nothing while the issuer's metadata could not be read.
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) iss_parameter_supported: bool,
    pub(crate) offline_needs_consent: bool,
    /// What every sign-in asks for.
    pub(crate) sign_in_scopes: Scopes,
    /// The names of the parameter that carries an audience.
    pub(crate) audience_parameters: &'static [&'static str],
    /// What the session covers already: a new sign-in asks for it again, so that it stays covered.
    pub(crate) covered: Vec<Asked>,
    pub(crate) identity_scopes: Scopes,
}

/// A payload that names what was asked for and who has to act.
macro_rules! person_needed {
    ($(#[$documentation:meta])* $name:ident, $text:literal) => {
        $(#[$documentation])*
        #[derive(Clone, Debug)]
        pub struct $name(Arc<PersonNeeded>);

        impl $name {
            pub(crate) fn new(asked: &Asked, missing: Scopes, answer: Option<IssuerAnswer>) -> Self {
                let asked = asked.clone();
                Self(Arc::new(PersonNeeded {
                    asked,
                    missing,
                    answer,
                    cause: Cause::Asked,
                    revision: 0,
                    resume: None,
                    proof: None,
                }))
            }

            /// The same, with what it takes to go on.
            pub(crate) fn resumable(&self, resume: Resume) -> Self {
                let resume = Some(resume);
                Self(Arc::new(PersonNeeded { resume, ..PersonNeeded::clone(&self.0) }))
            }

            /// The same, found in this revision of the session.
            pub(crate) fn found_in(&self, revision: u64) -> Self {
                Self(Arc::new(PersonNeeded { revision, ..PersonNeeded::clone(&self.0) }))
            }

            pub(crate) fn revision(&self) -> u64 {
                self.0.revision
            }

            pub(crate) fn asked(&self) -> &Asked {
                &self.0.asked
            }

            pub(crate) fn resume(&self) -> Option<&Resume> {
                self.0.resume.as_ref()
            }

            /// The API that was asked for.
            pub fn audience(&self) -> &Audience {
                &self.0.asked.audience
            }

            /// The scopes that were asked for.
            pub fn scopes(&self) -> &Scopes {
                &self.0.asked.scopes
            }

            /// What the issuer answered; nothing when this was found out without asking it.
            pub fn answer(&self) -> Option<&IssuerAnswer> {
                self.0.answer.as_ref()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self.0.cause {
                    Cause::CodeExpired => "the device code expired before the person entered it: ",
                    Cause::NobodyCame => "the person did not come back from the sign-in page in time: ",
                    Cause::Asked | Cause::SignedOut => "",
                })?;
                f.write_str($text)?;
                // A sign-in that asks for no API has none to name.
                if !self.audience().as_str().is_empty() {
                    write!(f, " for `{}`", self.audience())?;
                }
                if !self.0.missing.is_empty() {
                    write!(f, ": scopes `{}`", self.0.missing)?;
                }
                write_answer(f, self.answer())
            }
        }

        impl StdError for $name {}
    };
}

person_needed! {
    /// A person has to consent before there can be a token for this API.
    ConsentRequired, "consent is missing"
}
person_needed! {
    /// A person has to sign in before there can be a token for this API.
    LoginRequired, "a sign-in is needed"
}
person_needed! {
    /// A person has to prove more before there can be a token for this API.
    StepUpRequired, "a stronger sign-in is needed"
}

impl StepUpRequired {
    /// The API, and not the issuer, wants more of the person.
    pub(crate) fn by_api(asked: &Asked, proof: Proof) -> Self {
        Self(Arc::new(PersonNeeded {
            revision: 0,
            asked: asked.clone(),
            missing: Scopes::none(),
            answer: None,
            cause: Cause::Asked,
            resume: None,
            proof: Some(proof),
        }))
    }

    pub(crate) fn proof(&self) -> Option<&Proof> {
        self.0.proof.as_ref()
    }

    /// The kinds of sign-in that would do, best first, separated by spaces (RFC 9470 section 3).
    ///
    /// Nothing where it was the issuer that wants more, or the API did not say what.
    pub fn acr_values(&self) -> Option<&str> {
        self.proof()?.acr_values.as_deref()
    }

    /// How long ago the person may have signed in (RFC 9470 section 3), where the API said it.
    pub fn max_age(&self) -> Option<Duration> {
        self.proof()?.max_age
    }
}

impl LoginRequired {
    /// No person is signed in: no token of the session may be used any more.
    pub(crate) fn signed_out(asked: &Asked) -> Self {
        Self::because(Cause::SignedOut, asked, None)
    }

    pub(crate) fn is_signed_out(&self) -> bool {
        self.0.cause == Cause::SignedOut
    }

    /// A device code ended unused (RFC 8628 section 3.5), by the issuer's word or by our clock.
    pub(crate) fn code_expired(asked: &Asked, answer: Option<IssuerAnswer>) -> Self {
        Self::because(Cause::CodeExpired, asked, answer)
    }

    /// The person did not come back from the sign-in page in time.
    pub(crate) fn nobody_came(asked: &Asked) -> Self {
        Self::because(Cause::NobodyCame, asked, None)
    }

    fn because(cause: Cause, asked: &Asked, answer: Option<IssuerAnswer>) -> Self {
        Self(Arc::new(PersonNeeded {
            revision: 0,
            asked: asked.clone(),
            missing: Scopes::none(),
            answer,
            cause,
            resume: None,
            proof: None,
        }))
    }

    pub(crate) fn next_move(&self) -> String {
        match self.0.cause {
            Cause::CodeExpired => {
                "start the sign-in again: it shows a new code, which has to be entered in time"
                    .to_owned()
            }
            // The issuer shows these errors on a page of its own, and never comes back.
            Cause::NobodyCame => {
                "look whether the page shows an error (a redirect URI that is not registered, above \
                 all); a browser on another machine cannot come back: use paste_from_stdin or a \
                 device code; then start the sign-in again"
                    .to_owned()
            }
            Cause::Asked | Cause::SignedOut => {
                "have the person sign in, then repeat the call".to_owned()
            }
        }
    }
}

impl ConsentRequired {
    /// The scopes that the person has not consented to, as far as is known: otherwise all that were asked for.
    pub fn missing(&self) -> &Scopes {
        &self.0.missing
    }

    pub(crate) fn next_move(&self) -> String {
        if self.missing().is_empty() {
            format!(
                "have the person consent to `{}`, then repeat the call",
                self.audience()
            )
        } else {
            format!(
                "have the person consent to `{}` for `{}`, then repeat the call",
                self.missing(),
                self.audience()
            )
        }
    }
}
