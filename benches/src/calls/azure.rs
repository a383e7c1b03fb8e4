//! `azure_core`: its pipeline with the policy for bearer tokens.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use async_trait::async_trait;
use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{
        AsyncRawResponse, ClientOptions, Context, HttpClient, Method, Pipeline, Request, Transport,
        headers::Headers, policies::auth::BearerTokenAuthorizationPolicy,
    },
};
use reqwest_013::Client as Http;
use tokio::runtime::Runtime;

use crate::{
    case::Loop,
    tokens::{audience, jwt},
};

pub(super) const NAME: &str = "azure_core's pipeline with its bearer policy";

pub(super) fn calls(runtime: &Arc<Runtime>, http: Http, url: String) -> Result<Loop> {
    let options = ClientOptions {
        transport: Some(Transport::new(Arc::new(Loopback { http, url }))),
        ..ClientOptions::default()
    };
    let policy = BearerTokenAuthorizationPolicy::new(Arc::new(Kept), [audience(0)]);
    let policies = vec![Arc::new(policy) as _];
    let pipeline = Pipeline::new(None, None, options, Vec::new(), policies, None);
    // It insists on https; the transport below sends the request to the endpoint instead.
    let target = url::Url::parse("https://api.example.com/")?;
    let runtime = Arc::clone(runtime);
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let mut request = Request::new(target.clone(), Method::Get);
                let answer = pipeline.send(&Context::new(), &mut request, None).await;
                let is_good = answer.is_ok_and(|answer| answer.status() == 200);
                assert!(is_good, "a call failed");
            }
        });
    }))
}

/// One token, for as long as the run.
#[derive(Debug)]
struct Kept;

#[async_trait]
impl TokenCredential for Kept {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let until = SystemTime::now() + Duration::from_secs(86_400);
        Ok(AccessToken::new(jwt(0, audience(0), 86_400), until.into()))
    }
}

#[derive(Debug)]
struct Loopback {
    http: Http,
    url: String,
}

#[async_trait]
impl HttpClient for Loopback {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let failed = |error| Error::new(ErrorKind::Io, error);
        let headers = request.headers().iter();
        let sent = headers.fold(self.http.get(&self.url), |sent, (name, value)| {
            sent.header(name.as_str(), value.as_str())
        });
        let reply = sent.send().await.map_err(failed)?;
        let status = reply.status().as_u16();
        let body = reply.bytes().await.map_err(failed)?;
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            Headers::default(),
            body,
        ))
    }
}
