//! `huskarl`: client credentials behind its in-memory cache, one cache for each token.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use huskarl::{
    cache::{GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache, TokenSource as _},
    core::{
        client_auth::ClientSecret,
        secrets::{ProvidedSecret, SecretString},
    },
    grant::{
        client_credentials::{ClientCredentialsGrant, ClientCredentialsGrantParameters},
        core::TokenResponse,
    },
};
use huskarl_reqwest::ReqwestClient;

use crate::{endpoint::Endpoint, subject::Tokens, tokens::audience};

type Source = GrantTokenSource<ClientCredentialsGrant, InMemoryRefreshTokenStore>;

pub(super) struct Huskarl(InMemoryTokenCache<Source>);

impl Tokens for Huskarl {
    const NAME: &'static str = "huskarl";
    const IS_KEYED: bool = false;
    // Its margin is half of a short life, and up to a tenth more by chance.
    const LIFETIME: Duration = Duration::from_secs(6);
    type Token = Arc<TokenResponse>;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let secret = ProvidedSecret::new(SecretString::new("not-a-real-one"));
        let http = reqwest_013::Client::builder().no_proxy().build()?;
        let grant = ClientCredentialsGrant::builder()
            .token_endpoint(endpoint.token_url().parse()?)
            .client_id("app_benchmark")
            .http_client(ReqwestClient::from(http))
            .client_auth(ClientSecret::new(secret))
            .build();
        let parameters = ClientCredentialsGrantParameters::builder()
            .scope(vec![audience(0).to_owned()])
            .build();
        let source = GrantTokenSource::builder()
            .grant(grant)
            .grant_parameters(parameters)
            .refresh_store(InMemoryRefreshTokenStore::default())
            .build();
        Ok(Self(InMemoryTokenCache::builder().source(source).build()))
    }

    async fn token(&self, _: usize) -> Result<Arc<TokenResponse>> {
        Ok(self.0.token().await?)
    }
}
