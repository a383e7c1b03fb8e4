//! [`Claims`]: what a verified access token says.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::de::DeserializeOwned;

use crate::{jwt::ClaimSet, scope::Scopes};

/// The claims of an access token that was verified. Cheap to clone.
///
/// Only a [`Verifier`](super::Verifier) makes them, so code that holds them knows that the signature,
/// the issuer, the audience and the times were right. `Debug` leaves out who the token speaks for.
#[derive(Clone)]
pub struct Claims(Arc<Parts>);

/// What is read of the payload once.
pub(super) struct Parts {
    pub(super) subject: Option<Box<str>>,
    pub(super) client_id: Option<Box<str>>,
    pub(super) scopes: Scopes,
    /// In seconds since 1970.
    pub(super) expires: f64,
    pub(super) level: Option<AssuranceLevel>,
    /// A JSON object, as it was signed.
    pub(super) payload: Vec<u8>,
}

impl Claims {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// `sub`: who the token speaks for, a person or an application (RFC 7519 section 4.1.2).
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The application that the token was issued to: `client_id` (RFC 9068 section 2.2), else `azp`.
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id.as_deref()
    }

    /// `aud`: all the APIs that the token is for; the verifier's own is among them.
    ///
    /// This and the other lists are read from the token at each call.
    pub fn audiences(&self) -> Vec<String> {
        self.list("aud")
    }

    /// What the token allows.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// When the token expires. It was accepted up to 30 s later.
    pub fn expires_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::try_from_secs_f64(self.0.expires).unwrap_or_default()
    }

    /// How sure the issuer is of the person: `auth_level`, as the platform calls it, or such a value
    /// in `acr`; the lower one if both are there.
    pub fn assurance_level(&self) -> Option<AssuranceLevel> {
        self.0.level
    }

    /// `acr`: the class of the sign-in, by the issuer's own names (RFC 9068 section 2.2.1).
    pub fn acr(&self) -> Option<String> {
        let claims = ClaimSet::read(&self.0.payload).ok()?;
        claims.text("acr").ok()?.map(str::to_owned)
    }

    /// `amr`: how the person signed in, for example `pwd` and `totp` (RFC 8176).
    pub fn amr(&self) -> Vec<String> {
        self.list("amr")
    }

    /// A claim that was found to be a text or an array of texts.
    fn list(&self, name: &'static str) -> Vec<String> {
        let claims = ClaimSet::read(&self.0.payload);
        let texts = claims
            .as_ref()
            .ok()
            .and_then(|claims| claims.one_or_many(name).ok());
        texts
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// The claims as a type of yours; nothing if they do not fit it.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn show(claims: &intelliauth::resource_server::Claims) {
    /// #[derive(serde::Deserialize)]
    /// struct Custom {
    ///     sid: Option<String>,
    ///     plan: String,
    /// }
    ///
    /// let custom: Option<Custom> = claims.parse();
    /// # let _ = custom.map(|custom| (custom.sid, custom.plan));
    /// # }
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.0.payload).ok()
    }

    /// Whether the token is still accepted at `now`, in seconds since 1970.
    pub(super) fn is_alive(&self, now: f64, leeway: Duration) -> bool {
        now < self.0.expires + leeway.as_secs_f64()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("audiences", &self.audiences())
            .field("scopes", &self.0.scopes)
            .field("expires_at", &self.expires_at())
            .field("assurance_level", &self.0.level)
            .finish_non_exhaustive()
    }
}

/// How sure the issuer is that it was this person, in the platform's three steps (NIST SP 800-63B).
///
/// They are ordered: a route that needs one is open to those above it.
///
/// # Examples
///
/// ```
/// use intelliauth::resource_server::AssuranceLevel;
///
/// assert!(AssuranceLevel::Aal2 > AssuranceLevel::Aal1);
/// assert_eq!(AssuranceLevel::Aal3.to_string(), "AAL3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AssuranceLevel {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
    /// Two factors, one of them hardware that cannot be phished.
    Aal3,
}

impl AssuranceLevel {
    /// The one with this name; the platform writes it in both cases.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Aal1, Self::Aal2, Self::Aal3]
            .into_iter()
            .find(|level| name.eq_ignore_ascii_case(level.as_str()))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "AAL1",
            Self::Aal2 => "AAL2",
            Self::Aal3 => "AAL3",
        }
    }
}

impl fmt::Display for AssuranceLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
