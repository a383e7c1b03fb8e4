//! Which authorization server wants which setting.
//!
//! The defaults fit the platform. Everything below was tried on loopback against the server named; *known*
//! means that it is what the server's own documentation says, and was not tried here.
//!
//! | server | dialect | what else |
//! |---|---|---|
//! | IntelliAuth | [`Dialect::intelliauth`](crate::Dialect::intelliauth), the default | |
//! | `oidc-provider` 9 (npm) | [`resource_indicators`](crate::Dialect::resource_indicators) | an API is an absolute URI; a refused audience consumes the refresh token |
//! | `better-auth` 1.7 (npm) | [`resource_indicators`](crate::Dialect::resource_indicators), with [`refresh_grace`](crate::Dialect::refresh_grace) where one is configured | names stand at userinfo alone; a wrong secret is 400 |
//! | `canaille` 0.3 (`PyPI`) | [`resource_indicators`](crate::Dialect::resource_indicators) with `offline_needs_consent = false` | the ID token is for the API as well; `scopes_supported` is not complete |
//! | `django-oauth-toolkit` 3.4 (`PyPI`) | [`family_per_audience`](crate::Dialect::family_per_audience), and [`without_offline_access`](crate::Dialect::without_offline_access) | `revocation_endpoint` stands in the second metadata document alone |
//! | glewlwyd 2.7 (Debian) | [`family_per_audience`](crate::Dialect::family_per_audience) | a wrong secret is 403 without a body |
//! | `LemonLDAP::NG` 2.16 (Debian) | [`Dialect::intelliauth`](crate::Dialect::intelliauth) | names stand at userinfo alone; a secret goes with [`Post`](crate::ClientAuthentication::Post) |
//! | Google *(known)* | [`without_offline_access`](crate::Dialect::without_offline_access) | [`parameter("access_type", "offline")`](crate::AuthorizationCode::parameter) brings the refresh token |
//! | GitLab *(known)* | [`without_offline_access`](crate::Dialect::without_offline_access) | |
//! | a server of OAuth 2 alone | [`oauth_only`](crate::Dialect::oauth_only) | no person is known by name: [`Account::subject`](crate::Account::subject) is nothing |
//!
//! # What to look at when a server is new
//!
//! | what is seen | the setting |
//! |---|---|
//! | [`Denied`](crate::Error::Denied) with `invalid_scope` at the sign-in, and the scopes were right | [`asks_openid`](crate::Dialect::asks_openid), [`asks_offline_access`](crate::Dialect::asks_offline_access) |
//! | [`Violation::WrongAudience`](crate::Violation::WrongAudience), or an opaque token for an API that wants JWTs | [`audience_parameter`](crate::Dialect::audience_parameter): the server ignores the one that is sent |
//! | `invalid_target` although the name is right | RFC 8707 wants an absolute URI |
//! | [`DeniedReason::AudienceNotInFamily`](crate::DeniedReason::AudienceNotInFamily) | [`TokenFamily::PerAudience`](crate::TokenFamily::PerAudience) |
//! | the session ends with its access tokens: no refresh token came | [`offline_needs_consent`](crate::Dialect::offline_needs_consent) |
//! | [`CredentialsRejected`](crate::DeniedReason::CredentialsRejected) although the secret is right | [`ClientAuthentication`](crate::ClientAuthentication): `BasicRaw` or `Post` |
//! | [`Revocation::NotOffered`](crate::Revocation::NotOffered), or no endpoint in the metadata | the endpoint by hand, such as [`revocation_endpoint`](crate::ClientBuilder::revocation_endpoint) |
//! | a lost answer ends the session although the server has a grace period | [`refresh_grace`](crate::Dialect::refresh_grace) |
//!
//! # Metadata in two places
//!
//! The client reads `/.well-known/openid-configuration`, and RFC 8414's `oauth-authorization-server` where that
//! is missing. An endpoint that is wanted and stands in the first document not at all is looked for in the second,
//! whose `issuer` has to be the same. Where both name an endpoint and differ, the first is used and a warning
//! names both. What is given by hand comes before either.
