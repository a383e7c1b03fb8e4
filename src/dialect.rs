//! What issuers do differently where the RFCs leave room, as data.

mod audience_rule;

use std::time::Duration;

pub(crate) use audience_rule::AudienceRule;

use crate::scope::Scopes;

/// How an issuer speaks OAuth 2, where the RFCs leave room or servers take it.
///
/// The default fits the platform. A server that names APIs with RFC 8707 resource indicators is
/// spoken to with [`resource_indicators`](Self::resource_indicators); for anything in between, start
/// from one of the presets and change a field. The guide has a
/// [table](crate::guide::servers) of servers that were tried, with the setting of each.
///
/// # Examples
///
/// ```
/// use intelliauth::{AudienceParameter, Dialect};
///
/// let mut dialect = Dialect::intelliauth();
/// dialect.audience_parameter = AudienceParameter::Both;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about an issuer"
)]
pub struct Dialect {
    /// Which parameter carries the audience, in token requests as where a person is sent to sign in.
    ///
    /// The platform documents `audience` for the client credentials and token exchange grants; that the
    /// others take it as well is an assumption. A server that wants `resource` usually ignores `audience`
    /// silently and answers with a token for something else, which this client then refuses if it
    /// can read the token.
    pub audience_parameter: AudienceParameter,
    /// Whether `client_secret_basic` sends the id and secret as they are.
    ///
    /// RFC 6749 section 2.3.1 wants them form-encoded first, and most servers decode them; some do
    /// not. It matters only for ids and secrets with characters other than letters, digits and `-._*`, and
    /// only where the client chooses the method by the issuer's metadata:
    /// [`ClientBuilder::client_authentication`](crate::ClientBuilder::client_authentication) says itself
    /// which of the two it is.
    pub raw_basic: bool,
    /// Whether one sign-in yields one refresh token for all APIs, or one for each.
    ///
    /// Undocumented by the platform; the default asks one family for every API. Some servers bind the
    /// rotated token to the API that was named last, and there each needs a sign-in of its own.
    pub token_family: TokenFamily,
    /// Whether a refresh may ask for an audience or scopes that the sign-in is not known to cover.
    ///
    /// Where it may not (the default), such a request is [`Error::Consent`](crate::Error::Consent)
    /// without being sent: a refused refresh consumes the refresh token at some servers all the same.
    ///
    /// Further scopes get to the issuer only together with
    /// [`narrows_per_token`](Self::narrows_per_token): without that a refresh names none, and asks for the
    /// audience alone. Two things are not sent all the same: what the issuer withheld from the sign-in
    /// ([`Error::Denied`](crate::Error::Denied)), and an API without a sign-in of its own where
    /// [each has one](TokenFamily::PerAudience).
    pub refresh_may_exceed: bool,
    /// Whether naming scopes in a refresh narrows that access token only, and not the refresh token.
    ///
    /// RFC 6749 section 6 leaves the refresh token as it was; three of six servers that were tried
    /// narrow it for good, so by default a refresh names no scopes. Its access token then has all that the
    /// issuer grants for the audience, whatever the call has named.
    pub narrows_per_token: bool,
    /// Whether a sign-in asks for the scope `openid`. Default: yes.
    ///
    /// It makes the issuer say who signed in (OpenID Connect Core section 3.1.2.1). A server that knows OAuth 2
    /// alone may refuse it as unknown (`invalid_scope`), and then no person can sign in. Without it
    /// [`Account::subject`](crate::Account::subject) is nothing, and a session is not held to one person.
    pub asks_openid: bool,
    /// Whether a sign-in asks for the scope `offline_access`. Default: yes.
    ///
    /// OpenID Connect Core section 11: it makes the issuer give a refresh token. Servers that give one anyway, or
    /// by a parameter of their own, may refuse the scope as unknown (django-oauth-toolkit; by general
    /// knowledge Google and GitLab). What the metadata lists as `scopes_supported` proves nothing: canaille
    /// takes more than it lists. A sign-in can still [name it](crate::AuthorizationCode::scope).
    pub asks_offline_access: bool,
    /// Whether a sign-in in a browser that asks for `offline_access` also asks for `prompt=consent`.
    ///
    /// OpenID Connect Core section 11 has it so, unless the server has other ways to permit it. One that
    /// keeps to the letter drops `offline_access` silently otherwise: then there is no refresh
    /// token, and the session ends with its access tokens. The price is a consent page at each sign-in;
    /// the platform needs none. It is left out of a silent sign-in ([`Prompt::None`](crate::Prompt::None)),
    /// which may show no page, and a device code has no parameter for it.
    pub offline_needs_consent: bool,
    /// How long after its first redemption a refresh token is still answered. Default: `None`, not at all.
    ///
    /// Within that time a redemption whose answer was lost may be repeated as often as it takes, always as
    /// the same request: some issuers (better-auth) repeat their answer to that one alone. The client
    /// counts from when it first sent the request. Without a grace period there is one repetition, ever.
    ///
    /// This is in no RFC. RFC 9700 section 4.14.2 has a refresh token that comes a second time end its
    /// family, without an exception; issuers that make one allow some seconds to a minute, so that a lost
    /// answer does not end a session. Name what the issuer documents and not more: a repetition that comes
    /// too late is reuse.
    pub refresh_grace: Option<Duration>,
}

/// What one sign-in covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFamily {
    /// One refresh token serves every API that the person consented to.
    One,
    /// Each API has a refresh token of its own, from a sign-in of its own.
    ///
    /// Where an issuer gives no ID token there is no telling who signed in, and a sign-in for another API
    /// counts as the same person's: sign out before another person signs in.
    PerAudience,
}

/// Which parameter of a request carries the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceParameter {
    /// `audience`, as the platform and RFC 8693 have it.
    Audience,
    /// `resource` (RFC 8707): the audience as it is, which servers refuse unless it is an absolute URI.
    Resource,
    /// Both, for servers that read either and refuse neither.
    Both,
}

impl Dialect {
    /// The IntelliAuth platform: `audience`, and Basic authentication by the letter of RFC 6749.
    #[must_use]
    pub fn intelliauth() -> Self {
        Self {
            audience_parameter: AudienceParameter::Audience,
            raw_basic: false,
            token_family: TokenFamily::One,
            refresh_may_exceed: false,
            narrows_per_token: false,
            asks_openid: true,
            asks_offline_access: true,
            offline_needs_consent: false,
            refresh_grace: None,
        }
    }

    /// A server that follows RFC 8707 and OpenID Connect Core: the audience goes out as `resource`, and
    /// staying signed in is consented to each time.
    #[must_use]
    pub fn resource_indicators() -> Self {
        Self {
            audience_parameter: AudienceParameter::Resource,
            offline_needs_consent: true,
            ..Self::intelliauth()
        }
    }

    /// A server that follows RFC 8707 and binds each refresh token to the API that it was asked for: each
    /// API has a sign-in of its own.
    ///
    /// Such a server answers a refresh for another API with `invalid_target`, although the person consented
    /// to both.
    #[must_use]
    pub fn family_per_audience() -> Self {
        Self {
            audience_parameter: AudienceParameter::Resource,
            token_family: TokenFamily::PerAudience,
            ..Self::intelliauth()
        }
    }

    /// The same without the scope `offline_access`, for servers that refuse it as unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use intelliauth::Dialect;
    ///
    /// let dialect = Dialect::resource_indicators().without_offline_access();
    /// assert!(dialect.asks_openid && !dialect.asks_offline_access);
    /// ```
    #[must_use]
    pub fn without_offline_access(mut self) -> Self {
        self.asks_offline_access = false;
        self
    }

    /// The same without any scope of OpenID Connect, for servers that know OAuth 2 alone.
    #[must_use]
    pub fn oauth_only(mut self) -> Self {
        (self.asks_openid, self.asks_offline_access) = (false, false);
        self
    }

    /// The scopes that every sign-in asks for, whatever it is for.
    pub(crate) fn sign_in_scopes(&self) -> Scopes {
        Scopes::from_reply(match (self.asks_openid, self.asks_offline_access) {
            (true, true) => "openid offline_access",
            (true, false) => "openid",
            (false, true) => "offline_access",
            (false, false) => "",
        })
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::intelliauth()
    }
}

impl AudienceParameter {
    /// The names of the parameters to send.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Audience => &["audience"],
            Self::Resource => &["resource"],
            Self::Both => &["audience", "resource"],
        }
    }
}
