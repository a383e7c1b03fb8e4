//! The issuer as a session's driver asks it: through the client's endpoint.

use std::sync::{Arc, Mutex};

use super::environment::{Boxed, Issuer, Redeemed, RefreshRequest};
use crate::{
    dialect::{AudienceRule, Dialect},
    endpoint::{Endpoint, Grant, GrantKind, Revocation},
    error::Error,
    secret::Secret,
};

impl Issuer for Endpoint {
    fn redeem<'a>(
        &'a self,
        refresh_token: &'a Secret,
        request: &'a RefreshRequest,
    ) -> Boxed<'a, Redeemed> {
        Box::pin(async move {
            let rotated = Mutex::new(None);
            let grant = Grant {
                kind: GrantKind::RefreshToken {
                    refresh_token,
                    narrows: self.dialect().narrows_per_token,
                    rotated: &rotated,
                },
                target: &request.target,
                urgency: request.urgency,
            };
            let reply = self.token(&grant).await;
            Redeemed {
                reply,
                rotated: rotated.into_inner().unwrap_or_default(),
            }
        })
    }

    fn reach(&self, in_background: bool) -> Boxed<'_, Result<(), Error>> {
        Box::pin(Self::ensure_discovered(self, in_background))
    }

    fn is_there(&self) -> Boxed<'_, Result<(), Error>> {
        Box::pin(Self::probe(self))
    }

    fn revoke<'a>(&'a self, refresh_token: &'a Secret) -> Boxed<'a, Revocation> {
        Box::pin(Self::revoke(self, refresh_token))
    }

    fn dialect(&self) -> &Dialect {
        Self::dialect(self)
    }

    fn audiences(&self) -> &AudienceRule {
        Self::audiences(self)
    }
}

/// The issuer behind a pointer.
pub(crate) fn issuer_of(endpoint: &Arc<Endpoint>) -> Arc<dyn Issuer> {
    Arc::<Endpoint>::clone(endpoint) as Arc<dyn Issuer>
}
