//! [`Algorithm`]: the signatures that can be allowed.

use std::fmt;

use aws_lc_rs::{
    digest,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
        EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RsaParameters,
    },
};

/// A signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
///
/// Only signatures with a public key are here: neither `none` nor HMAC can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what the platform signs with.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// `EdDSA` with Ed25519. The newer name `Ed25519` (RFC 9864) is another one and not meant.
    EdDsa,
}

/// What an algorithm needs of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scheme {
    Rsa(&'static RsaParameters),
    Ec {
        curve: &'static str,
        /// The length of a coordinate (in bytes).
        coordinate: usize,
        verification: &'static EcdsaVerificationAlgorithm,
    },
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The name in a token's header, exactly.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one with this name; names are case-sensitive (RFC 7515 section 4.1.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    pub(super) fn scheme(self) -> Scheme {
        let ec = |curve, coordinate, verification| Scheme::Ec {
            curve,
            coordinate,
            verification,
        };
        match self {
            Self::Rs256 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Scheme::Rsa(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Scheme::Rsa(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Scheme::Rsa(&RSA_PSS_2048_8192_SHA512),
            // RFC 7518 section 6.2.1.2: a coordinate has the full length of its curve.
            Self::Es256 => ec("P-256", 32, &ECDSA_P256_SHA256_FIXED),
            Self::Es384 => ec("P-384", 48, &ECDSA_P384_SHA384_FIXED),
            Self::Es512 => ec("P-521", 66, &ECDSA_P521_SHA512_FIXED),
            Self::EdDsa => Scheme::Ed25519,
        }
    }

    /// The hash that `at_hash` is made with (OpenID Connect Core section 3.1.3.6); SHA-512 is what
    /// Ed25519 hashes with.
    pub(super) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa => &digest::SHA512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.as_str()), Some(algorithm));
            assert_eq!(
                Algorithm::named(&algorithm.as_str().to_ascii_lowercase()),
                None
            );
        }
        for other in [
            "", "none", "None", "HS256", "HS512", "Ed25519", "ES256K", "RS256 ", "RS1",
        ] {
            assert_eq!(Algorithm::named(other), None, "{other}");
        }
    }
}
