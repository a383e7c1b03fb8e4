//! An issuer whose keys a test holds, and an API that trusts it.

use std::{fmt::Write as _, net::SocketAddr};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
    },
};
use axum::Router;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use intelliauth::{
    Clock, ManualClock,
    resource_server::{Algorithm, Verifier, VerifierBuilder},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::support::VerifiedElsewhere;

pub(crate) const AUDIENCE: &str = "api.banking.cymmetri.com";
pub(crate) const KEYS_PATH: &str = "/keys";
const METADATA_PATH: &str = "/.well-known/openid-configuration";

pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// A key pair of each kind.
pub(crate) struct Keys {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let ec =
            |algorithm: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::generate(algorithm).unwrap();
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The public halves, with `suffix` at the end of each id.
    pub(crate) fn public(&self, suffix: &str) -> Vec<Value> {
        let rsa = self.rsa.public_key();
        let ec = |pair: &EcdsaKeyPair, curve: &str, kid: &str| {
            let (x, y) =
                pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
            json!({ "kty": "EC", "crv": curve, "kid": format!("{kid}{suffix}"), "x": encode(x), "y": encode(y) })
        };
        vec![
            json!({
                "kty": "RSA", "kid": format!("rsa{suffix}"), "use": "sig",
                "n": encode(rsa.modulus().big_endian_without_leading_zero()),
                "e": encode(rsa.exponent().big_endian_without_leading_zero()),
            }),
            ec(&self.p256, "P-256", "p256"),
            ec(&self.p384, "P-384", "p384"),
            json!({
                "kty": "OKP", "crv": "Ed25519", "kid": format!("ed{suffix}"),
                "x": encode(self.ed25519.public_key().as_ref()),
            }),
        ]
    }

    /// What an attacker could mistake for a shared secret.
    pub(crate) fn rsa_modulus(&self) -> Vec<u8> {
        self.rsa
            .public_key()
            .modulus()
            .big_endian_without_leading_zero()
            .to_vec()
    }

    /// The id under which [`public`](Self::public) has the key for `algorithm`.
    pub(crate) fn id(algorithm: &str) -> &'static str {
        match algorithm {
            "ES256" => "p256",
            "ES384" => "p384",
            "EdDSA" => "ed",
            _ => "rsa",
        }
    }

    pub(crate) fn signature(&self, algorithm: &str, input: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        let encoding: &'static dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
            "ES256" => {
                return self
                    .p256
                    .sign(&random, input.as_bytes())
                    .unwrap()
                    .as_ref()
                    .to_vec();
            }
            "ES384" => {
                return self
                    .p384
                    .sign(&random, input.as_bytes())
                    .unwrap()
                    .as_ref()
                    .to_vec();
            }
            "EdDSA" => return self.ed25519.sign(input.as_bytes()).as_ref().to_vec(),
            "RS256" => &RSA_PKCS1_SHA256,
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            "PS384" => &RSA_PSS_SHA384,
            "PS512" => &RSA_PSS_SHA512,
            other => panic!("no key for {other}"),
        };
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa
            .sign(encoding, &random, input.as_bytes(), &mut signature)
            .unwrap();
        signature
    }

    /// A token of these texts, whatever they are.
    pub(crate) fn sign(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let mut token = format!("{}.{}", encode(header), encode(claims));
        let signature = self.signature(algorithm, &token);
        write!(token, ".{}", encode(signature)).unwrap();
        token
    }
}

/// An issuer, by its published keys.
pub(crate) struct Issuer {
    pub(crate) mock: VerifiedElsewhere,
    pub(crate) clock: ManualClock,
    pub(crate) keys: Keys,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let issuer = Self::silent().await;
        issuer.publish_metadata().await;
        issuer.publish(&issuer.keys.public("")).await;
        issuer
    }

    /// One that answers 404 to everything.
    pub(crate) async fn silent() -> Self {
        Self {
            mock: VerifiedElsewhere::new(MockServer::builder().start().await),
            clock: ManualClock::new(),
            keys: Keys::generate(),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.mock.uri()
    }

    pub(crate) async fn publish_metadata(&self) {
        let url = self.url();
        let document = json!({
            // Nobody gets tokens here: an API needs the keys alone.
            "issuer": url, "jwks_uri": format!("{url}{KEYS_PATH}"),
        });
        let reply = ResponseTemplate::new(200).set_body_json(document);
        Mock::given(path(METADATA_PATH))
            .respond_with(reply)
            .mount(&self.mock)
            .await;
    }

    /// Publishes these keys from now on, and no others.
    pub(crate) async fn publish(&self, keys: &[Value]) {
        let body = json!({ "keys": keys });
        self.answer_keys(ResponseTemplate::new(200).set_body_json(body))
            .await;
    }

    /// What is answered to those who want keys from now on.
    pub(crate) async fn answer_keys(&self, reply: ResponseTemplate) {
        self.mock.reset().await;
        self.publish_metadata().await;
        Mock::given(path(KEYS_PATH))
            .respond_with(reply)
            .mount(&self.mock)
            .await;
    }

    /// How often the keys were fetched since they were last published.
    pub(crate) async fn fetches(&self) -> usize {
        let requests = self.mock.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.url.path() == KEYS_PATH)
            .count()
    }

    /// Seconds since 1970, by the clock of issuer and API.
    pub(crate) fn now(&self) -> u64 {
        let wall = self.clock.now().wall();
        wall.duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    pub(crate) fn verifier(&self) -> VerifierBuilder {
        Verifier::builder(self.url(), AUDIENCE)
            .algorithms(ALGORITHMS)
            .clock(self.clock.clone())
    }

    /// Claims of a good token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.url(), "sub": "usr_alice", "aud": AUDIENCE, "exp": self.now() + 3600, "iat": self.now(),
            "scope": "read:transactions", "client_id": "app_test",
        })
    }

    /// A good token with other claims beside or instead of the usual ones.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.token_of("EdDSA", changes)
    }

    pub(crate) fn token_of(&self, algorithm: &str, changes: &Value) -> String {
        let header = json!({ "alg": algorithm, "kid": Keys::id(algorithm), "typ": "at+jwt" });
        let claims = merged(self.claims(), changes);
        self.keys
            .sign(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// `changes` over `object`; the text `REMOVED` takes a member away.
pub(crate) fn merged(mut object: Value, changes: &Value) -> Value {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value == REMOVED {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    object
}

pub(crate) const REMOVED: &str = "(removed)";

/// An API that listens on this machine until it is dropped.
pub(crate) struct Api {
    address: SocketAddr,
    task: JoinHandle<()>,
    http: reqwest::Client,
}

impl Api {
    pub(crate) async fn serve(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            address,
            task,
            http,
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.http.request(method.parse().unwrap(), url)
    }

    /// The answer to a request with this token.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str) -> Answer {
        let value = format!("Bearer {token}");
        Answer::of(self.request(method, path).header("authorization", value)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token).await
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            let mut values = response.headers().get_all(name).iter();
            let value = values
                .next()
                .map(|value| value.to_str().unwrap().to_owned());
            assert!(values.next().is_none(), "{name} once at most");
            value
        };
        Self {
            status: response.status().as_u16(),
            challenge: header("www-authenticate"),
            retry_after: header("retry-after").map(|seconds| seconds.parse().unwrap()),
            body: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn error(&self) -> Option<&str> {
        let (_, rest) = self.challenge.as_deref()?.split_once("error=\"")?;
        rest.split('"').next()
    }
}
