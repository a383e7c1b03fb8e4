//! [`Refused`]: which rule a token breaks.

/// Which rule a token breaks. It names rules and claims, never what stands in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the token is too large")]
    TooLarge,
    #[error("the token is no compact JWS")]
    NotCompact,
    #[error("the token's base64url is not canonical")]
    Encoding,
    #[error("the token's JSON is not acceptable")]
    Json,
    #[error("the token's header is not acceptable: `{0}`")]
    Header(&'static str),
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    #[error("the token is of another type")]
    Type,
    #[error("the token is no access token: it has `{0}`")]
    NotAnAccessToken(&'static str),
    #[error("the token is bound to a key, and such proofs are not read here")]
    Bound,
    #[error("no key of the issuer fits the token")]
    UnknownKey,
    #[error("several keys of the issuer fit the token")]
    AmbiguousKey,
    #[error("the key that the token names does not fit its algorithm")]
    UnfitKey,
    #[error("the token's signature does not hold")]
    Signature,
    #[error("the token lacks the claim `{0}`")]
    Missing(&'static str),
    #[error("the token's claim `{0}` is not acceptable")]
    Malformed(&'static str),
    #[error("the token is another issuer's")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error(
        "the token is for a further audience that this sign-in did not ask for, and names no party \
         (`azp`) that it was issued to; if that is an API of yours, ask for it with the sign-in"
    )]
    FurtherAudience,
    #[error("the token was issued to another client")]
    AuthorizedParty,
    #[error("the token does not answer this sign-in")]
    Nonce,
    #[error("the token belongs to another access token")]
    AccessTokenHash,
    #[error("the person signed in too long ago")]
    AuthenticatedTooLongAgo,
}
