//! What the platform leaves open, or what other issuers do differently, as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// Whether the endpoints in the metadata end in a slash. Default: no. Both forms are served.
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

/// Declares one switch's choices: public, listed in the documentation, `snake_case` on the wire.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }
    };
}

choices! {
    /// What happens to a requested scope that is not on the application's list.
    ScopeMode {
        /// The request is refused with `invalid_scope`.
        Strict,
        /// The scope is dropped, the rest is granted.
        Permissive,
    }
}

choices! {
    /// What happens when no scope remains to be granted.
    NothingGranted {
        /// The request is refused with `invalid_scope`.
        InvalidScope,
        /// A token without any scope, and a reply without a `scope` member.
        TokenWithoutScope,
    }
}

choices! {
    /// Where the audience of a token comes from.
    AudienceSource {
        /// The request names it; an application allowed for exactly one may leave it out.
        Request,
        /// The application's own one, whatever the request says.
        Application,
        /// The request's if it names one, else the application's own.
        Both,
    }
}

choices! {
    /// The parameter that names the audience; the other one is ignored, as real servers do.
    AudienceParameter {
        /// `audience`, as the platform documents.
        Audience,
        /// `resource` (RFC 8707).
        Resource,
        /// Either; both together must agree.
        Both,
    }
}

choices! {
    /// What happens to an audience that is unknown or not allowed.
    UnknownAudience {
        /// `invalid_target`, as the platform documents.
        InvalidTarget,
        /// `invalid_request`, as some servers answer.
        InvalidRequest,
        /// Treated as if none had been named.
        Ignore,
    }
}

choices! {
    /// What happens to a request from which no audience follows.
    MissingAudience {
        /// `invalid_request`.
        InvalidRequest,
        /// An opaque token for no API in particular.
        OpaqueToken,
        /// One token for every audience that the application may call: `aud` is an array.
        AllAudiences,
    }
}

choices! {
    /// What an access token looks like.
    TokenFormat {
        /// A signed JWT.
        Jwt,
        /// A random string that only introspection explains.
        Opaque,
    }
}

choices! {
    /// The header member `typ` of a token.
    TokenType {
        /// `at+jwt` (RFC 9068).
        AtJwt,
        /// `JWT`.
        Jwt,
        /// No such member.
        None,
    }
}

choices! {
    /// The shape of the `aud` claim when it names one API.
    AudienceClaim {
        /// One string.
        String,
        /// An array of one string.
        Array,
    }
}

choices! {
    /// The body of an error at an OAuth endpoint.
    ErrorShape {
        /// `error` and `error_description` (RFC 6749 section 5.2).
        Rfc6749,
        /// The platform's REST envelope: `error`, `message`, `details`, `request_id`.
        Envelope,
        /// The members of both.
        Both,
    }
}

choices! {
    /// How the two halves of HTTP Basic are read.
    BasicDecoding {
        /// Form-decoded, as RFC 6749 section 2.3.1 wants.
        Form,
        /// As they are.
        Raw,
        /// Whichever of the two fits.
        Either,
    }
}

choices! {
    /// A method of client authentication.
    ClientAuthentication {
        /// Id and secret in HTTP Basic.
        ClientSecretBasic,
        /// Id and secret in the form.
        ClientSecretPost,
        /// Only an id: public applications.
        None,
    }
}

choices! {
    /// The `WWW-Authenticate` header of a 401 after HTTP Basic.
    Challenge {
        /// `Basic realm="..."`.
        Basic,
        /// `Bearer`, as some servers say.
        Bearer,
        /// A realm without a scheme, as some servers say.
        WithoutScheme,
        /// No such header.
        None,
    }
}

choices! {
    /// What a 429 says about when to come back.
    RetryHint {
        /// `Retry-After` in seconds.
        Seconds,
        /// `Retry-After` as an HTTP date.
        Date,
        /// Nothing.
        None,
    }
}

choices! {
    /// Whether the tenant is in operation.
    TenantState {
        /// It mints tokens.
        Active,
        /// It refuses every token request with `tenant_suspended` and 403; both are a guess.
        Suspended,
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
