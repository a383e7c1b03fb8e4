//! `aliri_tokens`: a watcher of one token, renewed by a task.

use std::time::Duration;

use aliri_clock::DurationSecs;
use aliri_tokens::{
    AccessToken, IdToken, TokenLifetimeConfig, TokenStatus, TokenWatcher, TokenWithLifetime,
    backoff::ErrorBackoffConfig, jitter::NullJitter, sources::AsyncTokenSource,
};
use anyhow::{Result, bail};
use async_trait::async_trait;

use super::{hand::Reply, http};
use crate::{endpoint::Endpoint, limits, subject::Tokens};

pub(super) struct Aliri(TokenWatcher);

impl Tokens for Aliri {
    const NAME: &'static str = "aliri_tokens";
    const IS_KEYED: bool = false;
    const LIFETIME: Duration = Duration::from_secs(30);
    const LIMIT: &'static str = limits::BORROW;
    type Token = usize;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let source = Source {
            url: endpoint.token_url(),
            http: http()?,
        };
        let backoff =
            ErrorBackoffConfig::new(Duration::from_millis(100), Duration::from_secs(1), 2);
        let watcher = TokenWatcher::spawn_from_token_source(source, NullJitter, backoff).await?;
        Ok(Self(watcher))
    }

    /// A look at it through the borrow that it hands out.
    async fn token(&self, _: usize) -> Result<usize> {
        let token = self.0.token();
        if matches!(token.token_status(), TokenStatus::Expired) {
            bail!("an expired token was handed out");
        }
        Ok(token.access_token().as_str().len())
    }
}

struct Source {
    url: String,
    http: reqwest::Client,
}

#[async_trait]
impl AsyncTokenSource for Source {
    type Error = reqwest::Error;

    async fn request_token(&mut self) -> Result<TokenWithLifetime, reqwest::Error> {
        let request = self
            .http
            .post(&self.url)
            .body("grant_type=client_credentials");
        let reply = request.send().await?.error_for_status()?;
        let reply: Reply = reply.json().await?;
        // It leaves the point to its user: three seconds into a short life, else three quarters.
        let fresh = if reply.expires_in < 100 { 0.1 } else { 0.75 };
        let lifetime = DurationSecs(reply.expires_in);
        let access = AccessToken::from(reply.access_token);
        Ok(
            TokenLifetimeConfig::new(fresh, DurationSecs(0)).create_token(
                access,
                None::<IdToken>,
                lifetime,
            ),
        )
    }
}
