//! An application on this machine: it sends a person to the emulator and waits at a loopback address.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use intelliauth_emulator::{Config, Emulator, sample};

use crate::support::http;

/// The application, its emulator, and the address where it waits.
pub(crate) struct Application {
    pub(crate) emulator: Emulator,
    listener: TcpListener,
    redirect_uri: String,
}

pub(crate) const SCOPES: &str = "openid profile offline_access read:transactions read:records";

impl Application {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start(Config::sample()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let redirect_uri = format!("http://{}/callback", listener.local_addr().unwrap());
        Self {
            emulator,
            listener,
            redirect_uri,
        }
    }

    /// Where it sends the person. The challenge is the one of RFC 7636 appendix B.
    pub(crate) fn authorize_url(&self, scope: &str, more: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", sample::NATIVE)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", "state-1")
            .append_pair(
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            )
            .append_pair("code_challenge_method", "S256")
            .finish();
        format!("{}?{query}{more}", self.emulator.url("/oauth2/authorize"))
    }

    /// Where it sends the person to sign out.
    pub(crate) fn logout_url(&self, state: &str) -> String {
        let back = self.redirect_uri.replace("/callback", "/signed-out");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", sample::NATIVE)
            .append_pair("post_logout_redirect_uri", &back)
            .append_pair("state", state)
            .finish();
        format!("{}?{query}", self.emulator.url("/oauth2/logout"))
    }

    /// Waits at the loopback address for the callback; its query.
    pub(crate) fn callback(&self) -> std::thread::JoinHandle<String> {
        self.waits_at("/callback?")
    }

    /// Waits at the loopback address for a request that starts like this; the rest of its target.
    pub(crate) fn waits_at(&self, start: &'static str) -> std::thread::JoinHandle<String> {
        let listener = self.listener.try_clone().unwrap();
        std::thread::spawn(move || {
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                let mut bytes = [0; 8192];
                let length = stream.read(&mut bytes).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let target = text.split(' ').nth(1).unwrap_or_default();
                let found = target.strip_prefix(start).map(str::to_owned);
                let body = "<!doctype html><title>Done</title><h1>Back at the application</h1>";
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n{body}"
                );
                if let Some(found) = found {
                    return found;
                }
            }
        })
    }

    /// Exchanges the code of a callback; the status and the reply.
    pub(crate) async fn exchange(&self, callback: &str) -> (u16, serde_json::Value) {
        let code = parameter(callback, "code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", sample::NATIVE),
            ("redirect_uri", &self.redirect_uri),
            ("code", &code),
            (
                "code_verifier",
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
        ];
        self.post("/oauth2/token", &form).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, serde_json::Value) {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = http().post(self.emulator.url(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
