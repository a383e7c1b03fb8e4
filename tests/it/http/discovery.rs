//! From a refusal to the issuer, where a client knew nothing but the API's URL (RFC 9728).

use axum::Router;
use http::{HeaderMap, HeaderValue, StatusCode};
use intelliauth::{
    Client, Error, ProtectedResource, Refusal, ResourceDiscovery, TokenRequest, Violation,
    discover,
    resource_server::{ProtectedRouter, Verifier, require_scope},
};
use intelliauth_emulator::{Config, Emulator, sample};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::support::{VerifiedElsewhere, api::plain};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// An API that describes itself like this at each of these paths.
struct Api(VerifiedElsewhere);

impl Api {
    async fn start() -> Self {
        Self(VerifiedElsewhere::new(MockServer::start().await))
    }

    async fn answers(&self, path: &str, answer: ResponseTemplate) {
        let mock = Mock::given(matchers::path(path)).respond_with(answer);
        mock.mount(&self.0).await;
    }

    async fn says(&self, path: &str, document: &Value) {
        let answer = ResponseTemplate::new(200).set_body_json(document);
        self.answers(path, answer).await;
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&self.0.uri()).unwrap().join(path).unwrap()
    }

    async fn requests(&self) -> Vec<String> {
        let requests = self.0.received_requests().await.unwrap();
        let paths = requests.iter().map(|request| request.url.path().to_owned());
        paths.collect()
    }
}

/// A refusal that names this address, or none.
fn refusal(metadata: Option<&str>) -> Refusal {
    let mut headers = HeaderMap::new();
    let challenge = metadata.map_or_else(
        || "Bearer".to_owned(),
        |url| format!("Bearer resource_metadata=\"{url}\""),
    );
    let challenge = HeaderValue::try_from(challenge).unwrap();
    headers.insert("www-authenticate", challenge);
    Refusal::new(StatusCode::UNAUTHORIZED, &headers)
}

fn problem(outcome: Result<ProtectedResource, Error>) -> String {
    let error = outcome.unwrap_err();
    match &error {
        Error::Protocol(protocol) => {
            let violation = protocol.violation();
            assert!(
                matches!(
                    violation,
                    Violation::ResourceMetadata(_) | Violation::TooLarge(_)
                ),
                "{error}"
            );
        }
        _ => panic!("{error:?}"),
    }
    error.to_string()
}

#[tokio::test]
async fn a_client_finds_the_issuer_of_an_api_of_ours_and_calls_it() {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let resource = format!("http://{}/v1", listener.local_addr().unwrap());
    let verifier = Verifier::builder(emulator.issuer(), sample::BANKING).resource(&resource);
    let read = require_scope("read:transactions").unwrap();
    let router: Router = ProtectedRouter::new(verifier.build().unwrap())
        .get("/v1/transactions", read, async || "all of them")
        .into_router()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let url = format!("{resource}/transactions");
    let answer = plain().get(&url).send().await.unwrap();
    let refused = Refusal::new(answer.status(), answer.headers());
    let api = discover(&refused, answer.url()).await.unwrap();
    assert_eq!(api.resource(), resource);
    assert_eq!(api.issuers(), [emulator.issuer()]);
    assert_eq!(api.scopes().to_string(), "read:transactions");

    let client = Client::for_application(&api.issuers()[0], sample::SERVICE)
        .client_secret(sample::SERVICE_SECRET)
        .build()
        .unwrap();
    let scopes = refused.scopes().to_string();
    let banking = client.audience(TokenRequest::new(sample::BANKING).scope(scopes));
    let answer = banking.send(plain().get(&url)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "all of them");
}

#[tokio::test]
async fn without_an_address_the_well_known_ones_are_asked_the_narrower_first() {
    let api = Api::start().await;
    let resource = api.url("/").to_string();
    api.says(WELL_KNOWN, &json!({"resource": resource})).await;
    let found = discover(&refusal(None), &api.url("/v1/a")).await.unwrap();
    assert_eq!(found.resource(), resource);
    assert!(found.issuers().is_empty() && found.scopes().is_empty());
    let narrower = format!("{WELL_KNOWN}/v1/a");
    assert_eq!(api.requests().await, [narrower.as_str(), WELL_KNOWN]);
}

#[tokio::test]
async fn a_description_of_another_api_is_not_taken() {
    let api = Api::start().await;
    let other = json!({"resource": "https://api.example", "authorization_servers": ["https://evil.example"]});
    api.says("/other", &other).await;
    let named = api.url("/other").to_string();
    let shown = problem(discover(&refusal(Some(&named)), &api.url("/v1")).await);
    assert!(shown.contains("https://api.example"), "{shown}");
    assert_eq!(api.requests().await.len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_large_page_is_not_read() {
    let api = Api::start().await;
    let target = api.url("/target").to_string();
    let redirect = ResponseTemplate::new(302).insert_header("location", target.as_str());
    api.answers("/moved", redirect).await;
    let large = ResponseTemplate::new(200).set_body_string(" ".repeat(64 * 1024 + 1));
    api.answers("/large", large).await;
    for (path, expected) in [
        ("/moved", "never followed"),
        ("/large", "larger"),
        ("/gone", "404"),
    ] {
        let named = api.url(path).to_string();
        let shown = problem(discover(&refusal(Some(&named)), &api.url("/v1")).await);
        assert!(shown.contains(expected), "{shown}");
    }
    assert_eq!(api.requests().await, ["/moved", "/large", "/gone"]);
}

#[tokio::test]
async fn an_api_elsewhere_sends_no_request_into_the_network_of_its_caller() {
    let inside = Api::start().await;
    let url = Url::parse("https://api.example/v1").unwrap();
    let local = inside.url("/admin").to_string();
    for named in [
        local.as_str(),
        &local.replace("http", "https"),
        "https://192.168.1.1/admin",
        "https://[::ffff:10.0.0.1]/admin",
        "https://localhost/admin",
        "http://api.example/v1",
        "https://u:hush@127.0.0.1/",
    ] {
        let shown = problem(discover(&refusal(Some(named)), &url).await);
        assert!(!shown.contains("hush"), "{shown}");
    }
    // A private address has to be allowed, also for the API itself.
    let url = Url::parse("https://192.168.1.1/v1").unwrap();
    problem(discover(&refusal(None), &url).await);
    assert!(inside.requests().await.is_empty());
}

#[tokio::test]
async fn what_is_no_url_of_an_api_is_an_error_of_the_call() {
    for bad in ["http://api.example", "ftp://api.example", "data:,a"] {
        let url = Url::parse(bad).unwrap();
        let error = discover(&refusal(None), &url).await.unwrap_err();
        assert_eq!(error.kind(), "request", "{bad}");
    }
    let api = Api::start().await;
    let badly = ResourceDiscovery::new().root_certificate("no certificate");
    let error = badly
        .discover(&refusal(None), &api.url("/"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "request");
    assert!(api.requests().await.is_empty());
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_an_outage() {
    let api = Api::start().await;
    api.answers("/down", ResponseTemplate::new(503)).await;
    let named = api.url("/down").to_string();
    let error = discover(&refusal(Some(&named)), &api.url("/"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "unavailable");
}
