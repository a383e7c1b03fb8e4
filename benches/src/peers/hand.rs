//! What people write by hand: a map in a lock, and moka with its single flight.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use moka::future::Cache;
use oauth2::{ClientId, ClientSecret, TokenResponse as _, TokenUrl, basic::BasicClient};
use serde::Deserialize;
use tokio::sync::RwLock;

use super::http;
use crate::{endpoint::Endpoint, subject::Tokens, tokens::audience};

/// A token's answer, for peers whose user parses it.
#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) access_token: String,
    pub(super) expires_in: u64,
}

/// How long before the end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// Three seconds more.
const LIFETIME: Duration = Duration::from_secs(33);

struct Source {
    url: TokenUrl,
    http: reqwest::Client,
}

impl Source {
    fn new(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self {
            url: TokenUrl::new(endpoint.token_url())?,
            http: http()?,
        })
    }

    async fn fetch(&self, audience: &str) -> Result<(String, Instant)> {
        let client = BasicClient::new(ClientId::new("app_benchmark".to_owned()))
            .set_client_secret(ClientSecret::new("not-a-real-one".to_owned()))
            .set_token_uri(self.url.clone());
        let reply = client
            .exchange_client_credentials()
            .add_extra_param("audience", audience)
            .request_async(&self.http)
            .await?;
        let lifetime = reply.expires_in().unwrap_or(Duration::from_mins(1));
        let token = reply.access_token().secret().clone();
        Ok((token, Instant::now() + lifetime))
    }
}

/// A read lock, a look, a fetch, a write lock.
pub(super) struct RwLocked {
    source: Source,
    tokens: RwLock<HashMap<String, (String, Instant)>>,
}

impl Tokens for RwLocked {
    const NAME: &'static str = "by hand, RwLock<HashMap>";
    const IS_KEYED: bool = true;
    const LIFETIME: Duration = LIFETIME;
    type Token = String;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self {
            source: Source::new(endpoint)?,
            tokens: RwLock::default(),
        })
    }

    async fn token(&self, number: usize) -> Result<String> {
        if let Some((token, until)) = self.tokens.read().await.get(audience(number))
            && *until > Instant::now() + MARGIN
        {
            return Ok(token.clone());
        }
        let (token, until) = self.source.fetch(audience(number)).await?;
        let mut tokens = self.tokens.write().await;
        tokens.insert(audience(number).to_owned(), (token.clone(), until));
        Ok(token)
    }
}

/// `try_get_with`, and a life for all entries alike.
pub(super) struct Moka {
    source: Source,
    tokens: Cache<String, Arc<str>>,
}

impl Tokens for Moka {
    const NAME: &'static str = "by hand, moka try_get_with";
    const IS_KEYED: bool = true;
    const LIFETIME: Duration = LIFETIME;
    type Token = Arc<str>;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let life = endpoint.lifetime().saturating_sub(MARGIN);
        Ok(Self {
            source: Source::new(endpoint)?,
            tokens: Cache::builder().time_to_live(life).build(),
        })
    }

    async fn token(&self, number: usize) -> Result<Arc<str>> {
        let fetch = async {
            let (token, _) = self.source.fetch(audience(number)).await?;
            anyhow::Ok(Arc::from(token))
        };
        self.tokens
            .try_get_with_by_ref(audience(number), fetch)
            .await
            .map_err(|error| anyhow!("{error:#}"))
    }
}
