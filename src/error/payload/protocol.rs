//! [`ProtocolViolation`]: the issuer's answer breaks a rule.

use std::{error::Error as StdError, fmt, sync::Arc};

use super::{Asked, IssuerAnswer, write_answer};
use crate::scope::{Audience, Scopes};

/// The issuer's answer breaks a rule, so that it cannot be trusted.
#[derive(Clone, Debug)]
pub struct ProtocolViolation(Arc<Details>);

#[derive(Debug)]
struct Details {
    asked: Option<Asked>,
    violation: Violation,
    answer: Option<IssuerAnswer>,
}

/// Which rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The token is for another API than the one that was asked for.
    #[non_exhaustive]
    WrongAudience {
        /// What the token had to name.
        expected: Audience,
        /// What its `aud` claim names (RFC 7519 section 4.1.3).
        found: Vec<String>,
    },
    /// The metadata is another issuer's (RFC 8414 section 3.3: compared exactly).
    #[non_exhaustive]
    WrongIssuer {
        /// The issuer that was configured.
        expected: String,
        /// The `issuer` that the metadata names.
        found: String,
    },
    /// The metadata lacks something or names something that cannot be used.
    Metadata(String),
    /// What an API says about itself (RFC 9728) cannot be had or used, or is about another one.
    ResourceMetadata(String),
    /// The token endpoint's answer lacks something or names something that cannot be used.
    Reply(String),
    /// What came back from a sign-in is not the answer to it (RFC 6749 section 4.1.2, RFC 9207).
    Callback(&'static str),
    /// The answer is about another person than the one who signed in (OpenID Connect Core section
    /// 12.2).
    OtherAccount,
    /// The person was to have signed in recently (`max_age`), and the answer does not show that they have
    /// (OpenID Connect Core sections 3.1.2.1 and 3.1.3.7).
    SignInAge(&'static str),
    /// The answer was a redirect, and those are never followed.
    Redirect,
    /// The answer is larger than any that makes sense (in bytes).
    TooLarge(usize),
}

impl ProtocolViolation {
    pub(crate) fn new(
        asked: Option<&Asked>,
        violation: Violation,
        answer: Option<IssuerAnswer>,
    ) -> Self {
        Self(Arc::new(Details {
            asked: asked.cloned(),
            violation,
            answer,
        }))
    }

    pub(crate) fn about(&self, asked: &Asked) -> Self {
        Self::new(Some(asked), self.0.violation.clone(), self.0.answer.clone())
    }

    /// Which rule was broken.
    pub fn violation(&self) -> &Violation {
        &self.0.violation
    }

    /// The API that was asked for; nothing when the metadata is at fault.
    pub fn audience(&self) -> Option<&Audience> {
        self.0.asked.as_ref().map(|asked| &asked.audience)
    }

    /// The scopes that were asked for.
    pub fn scopes(&self) -> Option<&Scopes> {
        self.0.asked.as_ref().map(|asked| &asked.scopes)
    }

    /// What the issuer answered, where the status matters.
    pub fn answer(&self) -> Option<&IssuerAnswer> {
        self.0.answer.as_ref()
    }

    pub(crate) fn next_move(&self) -> String {
        match self.violation() {
            Violation::WrongAudience { .. } => {
                "check the audience's name and that the dialect sends it as this issuer expects it; \
                 an issuer that renames APIs needs ClientBuilder::expect_audience"
                    .to_owned()
            }
            Violation::WrongIssuer { found, .. } => {
                let found = shown(found);
                format!("configure the issuer exactly as it calls itself, {found}, if you trust it")
            }
            Violation::Metadata(_) => {
                "check the issuer's address, or give the endpoints by hand".to_owned()
            }
            Violation::ResourceMetadata(_) => {
                "check the API's URL; do not use an issuer that it names".to_owned()
            }
            Violation::Callback(_) => {
                "do not use this answer; start the sign-in again, and if that repeats itself, find out \
                 who else sends people to the redirect URI"
                    .to_owned()
            }
            Violation::OtherAccount => "have the same person sign in again".to_owned(),
            Violation::SignInAge(_) => {
                "have the person sign in again with Prompt::Login; an issuer that gives no ID token with \
                 auth_time cannot answer a max_age, so leave that away there"
                    .to_owned()
            }
            Violation::Redirect => {
                "configure the address that the redirect leads to, if you trust it".to_owned()
            }
            Violation::Reply(_) | Violation::TooLarge(_) => {
                "report it to the issuer's operator".to_owned()
            }
        }
    }
}

/// A text of the issuer, fit for a terminal: escaped, and no longer than a line.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let rest = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{rest}")
}

/// No longer than a few lines.
fn cut(problem: &str) -> String {
    problem.chars().take(4 * SHOWN).collect()
}

const SHOWN: usize = 120;

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.violation() {
            Violation::WrongAudience { expected, found } => {
                write!(f, "asked for a token for `{expected}`, got one for")?;
                let named: Vec<String> = found.iter().take(8).map(|name| shown(name)).collect();
                match named.as_slice() {
                    [] => f.write_str(" none")?,
                    named => write!(f, " {}", named.join(", "))?,
                }
            }
            Violation::WrongIssuer { expected, found } => {
                write!(
                    f,
                    "the metadata of `{expected}` is that of {}",
                    shown(found)
                )?;
            }
            Violation::Metadata(problem) => {
                write!(f, "unusable issuer metadata: {}", cut(problem))?;
            }
            Violation::ResourceMetadata(problem) => {
                write!(f, "the API does not describe itself: {}", cut(problem))?;
            }
            Violation::Reply(problem) => write!(f, "unusable answer: {problem}")?,
            Violation::OtherAccount => f.write_str("the answer is about another person")?,
            Violation::Callback(problem) => {
                write!(f, "what came back is no answer to this sign-in: {problem}")?;
            }
            Violation::SignInAge(problem) => {
                write!(f, "the sign-in asked for a max_age: {problem}")?;
            }
            Violation::Redirect => f.write_str("the issuer answered with a redirect")?,
            Violation::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes")?,
        }
        write_answer(f, self.answer())
    }
}

impl StdError for ProtocolViolation {}
