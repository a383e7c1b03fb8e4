//! `aws-smithy-runtime`: its lazy identity cache, with bearer tokens in it.

use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::{
    identity::{
        Identity, IdentityFuture, ResolveCachedIdentity as _, ResolveIdentity, SharedIdentityCache,
        SharedIdentityResolver, http::Token,
    },
    runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
};
use aws_smithy_types::config_bag::ConfigBag;

use super::{hand::Reply, http};
use crate::{
    endpoint::Endpoint,
    subject::Tokens,
    tokens::{AUDIENCES, audience},
};

/// One cache; each audience is a partition of it, with a resolver of its own.
pub(super) struct Aws {
    cache: SharedIdentityCache,
    resolvers: Vec<SharedIdentityResolver>,
    components: RuntimeComponents,
    config: ConfigBag,
}

impl Tokens for Aws {
    const NAME: &'static str = "aws-smithy-runtime";
    const IS_KEYED: bool = true;
    // It fetches the next one ten seconds before the end.
    const LIFETIME: Duration = Duration::from_secs(13);
    type Token = Identity;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let http = http()?;
        let resolver = |audience| {
            SharedIdentityResolver::new(Resolver {
                url: endpoint.token_url(),
                http: http.clone(),
                audience,
            })
        };
        Ok(Self {
            cache: IdentityCache::lazy().build(),
            resolvers: (0..AUDIENCES.len()).map(resolver).collect(),
            components: RuntimeComponentsBuilder::for_tests()
                .with_time_source(Some(SystemTimeSource::new()))
                .with_sleep_impl(Some(TokioSleep::new()))
                .build()?,
            config: ConfigBag::base(),
        })
    }

    async fn token(&self, number: usize) -> Result<Identity> {
        self.cache
            .resolve_cached_identity(
                self.resolvers[number].clone(),
                &self.components,
                &self.config,
            )
            .await
            .map_err(|error| anyhow!(error))
    }
}

#[derive(Debug)]
struct Resolver {
    url: String,
    http: reqwest::Client,
    audience: usize,
}

impl ResolveIdentity for Resolver {
    fn resolve_identity<'a>(
        &'a self,
        _: &'a RuntimeComponents,
        _: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async move {
            let form = [("audience", audience(self.audience))];
            let reply = self.http.post(&self.url).form(&form).send().await?;
            let reply: Reply = reply.error_for_status()?.json().await?;
            let until = Some(SystemTime::now() + Duration::from_secs(reply.expires_in));
            Ok(Identity::new(Token::new(reply.access_token, until), until))
        })
    }
}
