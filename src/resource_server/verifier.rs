//! [`Verifier`]: the one call of an API.

use std::sync::Arc;

use super::{
    builder::VerifierBuilder, claims::Claims, layer::AuthenticateLayer, metadata::ResourceMetadata,
    refusal::VerifyError, rules::Rules, verified_tokens::VerifiedTokens,
};
use crate::{
    endpoint::keys::KeySource,
    jwt::{Compact, Headers, KeySet, LEEWAY, Refused, seconds},
    time::{Moment, TimeSource},
};

/// Accepts the access tokens of one issuer for one audience. Clones share keys and memory.
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::{Algorithm, Verifier};
///
/// let verifier = Verifier::builder("https://banking-cymmetri.intelliauth.local", "api.banking.cymmetri.com")
///     .algorithms([Algorithm::Rs256, Algorithm::Es256])
///     .build()?;
/// assert_eq!(verifier.audience(), "api.banking.cymmetri.com");
/// # Ok::<(), intelliauth::resource_server::SetupError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) rules: Rules,
    pub(super) metadata: Option<ResourceMetadata>,
    pub(super) keys: KeySource,
    pub(super) headers: Headers,
    pub(super) verified_tokens: VerifiedTokens,
    pub(super) clock: TimeSource,
}

impl Verifier {
    /// Starts to build a verifier for the tokens of `issuer` that are for `audience`.
    ///
    /// Both are compared as strings, exactly: write the issuer as its metadata does.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder::new(issuer.into(), audience.into())
    }

    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The issuer whose tokens are accepted.
    pub fn issuer(&self) -> &str {
        &self.0.rules.issuer
    }

    /// The audience that a token must be for.
    pub fn audience(&self) -> &str {
        &self.0.rules.audience
    }

    /// How the API describes itself, where [`VerifierBuilder::resource`] has named it; without scopes.
    pub fn resource_metadata(&self) -> Option<&ResourceMetadata> {
        self.0.metadata.as_ref()
    }

    /// A tower layer that lets only authenticated requests through.
    pub fn layer(&self) -> AuthenticateLayer {
        AuthenticateLayer::new(self.clone())
    }

    /// Verifies `token`, the text after `Bearer`.
    ///
    /// A token that was verified before is compared with what is remembered, and only its expiry is
    /// looked at again. The issuer is asked for its keys by the first call, then in the background.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Invalid`] if it breaks a rule; [`VerifyError::Unavailable`] if there are no keys
    /// to verify it with, or none of the known ones fits and the issuer does not answer.
    pub async fn verify(&self, token: &str) -> Result<Claims, VerifyError> {
        let parts = &*self.0;
        let now = parts.clock.now();
        let (fresh, hash) = (parts.keys.fresh(now), parts.verified_tokens.hash(token));
        let known = |keys: &Arc<KeySet>| parts.verified_tokens.get(hash, token, keys);
        if let Some(claims) = fresh.as_ref().and_then(known) {
            let is_alive = claims.is_alive(seconds(now.wall()), LEEWAY);
            return Ok(is_alive.then_some(claims).ok_or(Refused::Expired)?);
        }
        let compact = Compact::parse(token, &parts.headers)?;
        parts.rules.check_header(&compact)?;
        let keys = match fresh {
            Some(keys) => keys,
            None => parts.keys.current().await?,
        };
        let (claims, keys) = match self.check(&compact, &keys, now) {
            Err(Refused::UnknownKey) => match parts.keys.newer(&keys).await? {
                Some(newer) => (self.check(&compact, &newer, now)?, newer),
                None => return Err(Refused::UnknownKey.into()),
            },
            checked => (checked?, keys),
        };
        parts.headers.keep(&compact);
        let verified = (&keys, &claims);
        let now = seconds(now.wall());
        parts.verified_tokens.put(hash, token, verified, now);
        Ok(claims)
    }

    fn check(&self, token: &Compact<'_>, keys: &KeySet, now: Moment) -> Result<Claims, Refused> {
        self.0.rules.check(token, keys, now.wall())
    }
}
