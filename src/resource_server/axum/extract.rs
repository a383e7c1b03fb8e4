//! The extractors [`Claims`] and [`Permitted`].

use std::{fmt, marker::PhantomData, ops::Deref};

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::resource_server::{
    challenge::Challenge,
    claims::{AssuranceLevel, Claims},
    extensions::{claims, described, optional_claims},
    requirement::{Requirement, require_all, require_level},
};

impl IntoResponse for Challenge {
    fn into_response(self) -> Response {
        Self::into_response::<Body>(self)
    }
}

/// The claims of the request's token. Without an authentication layer the answer is 500.
impl<S: Send + Sync> FromRequestParts<S> for Claims {
    type Rejection = Challenge;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Challenge> {
        let found = claims(parts).cloned();
        found.map_err(|challenge| described(challenge, None, parts))
    }
}

/// The claims, or `None` where a request may come without a token and did:
/// [`AuthenticateLayer::optional`](crate::resource_server::AuthenticateLayer::optional) or
/// [`ProtectedRouter::optional`](super::ProtectedRouter::optional). Where nothing looks at tokens the
/// answer is 500, since `None` would be said of a good one too.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Claims {
    type Rejection = Challenge;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Challenge> {
        optional_claims(parts).map(Option::<&Self>::cloned)
    }
}

/// A requirement as a type, for [`Permitted`].
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::{Permission, Permitted};
///
/// struct ReadTransactions;
///
/// impl Permission for ReadTransactions {
///     const SCOPES: &'static [&'static str] = &["read:transactions"];
/// }
///
/// async fn transactions(claims: Permitted<ReadTransactions>) -> String {
///     format!("those of {}", claims.subject().unwrap_or("nobody"))
/// }
/// ```
///
/// One without scopes does not compile where it is used:
///
/// ```compile_fail
/// use intelliauth::resource_server::{Permission, Permitted};
///
/// struct Everything;
///
/// impl Permission for Everything {
///     const SCOPES: &'static [&'static str] = &[];
/// }
///
/// async fn everything(_: Permitted<Everything>) {}
/// let router: axum::Router = axum::Router::new().route("/", axum::routing::get(everything));
/// # let _ = router;
/// ```
pub trait Permission {
    /// All the scopes that the token must have: at least one.
    const SCOPES: &'static [&'static str];

    /// How strongly the person must have signed in, where that matters.
    const LEVEL: Option<AssuranceLevel> = None;
}

/// The claims of a token that has what `P` names; every other request is refused before the handler.
///
/// It stands behind [`Verifier::layer`](crate::resource_server::Verifier::layer) or in a
/// [`ProtectedRouter`](super::ProtectedRouter); elsewhere the answer is 500.
pub struct Permitted<P> {
    claims: Claims,
    permission: PhantomData<fn() -> P>,
}

impl<P> Permitted<P> {
    /// The claims alone.
    pub fn into_claims(self) -> Claims {
        self.claims
    }
}

impl<P> Deref for Permitted<P> {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl<P> fmt::Debug for Permitted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims.fmt(f)
    }
}

impl<P: Permission, S: Send + Sync> FromRequestParts<S> for Permitted<P> {
    type Rejection = Challenge;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Challenge> {
        const {
            assert!(
                !P::SCOPES.is_empty(),
                "a permission needs at least one scope"
            );
        };
        let requirement = requirement::<P>()?;
        let checked = claims(parts).cloned().and_then(|claims| {
            let checked = requirement.check(&claims);
            let checked = checked.map_err(|shortfall| Challenge::shortfall(&shortfall));
            checked.map(|()| claims)
        });
        let claims =
            checked.map_err(|challenge| described(challenge, Some(&requirement), parts))?;
        Ok(Self {
            claims,
            permission: PhantomData,
        })
    }
}

fn requirement<P: Permission>() -> Result<Requirement, Challenge> {
    let scopes = require_all(P::SCOPES.iter().copied()).map_err(|error| {
        tracing::warn!(%error, scopes = ?P::SCOPES, "a permission names what is no scope: answered 500");
        Challenge::misconfigured()
    })?;
    Ok(match P::LEVEL {
        Some(level) => scopes.and(require_level(level)),
        None => scopes,
    })
}
