//! [`Denied`]: the issuer refuses, and asking again does not help.

use std::{error::Error as StdError, fmt, sync::Arc};

use super::{Asked, IssuerAnswer, write_answer};
use crate::scope::{Audience, Scopes};

/// The issuer refuses, and only an administrator or another request changes that.
#[derive(Clone, Debug)]
pub struct Denied(Arc<Details>);

#[derive(Debug)]
struct Details {
    asked: Asked,
    reason: DeniedReason,
    missing: Scopes,
    granted: Option<Scopes>,
    answer: Option<IssuerAnswer>,
}

/// Why the issuer refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedReason {
    /// A scope is not on the application's allowlist, or does not exist (`invalid_scope`).
    ScopeNotAllowed,
    /// The API is unknown, or not one that this application may call (`invalid_target`).
    AudienceNotAllowed,
    /// The sign-in covers the API, and its refresh token is good for another one alone (`invalid_target`
    /// on a refresh).
    AudienceNotInFamily,
    /// The application is disabled, or may not use this grant (`unauthorized_client`).
    ApplicationNotAllowed,
    /// The client id or its secret is wrong (`invalid_client`).
    CredentialsRejected,
    /// A token was issued, with fewer scopes than were asked for.
    Narrowed,
    /// A person or a policy said no (`access_denied`).
    AccessDenied,
    /// The person's account is disabled (`account_disabled`).
    AccountDisabled,
    /// The API rejected a token, and then the one that was fetched to replace it.
    RejectedByApi,
    /// The API wants scopes that its caller has not named as those that may be asked for.
    ScopeNotListed,
    /// The API says that a scope is missing, and names none that the token lacks.
    ScopeNotNamed,
    /// The issuer refuses without a reason that is known here.
    Unspecified,
}

impl Denied {
    pub(crate) fn new(
        asked: &Asked,
        reason: DeniedReason,
        missing: Scopes,
        answer: Option<IssuerAnswer>,
    ) -> Self {
        Self(Arc::new(Details {
            asked: asked.clone(),
            reason,
            missing,
            granted: None,
            answer,
        }))
    }

    /// The same refusal, understood better.
    pub(crate) fn because(&self, reason: DeniedReason) -> Self {
        Self(Arc::new(Details {
            reason,
            asked: self.0.asked.clone(),
            missing: self.0.missing.clone(),
            granted: self.0.granted.clone(),
            answer: self.0.answer.clone(),
        }))
    }

    pub(crate) fn narrowed(asked: &Asked, granted: &Scopes) -> Self {
        Self(Arc::new(Details {
            asked: asked.clone(),
            reason: DeniedReason::Narrowed,
            missing: asked.scopes.difference(granted),
            granted: Some(granted.clone()),
            answer: None,
        }))
    }

    /// Why.
    pub fn reason(&self) -> DeniedReason {
        self.0.reason
    }

    /// The API that was asked for.
    pub fn audience(&self) -> &Audience {
        &self.0.asked.audience
    }

    /// The scopes that were asked for.
    pub fn scopes(&self) -> &Scopes {
        &self.0.asked.scopes
    }

    /// The scopes that stand in the way, as far as is known: otherwise all that were asked for.
    pub fn missing(&self) -> &Scopes {
        &self.0.missing
    }

    /// The scopes that were granted instead, when the grant was narrowed.
    ///
    /// The token with these is cached: a request for them is answered without the issuer.
    pub fn granted(&self) -> Option<&Scopes> {
        self.0.granted.as_ref()
    }

    /// What the issuer answered.
    pub fn answer(&self) -> Option<&IssuerAnswer> {
        self.0.answer.as_ref()
    }

    pub(crate) fn next_move(&self) -> String {
        let (audience, missing) = (self.audience(), self.missing());
        match self.reason() {
            DeniedReason::ScopeNotAllowed if missing.is_empty() => format!(
                "have an administrator put the scopes of `{audience}` on this application's \
                 allowlist, or name those that it may have"
            ),
            DeniedReason::ScopeNotAllowed if has_identity(missing) => format!(
                "find out which of `{missing}` the issuer does not know or allow: `openid` and \
                 `offline_access` are asked for unless Dialect::asks_openid and asks_offline_access say \
                 otherwise; the others have to be on this application's allowlist"
            ),
            DeniedReason::ScopeNotAllowed => format!(
                "have an administrator put `{missing}` on this application's allowlist for \
                 `{audience}`, or ask for less"
            ),
            DeniedReason::AudienceNotAllowed => format!(
                "check that `{audience}` is the API's name to the letter and that this application \
                 may call it; a server that follows RFC 8707 wants it as `resource`, a whole URI"
            ),
            DeniedReason::AudienceNotInFamily => format!(
                "give each API a sign-in of its own (TokenFamily::PerAudience in Dialect::token_family) and \
                 have the person sign in for `{audience}`: this issuer binds a refresh token to one API"
            ),
            DeniedReason::ApplicationNotAllowed => {
                "have an administrator enable the application, or allow it this grant".to_owned()
            }
            DeniedReason::CredentialsRejected => {
                "check the client id and secret; a secret with special characters may need \
                 ClientAuthentication::BasicRaw or Post"
                    .to_owned()
            }
            DeniedReason::Narrowed => format!(
                "ask for what `{audience}` grants, or have an administrator add `{missing}`"
            ),
            DeniedReason::AccessDenied | DeniedReason::Unspecified => {
                "do not ask again: a person or a policy at the issuer said no".to_owned()
            }
            DeniedReason::RejectedByApi => format!(
                "check that `{audience}` is what the API calls itself, and that it trusts this issuer; \
                 the token is kept, and replaced once it is half a minute old"
            ),
            DeniedReason::ScopeNotListed => format!(
                "ask for `{missing}` by name, or list it where `{audience}` is named (allow_scopes), if the \
                 API is to be trusted with it"
            ),
            DeniedReason::ScopeNotNamed => format!(
                "find out from the documentation of `{audience}` which scope the call needs, and ask for it by \
                 name: the API has not said"
            ),
            DeniedReason::AccountDisabled => {
                "have an administrator enable the person's account".to_owned()
            }
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (audience, missing) = (self.audience(), self.missing());
        match self.reason() {
            DeniedReason::ScopeNotAllowed if missing.is_empty() => {
                write!(f, "the scopes for `{audience}` are not allowed")?;
            }
            DeniedReason::ScopeNotAllowed if has_identity(missing) => {
                write!(f, "the issuer refuses one of the scopes `{missing}`")?;
            }
            DeniedReason::ScopeNotAllowed => {
                write!(f, "`{missing}` is not allowed for `{audience}`")?;
            }
            DeniedReason::AudienceNotAllowed => write!(f, "`{audience}` is not an allowed API")?,
            DeniedReason::AudienceNotInFamily => write!(
                f,
                "the refresh token of the sign-in yields no token for `{audience}`"
            )?,
            DeniedReason::ApplicationNotAllowed => {
                write!(
                    f,
                    "the application may not get a token for `{audience}` in this way"
                )?;
            }
            DeniedReason::CredentialsRejected => {
                f.write_str("the issuer does not accept the client's credentials")?;
            }
            DeniedReason::Narrowed => {
                write!(f, "`{audience}` was granted without `{missing}`")?;
            }
            DeniedReason::AccessDenied | DeniedReason::Unspecified => {
                write!(f, "access to `{audience}` was denied")?;
            }
            DeniedReason::RejectedByApi => {
                write!(
                    f,
                    "the API rejects what the issuer has just minted for `{audience}`"
                )?;
            }
            DeniedReason::ScopeNotListed => write!(
                f,
                "`{audience}` wants `{missing}`, which was not named as what may be asked for"
            )?,
            DeniedReason::ScopeNotNamed => write!(
                f,
                "`{audience}` wants more than the token allows, and names no scope that it lacks"
            )?,
            DeniedReason::AccountDisabled => f.write_str("the person's account is disabled")?,
        }
        write_answer(f, self.answer())
    }
}

impl StdError for Denied {}

/// Whether scopes are among them that every sign-in asks for, and no caller has named.
fn has_identity(scopes: &Scopes) -> bool {
    scopes.contains("openid") || scopes.contains("offline_access")
}
