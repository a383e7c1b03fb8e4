//! `google-cloud-auth`: an authorized user of Google, as a token and as headers.

use std::time::Duration;

use anyhow::Result;
use google_cloud_auth::credentials::{
    AccessToken, AccessTokenCredentials, CacheableResource, Credentials, user_account::Builder,
};
use http::{Extensions, HeaderMap};
use serde_json::json;

use crate::{endpoint::Endpoint, limits, subject::Tokens};

pub(super) struct Google(AccessTokenCredentials);

/// Its ready headers: what its own clients use.
pub(crate) struct GoogleHeaders(Credentials);

// It fetches the next one four minutes before the end.
const LIFETIME: Duration = Duration::from_secs(243);

fn builder(endpoint: &Endpoint) -> Builder {
    let user = json!({
        "type": "authorized_user",
        "client_id": "app_benchmark",
        "client_secret": "not-a-real-one",
        "refresh_token": "neither-is-this",
    });
    Builder::new(user).with_token_uri(endpoint.token_url())
}

impl Tokens for Google {
    const NAME: &'static str = "google-cloud-auth";
    const IS_KEYED: bool = false;
    const LIFETIME: Duration = LIFETIME;
    type Token = AccessToken;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self(builder(endpoint).build_access_token_credentials()?))
    }

    async fn token(&self, _: usize) -> Result<AccessToken> {
        Ok(self.0.access_token().await?)
    }
}

impl Tokens for GoogleHeaders {
    const NAME: &'static str = "google-cloud-auth, headers";
    const IS_KEYED: bool = false;
    const LIFETIME: Duration = LIFETIME;
    const LIMIT: &'static str = limits::HEADER;
    type Token = CacheableResource<HeaderMap>;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self(builder(endpoint).build()?))
    }

    async fn token(&self, _: usize) -> Result<CacheableResource<HeaderMap>> {
        Ok(self.0.headers(Extensions::new()).await?)
    }
}
