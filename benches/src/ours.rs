//! The SDK of this repository: its calls, one by one, and as a subject among the peers.

use std::{hint::black_box, sync::Arc, time::Duration};

use anyhow::Result;
use intelliauth::{
    AccessToken, AudienceHandle, Client, Error, Flow, FlowContext, TokenRequest, TokenResponse,
};

use crate::{
    case::{Lab, Loop, Plan, repeat},
    endpoint::Endpoint,
    limits,
    subject::{Group, Tokens},
    tokens::{audience, jwt},
};

pub(crate) const HANDLE_BORROW: &str = "handle, borrow";
pub(crate) const HANDLE_OWNED: &str = "handle, owned";
pub(crate) const STR_BORROW: &str = "&str, borrow";
pub(crate) const STR_OWNED: &str = "&str, owned";
pub(crate) const SCOPED: &str = "&TokenRequest with scopes, owned";
pub(crate) const HEADER: &str = "handle, HeaderValue";

pub(crate) fn plans() -> Vec<Plan> {
    let plan = |name, limit, build| Plan {
        group: Group::Ours,
        name,
        limit,
        build,
    };
    vec![
        plan(HANDLE_BORROW, limits::BORROW, |lab| {
            let handle = handle(lab)?;
            Ok(repeat(move || handle.current()))
        }),
        plan(HANDLE_OWNED, limits::OWNED, handle_owned),
        plan(STR_BORROW, limits::MAP_BORROW, |lab| {
            let client = client(lab)?;
            Ok(repeat(move || client.current(black_box(audience(0)))))
        }),
        plan(STR_OWNED, limits::MAP_OWNED, str_owned),
        plan(SCOPED, limits::MAP_OWNED, scoped),
        plan(HEADER, limits::HEADER, |lab| {
            let handle = handle(lab)?;
            Ok(repeat(move || {
                handle.current().map(|token| token.header_value().clone())
            }))
        }),
    ]
}

/// A client with a token for each of a handful of audiences.
fn client(lab: &Lab) -> Result<Client> {
    let client = Client::builder("https://issuer.example.com", "app_benchmark", Mint).build()?;
    lab.runtime.block_on(async {
        for number in 0..KEYS {
            client.get_access_token(audience(number)).await?;
        }
        client.get_access_token(audience(0)).await
    })?;
    Ok(client)
}

/// As many as the limit with a map has.
const KEYS: usize = 8;

fn handle(lab: &Lab) -> Result<AudienceHandle> {
    Ok(client(lab)?.audience(audience(0)))
}

fn handle_owned(lab: &Lab) -> Result<Loop> {
    let (handle, runtime) = (handle(lab)?, lab.runtime.clone());
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let token = black_box(handle.get_access_token().await);
                assert!(token.is_ok(), "a cached call failed");
            }
        });
    }))
}

fn str_owned(lab: &Lab) -> Result<Loop> {
    let (client, runtime) = (client(lab)?, lab.runtime.clone());
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let token = black_box(client.get_access_token(black_box(audience(0))).await);
                assert!(token.is_ok(), "a cached call failed");
            }
        });
    }))
}

fn scoped(lab: &Lab) -> Result<Loop> {
    let (client, runtime) = (client(lab)?, lab.runtime.clone());
    let request = TokenRequest::new(audience(0).to_owned()).scope("read:things write:things");
    runtime.block_on(client.get_access_token(&request))?;
    Ok(Arc::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let token = black_box(client.get_access_token(black_box(&request)).await);
                assert!(token.is_ok(), "a cached call failed");
            }
        });
    }))
}

/// Tokens without an issuer: a hit is the same whoever minted what it finds.
#[derive(Debug)]
pub(crate) struct Mint;

impl Flow for Mint {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let token = jwt(0, cx.audience().as_str(), 86_400);
        let granted = cx.scopes().clone();
        let token = TokenResponse::new(token).scopes(granted);
        Ok(token.lifetime(Duration::from_hours(24)))
    }
}

/// The client as most people use it: one call with the name of the audience.
pub(crate) struct Ours {
    pub(crate) client: Client,
}

impl Tokens for Ours {
    const NAME: &'static str = "intelliauth";
    const GROUP: Group = Group::Ours;
    const IS_KEYED: bool = true;
    // Refreshed from 3.0 to 3.5 s on, usable for 4.5 s.
    const LIFETIME: Duration = Duration::from_secs(5);
    type Token = AccessToken;

    async fn start(endpoint: &Endpoint) -> Result<Self> {
        let client = at(endpoint).build()?;
        Ok(Self { client })
    }

    async fn token(&self, number: usize) -> Result<AccessToken> {
        Ok(self.client.get_access_token(audience(number)).await?)
    }
}

/// A client of `endpoint`, by client credentials over a real socket.
pub(crate) fn at(endpoint: &Endpoint) -> intelliauth::ClientBuilder {
    Client::for_application(endpoint.url(), "app_benchmark")
        .client_secret("not-a-real-one")
        .token_endpoint(endpoint.token_url())
}
