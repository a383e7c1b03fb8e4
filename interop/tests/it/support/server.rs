//! [`Server`]: npm's `oidc-provider` with two APIs and a client for each case.

use std::net::Ipv4Addr;

use intelliauth::{Client, ClientBuilder, Dialect, ManualClock, People};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use super::{Part, http};

/// RFC 8707 names an API by an absolute URI.
pub(crate) const BANKING: &str = "https://api.banking.cymmetri.com";
pub(crate) const HEALTH: &str = "https://api.health.cymmetri.com/v1";

/// Where the client `portal` is at home.
pub(crate) const PORTAL_CALLBACK: &str = "https://portal.example/callback";

/// Every character that one encoding or another gets wrong.
pub(crate) const TRICKY_SECRET: &str = "a+b%c&d=e:f/g h";

/// The client of people: all scopes of both APIs.
pub(crate) const DESKTOP: &str = "desktop";

/// An authorization server in a process of its own, on a free port.
pub(crate) struct Server {
    part: Part,
    settings: Settings,
    http: reqwest::Client,
    pub(crate) issuer: String,
    pub(crate) clock: ManualClock,
}

/// Where it listens, and how long its tokens last in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) host: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) lifetime: u64,
    /// Whether somebody can sign in there.
    pub(crate) people: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST,
            port: 0,
            lifetime: 300,
            people: false,
        }
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (part, first) = start(settings);
        let issuer = first["issuer"].as_str().unwrap().to_owned();
        Self {
            part,
            settings,
            http: http(),
            issuer,
            clock: ManualClock::new(),
        }
    }

    /// The client `jobs`: both APIs, and all their scopes but `write:transactions`.
    pub(crate) fn jobs(&self) -> ClientBuilder {
        self.client("jobs", "jobs-secret")
    }

    /// A server that people can sign in at.
    pub(crate) fn for_people() -> Self {
        Self::with(Settings {
            people: true,
            ..Settings::default()
        })
    }

    /// The client [`DESKTOP`], by the machine's clock.
    pub(crate) fn desktop(&self) -> ClientBuilder<People> {
        self.person(DESKTOP)
    }

    /// The client `portal`, likewise.
    pub(crate) fn portal(&self) -> ClientBuilder<People> {
        self.person("portal").client_secret("portal-secret")
    }

    pub(crate) fn person(&self, id: &str) -> ClientBuilder<People> {
        Client::for_person(&self.issuer, id)
            .dialect(Dialect::resource_indicators())
            .retries(0)
    }

    /// A client in the dialect that is to be proven, which tries each request once.
    pub(crate) fn client(&self, id: &str, secret: &str) -> ClientBuilder {
        Client::for_application(&self.issuer, id)
            .client_secret(secret)
            .dialect(Dialect::resource_indicators())
            .clock(self.clock.clone())
            .retries(0)
    }

    /// How many requests its token endpoint got.
    pub(crate) fn token_requests(&mut self) -> u64 {
        self.count("/token", &json!({}))
    }

    /// How many requests of this path had all of these members.
    pub(crate) fn count(&mut self, path: &str, such: &Value) -> u64 {
        let mut question = json!({"do": "count", "path": path});
        let members = question.as_object_mut().unwrap();
        members.extend(such.as_object().unwrap().clone());
        self.part.ask(&question).as_u64().unwrap()
    }

    /// The next so many requests of its token endpoint are answered with `slow_down`.
    pub(crate) fn slow_down(&mut self, times: u32) {
        self.part.ask(&json!({"do": "slow_down", "times": times}));
    }

    /// How many requests asked for its public keys.
    pub(crate) fn key_requests(&mut self) -> u64 {
        let count = self.part.ask(&json!({"do": "count", "path": "/jwks"}));
        count.as_u64().unwrap()
    }

    /// Signs with a new key from now on and returns its id; the old one stays published.
    pub(crate) fn rotate_keys(&mut self) -> String {
        let key = self.part.ask(&json!({"do": "rotate_keys"}));
        key.as_str().unwrap().to_owned()
    }

    /// What an API called `audience` reads in the token, by the keys that are published now.
    pub(crate) async fn verify(&self, token: &str, audience: &str) -> Result<Verified, String> {
        let keys = self.http.get(format!("{}/jwks", self.issuer)).send().await;
        let keys: JwkSet = keys.unwrap().json().await.unwrap();
        let key_id = decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&key_id).expect("the key is published"));
        let mut rules = Validation::new(Algorithm::ES256);
        rules.leeway = 0;
        rules.set_audience(&[audience]);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        let token = decode::<Value>(token, &key.unwrap(), &rules);
        let claims = token.map_err(|error| error.to_string())?.claims;
        Ok(Verified { claims, key_id })
    }

    /// What the server itself says about a token (RFC 7662).
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        let request = self
            .http
            .post(format!("{}/token/introspection", self.issuer))
            .basic_auth("jobs", Some("jobs-secret"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Ends the process: its port refuses connections.
    pub(crate) fn stop(&mut self) {
        self.part.end();
    }

    /// Starts it again where it was, with new keys and nothing remembered.
    pub(crate) fn restart(&mut self) {
        let port = self.issuer.rsplit(':').next().unwrap();
        let settings = Settings {
            port: port.parse().unwrap(),
            ..self.settings
        };
        let (server, first) = start(settings);
        assert_eq!(first["issuer"], self.issuer.as_str());
        self.part = server;
    }
}

/// A token whose signature, issuer, audience and expiry were checked.
pub(crate) struct Verified {
    pub(crate) claims: Value,
    pub(crate) key_id: String,
}

fn start(settings: Settings) -> (Part, Value) {
    let mut wire = json!({
        "host": settings.host,
        "port": settings.port,
        "lifetime": settings.lifetime,
        "people": settings.people,
        "apis": {
            BANKING: "read:accounts read:transactions write:transactions",
            HEALTH: "read:records",
        },
        "clients": [
            machine("jobs", "jobs-secret", "client_secret_basic"),
            machine("tricky_basic", TRICKY_SECRET, "client_secret_basic"),
            machine("tricky_post", TRICKY_SECRET, "client_secret_post"),
            machine("plus", "a+b", "client_secret_basic"),
            website(),
        ],
    });
    if settings.people {
        let clients = wire["clients"].as_array_mut().unwrap();
        clients.extend([desktop(), elliptic(), portal()]);
    }
    Part::node("oidc-provider", "server.mjs", &wire)
}

fn machine(id: &str, secret: &str, method: &str) -> Value {
    json!({
        "client_id": id,
        "client_secret": secret,
        "token_endpoint_auth_method": method,
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
        "scope": "read:accounts read:transactions read:records",
    })
}

/// A client for people: it may not act for itself.
fn website() -> Value {
    json!({
        "client_id": "website",
        "client_secret": "website-secret",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "redirect_uris": ["https://website.example/callback"],
    })
}

/// The back end of a website: it keeps a secret, and its address is its own.
fn portal() -> Value {
    json!({
        "client_id": "portal",
        "client_secret": "portal-secret",
        "id_token_signed_response_alg": "RS256",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [PORTAL_CALLBACK],
    })
}

/// The same program, registered for ID tokens with another signature.
fn elliptic() -> Value {
    let mut client = desktop();
    client["client_id"] = json!("elliptic");
    client["id_token_signed_response_alg"] = json!("ES256");
    client
}

/// A program on a person's machine: it cannot keep a secret, and comes back to any port.
fn desktop() -> Value {
    json!({
        "client_id": DESKTOP,
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "id_token_signed_response_alg": "RS256",
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_types": ["code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    })
}
