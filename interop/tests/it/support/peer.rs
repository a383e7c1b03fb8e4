//! [`Peer`]: a client that nobody here wrote, and the SDK in its place.

use intelliauth::{AccessToken, Client, ClientAuthentication, Error, TokenRequest};
use intelliauth_emulator::{Emulator, sample};
use serde_json::{Value, json};

use super::Part;

/// Another client of the emulator.
pub(crate) struct Peer(Part);

/// What is asked of both clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a str,
    pub(crate) method: ClientAuthentication,
    pub(crate) audience: &'a str,
    pub(crate) scope: &'a str,
}

impl Default for Question<'_> {
    fn default() -> Self {
        Self {
            client_id: sample::SERVICE,
            client_secret: sample::SERVICE_SECRET,
            method: ClientAuthentication::Basic,
            audience: sample::BANKING,
            scope: "",
        }
    }
}

impl Peer {
    /// npm's `openid-client`, with `jose` for the signature.
    pub(crate) fn openid_client(emulator: &Emulator) -> Self {
        Self::start(Part::node, "openid-client", "client.mjs", emulator)
    }

    /// `PyPI`'s `authlib`, with `joserfc` for the signature.
    pub(crate) fn authlib(emulator: &Emulator) -> Self {
        Self::start(Part::python, "authlib", "client.py", emulator)
    }

    fn start(
        start: fn(&'static str, &str, &Value) -> (Part, Value),
        name: &'static str,
        program: &str,
        emulator: &Emulator,
    ) -> Self {
        let (part, first) = start(name, program, &json!({"issuer": emulator.issuer()}));
        // It found this in the metadata.
        assert_eq!(first["token_endpoint"], emulator.url("/oauth2/token"));
        Self(part)
    }

    /// What it got, or the error as it reads it.
    pub(crate) fn token(&mut self, question: Question<'_>) -> Value {
        self.0.ask(&json!({
            "do": "token",
            "client_id": question.client_id,
            "client_secret": question.client_secret,
            "method": match question.method {
                ClientAuthentication::Basic => "basic",
                ClientAuthentication::Post => "post",
                other => panic!("the scripts do not know {other:?}"),
            },
            "audience": question.audience,
            "scope": question.scope,
        }))
    }

    /// Any question, and its answer.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        self.0.ask(question)
    }

    /// What a token says to it as the API called `audience`, or the error.
    pub(crate) fn verify(&mut self, token: &Value, audience: &str) -> Value {
        let question = json!({"do": "verify", "token": token, "audience": audience});
        self.0.ask(&question)
    }
}

/// What the SDK says to the same question, in the words of the peers.
pub(crate) async fn ours(emulator: &Emulator, question: Question<'_>) -> Value {
    let client = Client::for_application(emulator.issuer(), question.client_id)
        .client_secret(question.client_secret)
        .client_authentication(question.method)
        .retries(0)
        .build()
        .unwrap();
    let scopes = question.scope.split_whitespace();
    let request = TokenRequest::new(question.audience).scopes(scopes);
    match client.get_access_token(request).await {
        Ok(token) => json!({"ok": granted(&token)}),
        Err(error) => json!({"error": refused(&error)}),
    }
}

fn granted(token: &AccessToken) -> Value {
    json!({
        "token": token.secret(),
        "scope": token.scopes().to_string(),
        "expires_in": token.lifetime().as_secs(),
        "claims": token.danger_unverified_claims().unwrap().parse::<Value>(),
    })
}

fn refused(error: &Error) -> Value {
    let answer = error.answer().unwrap();
    let retry_after = match error {
        Error::Unavailable(unavailable) => unavailable.issuer_retry_after(),
        _ => None,
    };
    json!({
        "status": answer.status(),
        "code": answer.code(),
        "retry_after": retry_after.map(|wait| wait.as_secs().to_string()),
    })
}
