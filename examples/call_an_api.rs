//! Calls two APIs, with reqwest, its middleware, a tower layer and by hand, and what follows when one refuses.
//!
//! The issuer is the emulator, the APIs are routers of this crate; what was asked of whom is printed after each
//! step.
//!
//! ```console
//! $ cargo run --example call_an_api
//! ```

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, middleware::map_response, response::Response};
use http::Request;
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use intelliauth::{
    AccessToken, AfterRefusal, Api, Client, Error, ManualClock, Refusal, TokenMiddleware,
    TokenRequest,
    resource_server::{ProtectedRouter, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tower_layer::Layer as _;
use tower_service::Service as _;

const BANKING: &str = "api.banking.cymmetri.com";
const HEALTH: &str = "api.health.cymmetri.com";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tenant = Tenant::start().await?;
    let (client, http) = (tenant.client()?, plain()?);
    let (banking, health) = (&tenant.banking.url, &tenant.health.url);
    let (more_banking, more_health) = (format!("{banking}/more"), format!("{health}/more"));

    // Each origin gets the tokens of its audience, and no other any; what is listed may be asked for.
    let transactions = TokenRequest::new(BANKING).scope("read:transactions");
    let reading = Api::new(transactions).allow_scopes("read:accounts");
    let apis = client.middleware().api(banking, reading.clone());
    let calls = through(&http, apis.api(health, HEALTH));
    calls.get(banking).send().await?;
    calls.get(health).send().await?;
    tenant.report("a call to each");
    calls.get(&more_banking).send().await?;
    tenant.report("banking wants a scope that is listed: one token with it, and the call again");
    if let Err(refused) = calls.get(&more_health).send().await {
        tenant.report(&Error::find(&refused).map_or_else(String::new, Error::next_move));
    }
    tenant.two_hours_pass();
    calls.get(banking).send().await?;
    tenant.report("banking finds the token too old: one new, and the call again");

    // The same decisions in one call of plain reqwest, and around any client of requests of the `http` crate.
    intelliauth::send(&client, &reading, http.get(&more_banking)).await?;
    let mut hyper = client.layer(reading).origin(banking).layer(hyper());
    let answer = hyper.call(Request::get(banking).body(Body::empty())?);
    answer.await.map_err(anyhow::Error::from_boxed)?;
    tenant.report("two more calls of banking, and of its tokens the broad one was too old as well");

    // For any other library: what the API said goes in, what to do comes out.
    let token = client.get_access_token(HEALTH).await?;
    let answer = by_hand(&http, health, &token).await?;
    let refusal = Refusal::new(answer.status(), answer.headers());
    if let AfterRefusal::Repeat(token) = client.after_refusal(&token, &refusal).await? {
        by_hand(&http, health, &token).await?;
    }
    tenant.report("health by hand");
    Ok(())
}

fn plain() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build()
}

fn through(http: &reqwest::Client, apis: TokenMiddleware<Client>) -> ClientWithMiddleware {
    ClientBuilder::new(http.clone()).with(apis).build()
}

fn hyper() -> Hyper<HttpConnector, Body> {
    Hyper::builder(TokioExecutor::new()).build_http()
}

async fn by_hand(
    http: &reqwest::Client,
    url: &str,
    token: &AccessToken,
) -> reqwest::Result<reqwest::Response> {
    let header = token.header_value().clone();
    http.get(url).header("authorization", header).send().await
}

/// An issuer and its two APIs, in this process.
struct Tenant {
    emulator: Emulator,
    clock: ManualClock,
    banking: Counted,
    health: Counted,
}

/// An API that keeps which answers it gave.
struct Counted {
    url: String,
    answers: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl Tenant {
    async fn start() -> anyhow::Result<Self> {
        let emulator = Emulator::start(Config::sample()).await?;
        let clock = ManualClock::at(emulator.now());
        let router = |audience: &str, scope: &str, more: &str| -> anyhow::Result<Router> {
            let verifier = Verifier::builder(emulator.issuer(), audience).clock(clock.clone());
            let router = ProtectedRouter::new(verifier.build()?)
                .get("/", require_scope(scope)?, async || "done")
                .get("/more", require_scope(more)?, async || "done");
            Ok(router.into_router()?)
        };
        Ok(Self {
            banking: serve(router(BANKING, "read:transactions", "read:accounts")?).await?,
            health: serve(router(HEALTH, "read:records", "write:records")?).await?,
            emulator,
            clock,
        })
    }

    fn client(&self) -> Result<Client, intelliauth::BuildError> {
        Client::for_application(self.emulator.issuer(), "app_01HZX0SERVICE")
            .client_secret("sample-service-secret")
            .build()
    }

    /// For the issuer and its APIs: the client knows nothing of it.
    fn two_hours_pass(&self) {
        self.emulator.advance(Duration::from_secs(7200));
        self.clock.advance(Duration::from_secs(7200));
    }

    /// What was asked of whom, from the beginning.
    fn report(&self, step: &str) {
        let answers = |api: &Counted| {
            api.answers
                .lock()
                .map_or_else(|_| String::new(), |all| format!("{all:?}"))
        };
        println!("{step}");
        println!(
            "    tokens from the issuer: {}",
            self.emulator.token_requests()
        );
        println!(
            "    answers of banking: {}, of health: {}",
            answers(&self.banking),
            answers(&self.health)
        );
    }
}

async fn serve(router: Router) -> anyhow::Result<Counted> {
    let answers = Arc::<Mutex<BTreeMap<u16, usize>>>::default();
    let counted = Arc::clone(&answers);
    let router = router.layer(map_response(move |response: Response| {
        if let Ok(mut answers) = counted.lock() {
            *answers.entry(response.status().as_u16()).or_default() += 1;
        }
        async { response }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(Counted { url, answers })
}
