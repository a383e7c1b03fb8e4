//! The choices of each switch.

use serde::{Deserialize, Serialize};

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
        /// The application's own one, even if the request names another.
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

choices! {
    /// What happens where a person's consent is needed.
    ConsentMode {
        /// A page asks, as documented.
        Ask,
        /// It is granted without a page, and recorded without a text.
        Auto,
        /// It is denied without a page.
        Deny,
    }
}

choices! {
    /// What a token request for scopes without consent is answered with.
    MissingConsent {
        /// `consent_required`, as the platform documents.
        ConsentRequired,
        /// `interaction_required`, as some servers answer.
        InteractionRequired,
        /// `invalid_scope`, as some servers answer.
        InvalidScope,
        /// A token without them.
        Narrow,
    }
}

choices! {
    /// What `prompt=none` is told when a person would be needed.
    SilentRefusal {
        /// `login_required`, `consent_required` or `interaction_required`, whichever it is.
        Specific,
        /// Always `interaction_required`.
        InteractionRequired,
    }
}

choices! {
    /// What happens to a refresh for an API that its sign-in did not cover.
    UngrantedAudience {
        /// `consent_required`: a person can help.
        ConsentRequired,
        /// `invalid_target`, as servers with resource indicators answer.
        InvalidTarget,
    }
}

choices! {
    /// Which requests with a spent refresh token the grace period covers.
    GraceCoverage {
        /// Every one. It is answered with the family's current refresh token.
        AnyRequest,
        /// The request that spent it, with the same parameters, letter for letter; only the client's id
        /// and authentication may come in another way. It is answered with the refresh token of the
        /// first answer and a new access token. Every other request is reuse and ends the family.
        IdenticalRequest,
    }
}

choices! {
    /// Which scopes a refresh may ask for.
    RefreshScopes {
        /// Those of its own sign-in (RFC 6749 section 6).
        Grant,
        /// All that the person ever allowed this application.
        Consent,
    }
}
