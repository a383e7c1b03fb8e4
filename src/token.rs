//! An access token, and what of it may be shown.

mod freshness;
mod response;

use std::{
    fmt, ptr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::Guard;
use bytes::Bytes;
use bytestring::ByteString;
use http::HeaderValue;

pub(crate) use freshness::{Freshness, Phase};
pub use response::TokenResponse;

use crate::{
    error::Error,
    jwt::UnverifiedClaims,
    request::{Parameters, Target},
    scope::{Audience, Scopes},
    secret::Wiped,
    time::Moment,
};

/// An access token for one audience.
///
/// Cheap to clone, and hidden in `Debug`. Ask for it right before each call and do not keep it: the
/// client hands out the next one when this one grows old.
#[derive(Clone)]
pub struct AccessToken {
    token: Arc<Token>,
    source: Source,
}

/// A borrowed look at a cached token: the same facts as an [`AccessToken`] without a reference count.
///
/// Drop it soon, and not across an `.await`: it keeps one of its thread's few fast lanes busy.
pub struct TokenRef(Guard<Arc<Token>>);

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It was there already: no request was made or waited for.
    Cache,
    /// It came from the person's session in its store: this call made no request.
    Session,
    /// It came from the issuer during this call.
    Issuer,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cache => "cache",
            Self::Session => "session",
            Self::Issuer => "issuer",
        })
    }
}

/// The facts that an owned and a borrowed token both tell.
macro_rules! facts {
    ($name:ident) => {
        impl $name {
            /// The token itself, as it stands behind `Bearer ` in a header.
            pub fn secret(&self) -> &str {
                self.token().secret()
            }

            /// The value of the `Authorization` header (RFC 6750 section 2.1), marked as sensitive.
            ///
            /// It is built once per token; a clone shares it.
            pub fn header_value(&self) -> &HeaderValue {
                &self.token().header
            }

            /// The API that the token is for.
            pub fn audience(&self) -> &Audience {
                self.token().audience()
            }

            /// What the token allows: what the issuer reported, else what was asked for.
            pub fn scopes(&self) -> &Scopes {
                &self.token().granted
            }

            /// Whether the issuer said what the token allows, in its reply or in the token.
            ///
            /// If not, [`scopes`](Self::scopes) is what was asked for: RFC 6749 section 5.1 lets a
            /// server leave it out when it granted just that, and some leave it out always.
            pub fn scopes_are_reported(&self) -> bool {
                self.token().scopes_are_reported
            }

            /// Whether the token itself names its audience, so that it could be compared.
            ///
            /// An opaque token cannot be read, and the issuer has to be trusted to have minted it for
            /// the right API.
            pub fn audience_is_checked(&self) -> bool {
                self.token().audience_is_checked
            }

            /// When the token ends, by the wall clock and counted from before it was requested.
            pub fn expires_at(&self) -> SystemTime {
                self.token().freshness.expires_at()
            }

            /// How long the token was issued for.
            pub fn lifetime(&self) -> Duration {
                self.token().freshness.lifetime()
            }

            /// The claims of a JWT, unverified; nothing for an opaque token.
            ///
            /// The client is not the token's audience: use them to show things, not to decide them.
            pub fn danger_unverified_claims(&self) -> Option<UnverifiedClaims> {
                UnverifiedClaims::read(self.secret())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("audience", self.audience())
                    .field("scopes", self.scopes())
                    .field("lifetime", &self.lifetime())
                    .finish_non_exhaustive()
            }
        }
    };
}

facts!(AccessToken);
facts!(TokenRef);

impl AccessToken {
    pub(crate) fn new(token: Arc<Token>, source: Source) -> Self {
        Self { token, source }
    }

    /// Whether this call was answered from the cache or by the issuer.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Whether `error` says that an API wants more of the person than this very token shows.
    pub(crate) fn was_too_weak(&self, error: &Error) -> bool {
        let Error::StepUp(step_up) = error else {
            return false;
        };
        let refused = step_up.proof().map(|proof| proof.refused.as_ptr());
        refused.is_some_and(|refused| ptr::addr_eq(refused, Arc::as_ptr(&self.token)))
    }

    #[inline]
    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }
}

impl TokenRef {
    #[inline]
    pub(crate) fn new(token: Guard<Arc<Token>>) -> Self {
        Self(token)
    }

    /// The token to keep: counts one reference more.
    pub fn to_access_token(&self) -> AccessToken {
        AccessToken::new(Arc::clone(&self.0), Source::Cache)
    }

    #[inline]
    fn token(&self) -> &Token {
        &self.0
    }
}

/// What is cached: the token, ready for use, and all that decides who may have it.
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    /// The header's text behind its scheme. It shares the header's bytes, and is known to be a text: the
    /// secret of one token among a million is in no cache of the processor, and is not read to be found.
    secret: ByteString,
    /// What it was fetched for: where it is cached.
    pub(crate) target: Target,
    pub(crate) granted: Scopes,
    pub(crate) scopes_are_reported: bool,
    pub(crate) audience_is_checked: bool,
    /// Whether less was granted than was asked for.
    pub(crate) is_narrowed: bool,
    /// Where it was before it was cached.
    pub(crate) came_from: Source,
    pub(crate) freshness: Freshness,
}

impl Token {
    /// A token with the text `secret`; `None` if that is no access token.
    pub(crate) fn new(
        secret: &str,
        target: Target,
        grant: Granted,
        freshness: Freshness,
    ) -> Option<Self> {
        // RFC 6749 appendix A.12: one or more of %x20-7E.
        let is_token = !secret.is_empty() && secret.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_token {
            return None;
        }
        let mut text = String::with_capacity(SCHEME.len() + secret.len());
        text.push_str(SCHEME);
        text.push_str(secret);
        let bytes = Bytes::from_owner(Wiped::new(text));
        let secret = ByteString::try_from(bytes.slice(SCHEME.len()..)).ok()?;
        let mut header = HeaderValue::from_maybe_shared(bytes).ok()?;
        header.set_sensitive(true);
        let is_narrowed =
            grant.scopes_are_reported && !grant.scopes.is_superset(&target.asked.scopes);
        Some(Self {
            header,
            secret,
            target,
            granted: grant.scopes,
            scopes_are_reported: grant.scopes_are_reported,
            audience_is_checked: grant.audience_is_checked,
            is_narrowed,
            came_from: grant.came_from,
            freshness,
        })
    }

    /// What stands in a slot that has no token yet: nothing that is ever usable.
    pub(crate) fn nothing() -> Self {
        Self {
            header: HeaderValue::from_static(""),
            secret: ByteString::new(),
            target: Target::new(Audience::from(""), Scopes::none(), Parameters::none()),
            granted: Scopes::none(),
            scopes_are_reported: false,
            audience_is_checked: false,
            is_narrowed: false,
            came_from: Source::Issuer,
            freshness: Freshness::NEVER,
        }
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    pub(crate) fn audience(&self) -> &Audience {
        &self.target.asked.audience
    }

    /// What to ask for to get another like it, whatever it was narrowed to.
    pub(crate) fn target_again(&self) -> Target {
        // What a narrowed token was asked for would be refused; its caller named what it holds.
        if self.is_narrowed {
            self.target.with_scopes(self.granted.clone())
        } else {
            self.target.clone()
        }
    }

    /// Whether it answers a call for what it was fetched for, with nothing else to do.
    #[inline]
    pub(crate) fn is_hit(&self, now: Moment) -> bool {
        self.freshness.is_fresh(now) && !self.is_narrowed
    }

    /// Whether the issuer said that the token holds all of `scopes`: then it answers for them too.
    pub(crate) fn reports(&self, scopes: &Scopes) -> bool {
        self.scopes_are_reported && self.granted.is_superset(scopes)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("audience", self.audience())
            .finish_non_exhaustive()
    }
}

/// What the issuer granted, and how that is known.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) scopes: Scopes,
    pub(crate) scopes_are_reported: bool,
    pub(crate) audience_is_checked: bool,
    pub(crate) came_from: Source,
}

/// RFC 6750 section 2.1.
const SCHEME: &str = "Bearer ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clock, ManualClock};

    fn token(secret: &str) -> Option<Token> {
        let target = Target::new("api".into(), "a b".parse().unwrap(), Parameters::none());
        let grant = Granted {
            scopes: "a".parse().unwrap(),
            scopes_are_reported: true,
            came_from: Source::Issuer,
            audience_is_checked: true,
        };
        let freshness = Freshness::new(ManualClock::new().now(), Duration::from_secs(60), 0.0);
        Token::new(secret, target, grant, freshness)
    }

    #[test]
    fn the_header_is_the_secret_behind_its_scheme() {
        let token = token("abc").unwrap();
        assert_eq!(token.secret(), "abc");
        assert_eq!(token.header, "Bearer abc");
        assert!(token.header.is_sensitive());
    }

    #[test]
    fn a_secret_that_no_header_can_hold_is_no_token() {
        assert!(token("a\nb").is_none());
    }

    #[test]
    fn debug_shows_what_it_is_for_and_not_the_secret() {
        let access = AccessToken::new(Arc::new(token("hush").unwrap()), Source::Cache);
        let shown = format!("{access:?}");
        assert!(shown.contains("api") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_narrowed_token_answers_for_what_it_reports_alone() {
        let token = token("abc").unwrap();
        assert!(token.reports(&"a".parse().unwrap()));
        assert!(token.is_narrowed);
    }
}
