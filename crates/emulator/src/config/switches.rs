//! What the platform leaves open, or what other issuers do differently, as data.

mod choices;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::choices::{
    AudienceClaim, AudienceParameter, AudienceSource, BasicDecoding, Challenge,
    ClientAuthentication, ConsentMode, ErrorShape, GraceCoverage, MissingAudience, MissingConsent,
    NothingGranted, RefreshScopes, RetryHint, ScopeMode, SilentRefusal, TenantState, TokenFormat,
    TokenType, UngrantedAudience, UnknownAudience,
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
    /// Requests to `/oauth2/*` and for pages that the tenant answers within any 60 seconds. Default: no limit;
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
    /// What happens where a person's consent is needed. Default: [`ConsentMode::Ask`].
    pub consent: ConsentMode,
    /// A token request for scopes that the person did not consent to. The platform documents the
    /// code; default: [`MissingConsent::ConsentRequired`].
    pub missing_consent: MissingConsent,
    /// The errors of `prompt=none`. Default: [`SilentRefusal::Specific`] (OpenID Connect Core
    /// section 3.1.2.6); some servers only know `interaction_required`.
    pub silent_refusal: SilentRefusal,
    /// Whether a `login_hint` that names another person than the one signed in leads to the sign-in page.
    /// Undocumented; default: yes. Real servers answer for the person who is signed in.
    pub login_hint_is_checked: bool,
    /// Whether callbacks carry `iss` (RFC 9207), and the metadata says so. Undocumented; default: yes.
    pub callback_includes_iss: bool,
    /// Whether a redirect URI at `http://127.0.0.1` also fits at `http://[::1]` (RFC 8252 section
    /// 7.3). Default: no; the platform documents 127.0.0.1 as the only exception.
    pub loopback_ipv6: bool,
    /// Lifetime of an authorization code. Undocumented; default: 60 seconds.
    #[serde(with = "seconds")]
    pub code_ttl: Duration,
    /// How long a browser stays signed in. Undocumented; default: 12 hours.
    #[serde(with = "seconds")]
    pub session_ttl: Duration,
    /// Lifetime of a device code. Default: 30 minutes, as in the platform's sample.
    #[serde(with = "seconds")]
    pub device_code_ttl: Duration,
    /// How long a device waits between two polls. Default: 5 seconds, as in the platform's sample.
    #[serde(with = "seconds")]
    pub device_interval: Duration,
    /// Whether the device's reply names the interval. Default: yes; without it a client must take 5
    /// seconds (RFC 8628 section 3.2).
    pub device_reply_includes_interval: bool,
    /// Whether a poll that comes too early is told `slow_down`, else `authorization_pending`.
    /// Default: yes, as documented.
    pub device_slow_down: bool,
    /// Lifetime of a refresh token, counted anew with each rotation. The platform says "days";
    /// default: 30.
    #[serde(with = "seconds")]
    pub refresh_ttl: Duration,
    /// Whether a refresh answers with a new refresh token and spends the old one. Default: yes, as
    /// documented.
    pub refresh_rotates: bool,
    /// Whether a refresh that does not rotate repeats the refresh token. Default: yes.
    pub refresh_reply_includes_token: bool,
    /// How long a spent refresh token is answered again, counted from its first redemption. Default: not
    /// at all; the platform describes no grace period, other issuers have one of some seconds to a
    /// minute. It covers tokens that are spent while it is set.
    #[serde(with = "seconds")]
    pub refresh_grace: Duration,
    /// Which requests that grace period covers. Undocumented; default: [`GraceCoverage::AnyRequest`].
    /// Some issuers (better-auth) repeat their answer to the identical request alone.
    pub refresh_grace_covers: GraceCoverage,
    /// Whether reuse ends the whole session and every family of it. Default: no, only the family:
    /// the platform documents both that the family ends and an event `user.session_revoked`.
    pub reuse_ends_session: bool,
    /// Whether a refresh may name another audience than its family's first. Undocumented; default:
    /// yes. Some servers fix it at the sign-in.
    pub refresh_accepts_audience: bool,
    /// A refresh for an API that the sign-in did not cover. Undocumented; default:
    /// [`UngrantedAudience::ConsentRequired`].
    pub ungranted_audience: UngrantedAudience,
    /// What a refresh may ask for. Default: [`RefreshScopes::Grant`] (RFC 6749 section 6).
    pub refresh_scopes: RefreshScopes,
    /// Whether a refresh without an audience repeats the one before, else the family's first.
    /// Default: no; some servers bind the rotated token to its last audience.
    pub resource_sticks: bool,
    /// Whether a refresh token is used up by a refresh that is refused. Default: no; `oidc-provider`
    /// does it.
    pub refused_refresh_consumes: bool,
    /// Whether a refresh that names scopes narrows its family for good. Default: no; real servers do
    /// it, and without `offline_access` the refresh token is gone.
    pub narrowing_is_permanent: bool,
    /// Whether a refresh of a sign-in with `openid` answers with an id token. Default: yes, as in the
    /// platform's sample.
    pub id_token_on_refresh: bool,
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
            consent: ConsentMode::Ask,
            missing_consent: MissingConsent::ConsentRequired,
            silent_refusal: SilentRefusal::Specific,
            login_hint_is_checked: true,
            callback_includes_iss: true,
            loopback_ipv6: false,
            code_ttl: Duration::from_secs(60),
            session_ttl: Duration::from_secs(12 * 3600),
            device_code_ttl: Duration::from_secs(1800),
            device_interval: Duration::from_secs(5),
            device_reply_includes_interval: true,
            device_slow_down: true,
            refresh_ttl: Duration::from_secs(30 * 24 * 3600),
            refresh_rotates: true,
            refresh_reply_includes_token: true,
            refresh_grace: Duration::ZERO,
            refresh_grace_covers: GraceCoverage::AnyRequest,
            reuse_ends_session: false,
            refresh_accepts_audience: true,
            ungranted_audience: UngrantedAudience::ConsentRequired,
            refresh_scopes: RefreshScopes::Grant,
            resource_sticks: false,
            refused_refresh_consumes: false,
            narrowing_is_permanent: false,
            id_token_on_refresh: true,
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
