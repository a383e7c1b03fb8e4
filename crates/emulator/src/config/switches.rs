//! What the platform leaves open, or what other issuers do differently, as data.

mod choices;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::choices::{
    AudienceClaim, AudienceParameter, AudienceSource, BasicDecoding, Challenge,
    ClientAuthentication, ErrorShape, MissingAudience, NothingGranted, RetryHint, ScopeMode,
    TenantState, TokenFormat, TokenType, UnknownAudience,
};

/// How the tenant behaves where the documentation is silent or contradicts itself.
///
/// The default is strict and follows the documentation. In a configuration file the table
/// `[switches]` has these names, with durations in whole seconds and choices in `snake_case`.
///
/// # Examples
///
/// ```
/// use intelliauth_emulator::{Config, ScopeMode};
///
/// let config = Config::sample().switches(|switches| switches.scope_mode = ScopeMode::Permissive);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each switch is decided on its own"
)]
pub struct Switches {
    /// Lifetime of an access token without a setting of its application. Default: one hour, as in
    /// every sample of the platform; a concept page says 5 to 15 minutes.
    #[serde(with = "seconds")]
    pub access_ttl: Duration,
    /// Scopes off the application's list: refused or dropped. Default: [`ScopeMode::Strict`].
    pub scope_mode: ScopeMode,
    /// A request of which no scope remains. Default: [`NothingGranted::InvalidScope`].
    pub nothing_granted: NothingGranted,
    /// Who chooses the audience of a token. Default: [`AudienceSource::Request`].
    pub audience_source: AudienceSource,
    /// Which parameter names the audience. Default: [`AudienceParameter::Audience`].
    pub audience_parameter: AudienceParameter,
    /// An audience that the tenant does not know, or the application may not call.
    /// Default: [`UnknownAudience::InvalidTarget`].
    pub unknown_audience: UnknownAudience,
    /// A request from which no audience follows. Default: [`MissingAudience::InvalidRequest`].
    pub missing_audience: MissingAudience,
    /// Whether an audience must be an absolute URI, as RFC 8707 section 2 wants it of `resource`.
    /// Default: no; the platform's audiences are opaque strings.
    pub audience_must_be_uri: bool,
    /// What an access token looks like. Default: [`TokenFormat::Jwt`], as documented.
    pub token_format: TokenFormat,
    /// The header member `typ` of a token. Undocumented; default: [`TokenType::AtJwt`] (RFC 9068).
    pub token_typ: TokenType,
    /// Whether `aud` is a string or an array of one. Default: a string, as in every sample.
    pub audience_claim: AudienceClaim,
    /// Whether tokens carry `jti`. Undocumented; default: yes (RFC 9068 section 2.2).
    pub claim_jti: bool,
    /// Whether tokens carry `client_id`. Undocumented; default: yes (RFC 9068 section 2.2).
    pub claim_client_id: bool,
    /// Whether tokens carry `nbf`. Undocumented; default: no.
    pub claim_nbf: bool,
    /// Whether the reply repeats the granted scopes. Default: yes; one documented sample has none.
    pub token_reply_includes_scope: bool,
    /// The body of an error at an OAuth endpoint. Undocumented; default: [`ErrorShape::Rfc6749`].
    pub oauth_error_shape: ErrorShape,
    /// How the two halves of HTTP Basic are read. Default: [`BasicDecoding::Form`].
    pub basic_decoding: BasicDecoding,
    /// The methods of client authentication that are accepted and advertised. Default: all three.
    pub client_authentication: Vec<ClientAuthentication>,
    /// The challenge of a 401 after HTTP Basic. Default: [`Challenge::Basic`] (RFC 6749 section 5.2).
    pub challenge: Challenge,
    /// Requests to `/oauth2/*` that the tenant answers within any 60 seconds. Default: no limit;
    /// the platform's plans have 100, 1,000 and 10,000.
    pub requests_per_minute: Option<u32>,
    /// What a 429 of that limit says about when to come back. Default: [`RetryHint::Seconds`].
    pub retry_hint: RetryHint,
    /// A suspended tenant mints nothing; its discovery and keys stay. Default: active.
    pub tenant_state: TenantState,
    /// How long a rotated secret stays valid. Default: 72 hours, as documented.
    #[serde(with = "seconds")]
    pub secret_overlap: Duration,
    /// Whether published keys carry `alg`. Default: yes.
    pub jwks_includes_alg: bool,
    /// Whether the endpoints in the metadata end in a slash. Default: no. Only the form that stands
    /// there answers, the other one is 404: a client must take it as it is.
    pub endpoints_end_in_slash: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(3600),
            scope_mode: ScopeMode::Strict,
            nothing_granted: NothingGranted::InvalidScope,
            audience_source: AudienceSource::Request,
            audience_parameter: AudienceParameter::Audience,
            unknown_audience: UnknownAudience::InvalidTarget,
            missing_audience: MissingAudience::InvalidRequest,
            audience_must_be_uri: false,
            token_format: TokenFormat::Jwt,
            token_typ: TokenType::AtJwt,
            audience_claim: AudienceClaim::String,
            claim_jti: true,
            claim_client_id: true,
            claim_nbf: false,
            token_reply_includes_scope: true,
            oauth_error_shape: ErrorShape::Rfc6749,
            basic_decoding: BasicDecoding::Form,
            client_authentication: vec![
                ClientAuthentication::ClientSecretBasic,
                ClientAuthentication::ClientSecretPost,
                ClientAuthentication::None,
            ],
            challenge: Challenge::Basic,
            requests_per_minute: None,
            retry_hint: RetryHint::Seconds,
            tenant_state: TenantState::Active,
            secret_overlap: Duration::from_secs(72 * 3600),
            jwks_includes_alg: true,
            endpoints_end_in_slash: false,
        }
    }
}

/// Durations as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_survive_json() {
        let json = serde_json::to_value(Switches::default()).unwrap();
        assert_eq!(json["access_ttl"], 3600);
        assert_eq!(json["scope_mode"], "strict");
        assert_eq!(json["oauth_error_shape"], "rfc6749");
        assert_eq!(
            serde_json::from_value::<Switches>(json).unwrap(),
            Switches::default()
        );
    }
}
