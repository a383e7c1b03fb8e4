//! A client with a person, for the tests of everything that needs one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use intelliauth_emulator::sample;
use reqwest::Url;
use serde_json::Value;

use crate::support::{Reply, SERVICE_POST, World, encoded, part};

pub(crate) const VERIFIER: &str = "a-verifier-of-a-test-that-is-long-enough-for-the-rule";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:49152/callback";
pub(crate) const SCOPES: &str = "openid profile offline_access read:transactions read:records";

/// The confidential application, without PKCE.
pub(crate) const WEB_WITHOUT_PKCE: [(&str, &str); 4] = [
    ("client_id", sample::WEB),
    ("redirect_uri", "http://127.0.0.1:3000/callback"),
    ("code_challenge", ""),
    ("code_challenge_method", ""),
];

/// The challenge of [`VERIFIER`].
pub(crate) fn challenge() -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}

/// The tokens of a sign-in.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) reply: Reply,
}

impl Tokens {
    pub(crate) fn text(&self, name: &str) -> String {
        let json = self.reply.json();
        let text = json[name].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {json}"))
            .to_owned()
    }

    pub(crate) fn refresh_token(&self) -> String {
        self.text("refresh_token")
    }

    pub(crate) fn id_claims(&self) -> Value {
        part(&self.text("id_token"), 1)
    }
}

impl World {
    /// An authorization URL of the native application with the usual parameters, and these instead
    /// of or beside them; an empty value leaves one out.
    pub(crate) fn authorize_url(&self, parameters: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let usual = [
            ("response_type", "code"),
            ("client_id", sample::NATIVE),
            ("redirect_uri", REDIRECT),
            ("scope", SCOPES),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let query = encoded(&changed(&usual, parameters));
        format!("{}?{query}", self.emulator.url("/oauth2/authorize"))
    }

    /// The callback of this person, who allows everything.
    pub(crate) async fn approved(&self, user: &str, parameters: &[(&str, &str)]) -> Url {
        let url = self.authorize_url(parameters);
        self.emulator.login_as(user).approve(url).await.unwrap()
    }

    /// The code of alice, who allows everything.
    pub(crate) async fn code(&self, parameters: &[(&str, &str)]) -> String {
        let callback = self.approved(sample::ALICE, parameters).await;
        parameter(&callback, "code").unwrap_or_else(|| panic!("no code: {callback}"))
    }

    pub(crate) async fn exchange(&self, code: &str, parameters: &[(&str, &str)]) -> Reply {
        let usual = [
            ("grant_type", "authorization_code"),
            ("client_id", sample::NATIVE),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        self.post("/oauth2/token", &changed(&usual, parameters))
            .await
    }

    /// Alice signs in and allows everything.
    pub(crate) async fn sign_in(&self, parameters: &[(&str, &str)]) -> Tokens {
        let code = self.code(parameters).await;
        let reply = self.exchange(&code, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        Tokens { reply }
    }

    /// A refresh that may end without a reply.
    pub(crate) async fn try_refresh(&self, token: &str) -> reqwest::Result<Reply> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", sample::NATIVE),
            ("refresh_token", token),
        ];
        let request = self.http().post(self.emulator.url("/oauth2/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Reply::of(request.body(encoded(&form))).await
    }

    /// Whether introspection calls a token active.
    pub(crate) async fn is_active(&self, token: &str) -> bool {
        let form = [SERVICE_POST[1], SERVICE_POST[2], ("token", token)];
        self.post("/oauth2/introspect", &form).await.json()["active"] == true
    }

    pub(crate) async fn refresh(&self, token: &str, parameters: &[(&str, &str)]) -> Reply {
        let usual = [
            ("grant_type", "refresh_token"),
            ("client_id", sample::NATIVE),
            ("refresh_token", token),
        ];
        let all = [usual.as_slice(), parameters].concat();
        self.post("/oauth2/token", &all).await
    }
}

/// The usual parameters with these instead of or beside them; an empty value leaves one out.
fn changed<'t>(
    usual: &[(&'t str, &'t str)],
    parameters: &[(&'t str, &'t str)],
) -> Vec<(&'t str, &'t str)> {
    let is_kept = |it: &&(&str, &str)| !parameters.iter().any(|other| other.0 == it.0);
    let kept = usual.iter().filter(is_kept);
    let all = kept.chain(parameters).copied();
    all.filter(|(_, value)| !value.is_empty()).collect()
}

/// A parameter of a callback.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
