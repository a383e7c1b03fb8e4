//! Two APIs of ours, the platform's emulator, and a client that calls both: counted at each end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Path, middleware::map_response, response::Response, routing::get};
use http::HeaderMap;
use intelliauth::{
    Api as Wanted, Client, ManualClock, TokenRequest,
    resource_server::{ProtectedRouter, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator, sample};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::{net::TcpListener, sync::Semaphore};

use super::STALE;
use crate::support::{HANGS, Server, api::plain};

/// An API that keeps which answers it gave.
struct Api {
    url: String,
    answers: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl Api {
    async fn serve(router: Router) -> Self {
        let answers = Arc::<Mutex<BTreeMap<u16, usize>>>::default();
        let counted = Arc::clone(&answers);
        let router = router.layer(map_response(move |response: Response| {
            let status = response.status().as_u16();
            *counted.lock().unwrap().entry(status).or_default() += 1;
            async { response }
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, answers }
    }

    fn count(&self, status: u16) -> usize {
        let answers = self.answers.lock().unwrap();
        answers.get(&status).copied().unwrap_or_default()
    }
}

/// The tenant, its two APIs, and the clock by which these verify.
struct Tenant {
    emulator: Emulator,
    clock: ManualClock,
    banking: Api,
    health: Api,
}

impl Tenant {
    async fn start() -> Self {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        // A little ahead: however long a test takes, no token is from the future.
        let clock = ManualClock::at(emulator.now() + Duration::from_secs(600));
        let serve = async |audience: &str, scope: &str, broad: &str| {
            let verifier = Verifier::builder(emulator.issuer(), audience).clock(clock.clone());
            let router = ProtectedRouter::new(verifier.build().unwrap())
                .get("/", require_scope(scope).unwrap(), async || "done")
                .get("/broad", require_scope(broad).unwrap(), async || "done");
            Api::serve(router.into_router().unwrap()).await
        };
        Self {
            banking: serve(sample::BANKING, "read:transactions", "read:accounts").await,
            health: serve(sample::HEALTH, "read:records", "write:records").await,
            emulator,
            clock,
        }
    }

    fn calling(&self) -> (Client, ClientWithMiddleware) {
        let client = Client::for_application(self.emulator.issuer(), sample::SERVICE)
            .client_secret(sample::SERVICE_SECRET)
            .build()
            .unwrap();
        let transactions = TokenRequest::new(sample::BANKING).scope("read:transactions");
        let banking = Wanted::new(transactions).allow_scopes("read:accounts");
        let middleware = client
            .middleware()
            .api(&self.banking.url, banking)
            .api(&self.health.url, sample::HEALTH);
        (client, ClientBuilder::new(plain()).with(middleware).build())
    }

    /// Both the issuer and the APIs are in another hour now: the client knows nothing of it.
    fn advance(&self, by: Duration) {
        self.emulator.advance(by);
        self.clock.advance(by);
    }
}

async fn a_thousand(http: &ClientWithMiddleware, url: &str) {
    let calls: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(http.get(url).send()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_that_are_refused_together_cost_one_token_request_and_all_succeed() {
    let tenant = Tenant::start().await;
    let (_client, http) = tenant.calling();
    for api in [&tenant.banking, &tenant.health] {
        http.get(&api.url).send().await.unwrap();
    }
    tenant.advance(Duration::from_secs(2 * 3600));
    a_thousand(&http, &tenant.banking.url).await;
    assert!(tenant.banking.count(401) > 0);
    assert_eq!(tenant.banking.count(200), 1 + 1000);
    assert_eq!(tenant.emulator.token_requests_for(sample::BANKING), 2);
    // The other API has heard nothing of it, and its token is as stale.
    assert_eq!((tenant.health.count(200), tenant.health.count(401)), (1, 0));
    assert_eq!(tenant.emulator.token_requests_for(sample::HEALTH), 1);
    http.get(&tenant.health.url).send().await.unwrap();
    assert_eq!((tenant.health.count(200), tenant.health.count(401)), (2, 1));
    assert_eq!(tenant.emulator.token_requests(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_that_lack_a_scope_cost_one_token_request_and_all_succeed() {
    let tenant = Tenant::start().await;
    let (_client, http) = tenant.calling();
    http.get(&tenant.banking.url).send().await.unwrap();
    a_thousand(&http, &format!("{}/broad", tenant.banking.url)).await;
    assert!(tenant.banking.count(403) > 0);
    assert_eq!(tenant.banking.count(200), 1 + 1000);
    assert_eq!(tenant.emulator.token_requests(), 2);
}

#[tokio::test]
async fn a_scope_that_is_not_listed_is_asked_of_no_issuer() {
    let tenant = Tenant::start().await;
    let (_client, http) = tenant.calling();
    let broad = format!("{}/broad", tenant.health.url);
    for _ in 0..3 {
        let error = http.get(&broad).send().await.unwrap_err();
        let error = intelliauth::Error::find(&error).unwrap();
        assert!(error.to_string().contains("write:records"), "{error}");
    }
    assert_eq!(tenant.health.count(403), 3);
    assert_eq!(tenant.emulator.token_requests(), 1);
}

/// An API that has forgotten `token-1`, and takes its time at `/late`.
async fn forgetful(reached: Arc<Semaphore>, released: Arc<Semaphore>) -> Api {
    let answer = move |Path(path): Path<String>, headers: HeaderMap| {
        let (reached, released) = (Arc::clone(&reached), Arc::clone(&released));
        async move {
            if path == "late" {
                reached.add_permits(1);
                released.acquire().await.unwrap().forget();
            }
            let is_stale = headers["authorization"] == "Bearer token-1";
            let status = if is_stale { 401 } else { 200 };
            let answer = Response::builder().status(status);
            let answer = answer.header("www-authenticate", STALE);
            answer.body(axum::body::Body::empty()).unwrap()
        }
    };
    Api::serve(Router::new().route("/{path}", get(answer))).await
}

#[tokio::test]
async fn a_401_that_comes_late_costs_no_token_request() {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    let (reached, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let api = forgetful(Arc::clone(&reached), Arc::clone(&released)).await;
    let middleware = client.middleware().api(&api.url, "api");
    let http = ClientBuilder::new(plain()).with(middleware).build();

    let late = tokio::spawn(http.get(format!("{}/late", api.url)).send());
    let arrived = tokio::time::timeout(HANGS, reached.acquire()).await;
    arrived.unwrap().unwrap().forget();
    // Meanwhile another call was refused, and the token replaced.
    let soon = http.get(format!("{}/soon", api.url)).send().await;
    assert_eq!(soon.unwrap().status(), 200);
    assert_eq!(server.count().await, 2);
    // The refusal of the old token, and then the repetition with the new one.
    released.add_permits(2);
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
    assert_eq!((api.count(401), api.count(200)), (2, 2));
    assert_eq!(server.count().await, 2);
}
