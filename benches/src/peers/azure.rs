//! `azure_identity`: a client secret of Microsoft Entra.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use azure_core::{
    Error,
    credentials::{AccessToken, Secret, TokenCredential as _},
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request, Transport, headers::Headers},
};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

use super::http;
use crate::{endpoint::Endpoint, subject::Tokens, tokens::audience};

pub(super) struct Azure(Arc<ClientSecretCredential>);

impl Tokens for Azure {
    const NAME: &'static str = "azure_identity";
    const IS_KEYED: bool = true;
    // It fetches the next one five minutes before the end.
    const LIFETIME: Duration = Duration::from_secs(303);
    type Token = AccessToken;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let mut options = ClientSecretCredentialOptions::default();
        let loopback = Loopback {
            url: endpoint.token_url(),
            http: http()?,
        };
        options.client_options.transport = Some(Transport::new(Arc::new(loopback)));
        let secret = Secret::new("not-a-real-one");
        let credential =
            ClientSecretCredential::new("tenant", "app_benchmark".into(), secret, Some(options))?;
        Ok(Self(credential))
    }

    async fn token(&self, number: usize) -> Result<AccessToken> {
        Ok(self.0.get_token(&[audience(number)], None).await?)
    }
}

/// It insists on https; this sends its requests to the endpoint instead. The cache is its own.
#[derive(Debug)]
struct Loopback {
    url: String,
    http: reqwest::Client,
}

#[async_trait]
impl HttpClient for Loopback {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(
                ErrorKind::Io,
                "a streamed token request",
            ));
        };
        let failed = |error| Error::new(ErrorKind::Io, error);
        let sent = self.http.post(&self.url).body(body.clone()).send().await;
        let reply = sent.map_err(failed)?;
        let status = reply.status().as_u16();
        let body = reply.bytes().await.map_err(failed)?;
        Ok(AsyncRawResponse::from_bytes(
            status.into(),
            Headers::default(),
            body,
        ))
    }
}
