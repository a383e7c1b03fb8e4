//! npm's `@modelcontextprotocol/sdk`: an API of which nothing is known but its URL.

use intelliauth::{
    Api as Wanted, AuthorizationCode, Client, Error, Refusal, TokenRequest, discover,
};
use intelliauth_emulator::{Api, Application, Config, Emulator, sample};
use serde_json::{Value, json};
use url::Url;

use crate::support::{Part, http};

const CLIENT: &str = "app_tools";
const CALLBACK: &str = "http://127.0.0.1/callback";

/// The server, and its issuer, which knows it by its URL.
async fn start() -> (Part, Emulator, Url) {
    let (mut part, first) = Part::node("mcp-sdk", "server.mjs", &json!({}));
    let url = first["url"].as_str().unwrap();
    let tools = Api::new(url)
        .scope("read:tools", "List tools", "See which tools there are")
        .scope("call:tools", "Call tools", "Have tools do something");
    let application = Application::native(CLIENT)
        .allow_audiences([url])
        .allow_scopes(["openid", "offline_access", "read:tools", "call:tools"])
        .redirect_uri(CALLBACK);
    let config = Config::sample().api(tools).application(application);
    let emulator = Emulator::start(config).await.unwrap();
    let ready = part.ask(&json!({"issuer": emulator.issuer()}));
    assert_eq!(ready["ready"], true);
    (part, emulator, Url::parse(url).unwrap())
}

fn request(url: &Url, method: &str, parameters: &Value) -> reqwest::RequestBuilder {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    let request = http().post(url.clone()).json(&body);
    request.header("accept", "application/json, text/event-stream")
}

#[tokio::test]
async fn a_server_is_discovered_a_person_signs_in_and_calls_it() {
    let (mut part, emulator, url) = start().await;
    let list = || request(&url, "tools/list", &json!({}));
    let answer = list().send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let refused = Refusal::new(answer.status(), answer.headers());
    let server = discover(&refused, &url).await.unwrap();
    assert_eq!(server.resource(), url.as_str());
    assert_eq!(server.issuers(), [emulator.issuer()]);
    assert_eq!(server.scopes().to_string(), "call:tools read:tools");
    assert_eq!(refused.scopes().to_string(), "read:tools");

    let people = Client::for_person(&server.issuers()[0], CLIENT);
    let alice = people.build().unwrap().session("alice");
    let reading = TokenRequest::new(server.resource()).scope(refused.scopes().to_string());
    let tools = Wanted::new(&reading).allow_scopes(server.scopes().to_string());
    let login = AuthorizationCode::redirect_to(CALLBACK).request(&reading);
    let (page, pending) = alice.begin_sign_in(login).await.unwrap();
    let person = emulator.login_as(sample::ALICE);
    let callback = person.approve(&page).await.unwrap();
    let callback = callback.as_str();
    alice.finish_sign_in(&pending, callback).await.unwrap();
    let answer = intelliauth::send(&alice, &tools, list()).await.unwrap();
    let listed: Value = answer.json().await.unwrap();
    assert_eq!(listed["result"]["tools"][0]["name"], "whoami");

    // A call needs more: the server says so, and the person is asked.
    let whoami = || request(&url, "tools/call", &json!({"name": "whoami"}));
    let before = emulator.token_requests();
    let error = intelliauth::send(&alice, &tools, whoami()).await;
    let error = error.unwrap_err();
    let Some(Error::Consent(consent)) = Error::find(&error) else {
        panic!("{error:?}")
    };
    assert_eq!(consent.missing().to_string(), "call:tools");
    assert_eq!(emulator.token_requests(), before);
    let (page, pending) = consent.authorization_url(CALLBACK).unwrap();
    let callback = person.approve(&page).await.unwrap();
    let callback = callback.as_str();
    alice.finish_sign_in(&pending, callback).await.unwrap();
    let answer = intelliauth::send(&alice, &tools, whoami()).await.unwrap();
    let said = answer.text().await.unwrap();
    assert!(
        said.contains(&format!("you are {}", sample::ALICE)),
        "{said}"
    );

    let answered = part.ask(&json!({"do": "count"}))["answered"].take();
    let of = |key: &str| answered[key].as_u64().unwrap_or_default();
    assert_eq!(
        (of("/mcp 200"), of("/mcp 401"), of("/mcp 403")),
        (2, 1, 1),
        "{answered}"
    );
}
