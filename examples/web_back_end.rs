//! A web back end that acts for many people: a session for each of them, consent as a redirect.
//!
//! ```console
//! $ cargo run --example web_back_end            # you are the people, in your browser
//! $ cargo run --example web_back_end -- --auto  # one is played, and it ends
//! ```
//!
//! It serves `http://127.0.0.1:3000`; open it in a browser. Alice signs in with
//! `alice@cymmetri.example` and `sample-alice-password`, Bob (in a private window) with
//! `bob@cymmetri.example` and `sample-bob-password`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use intelliauth::{AuthorizationCode, Client, Error, PendingLogin, People, Session, TokenRequest};
use intelliauth_emulator::{Config, Emulator, sample};
use maud::html;
use sha2::{Digest, Sha256};

/// The port of the redirect URI that the sample application has registered.
const PORT: u16 = 3000;

/// What the back end shares between requests.
#[derive(Clone)]
struct App {
    people: People,
    /// Where it is reached.
    here: Arc<str>,
    /// The sign-in that each browser is in the middle of, as text: it could be a database.
    pending: Arc<Mutex<HashMap<String, String>>>,
}

impl App {
    /// The session of the person at this browser.
    ///
    /// Its name is logged and the cookie is a secret, so it is the digest of the cookie.
    fn session(&self, browser: &str) -> Session {
        let name = URL_SAFE_NO_PAD.encode(Sha256::digest(browser));
        self.people.session(name)
    }

    /// Where a person comes back to.
    fn callback(&self) -> String {
        format!("{}/callback", self.here)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let emulator = Emulator::start(Config::sample()).await?;
    let people = Client::for_person(emulator.issuer(), sample::WEB)
        .client_secret(sample::WEB_SECRET)
        .build()?;
    let is_auto = std::env::args().any(|argument| argument == "--auto");
    // Whoever is played comes back to any port: the platform compares none of 127.0.0.1's.
    let port = if is_auto { 0 } else { PORT };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.with_context(|| format!("port {port} is needed, and is taken"))?;
    let here = format!("http://{}", listener.local_addr()?);
    let app = App {
        people,
        here: here.as_str().into(),
        pending: Arc::default(),
    };
    let routes = Router::new()
        .route("/", get(home))
        .route("/api/{name}", get(call))
        .route("/callback", get(callback))
        .route("/sign-out", post(sign_out))
        .with_state(app);
    println!("The emulator plays the platform at {}.", emulator.issuer());
    println!("The back end is at {here}: open it in a browser.");
    let serving = async {
        axum::serve(listener, routes)
            .await
            .context("it cannot serve")
    };
    if is_auto {
        return tokio::select! {
            played = played(&emulator, &here) => played,
            served = serving => served,
        };
    }
    serving.await
}

async fn home(State(app): State<App>, headers: HeaderMap) -> Result<Response, Failure> {
    let browser = browser(&headers);
    let account = app.session(&browser).account().await?;
    // Templates that escape: whatever an issuer says of a person is text here.
    let page = html! {
        @match account {
            Some(account) => p { "Signed in as " (account.subject().unwrap_or("somebody")) "." }
            None => p { "Nobody is signed in here." }
        }
        p { a href="/api/banking" { "Banking" } " " a href="/api/health" { "Health" } }
        form method="post" action="/sign-out" { button { "Sign out" } }
    };
    let page = Html(page.into_string());
    Ok(([(header::SET_COOKIE, cookie(&browser))], page).into_response())
}

/// Calls an API for the person; if they have to act first, that is where they are sent.
async fn call(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut browser = browser(&headers);
    let request = match name.as_str() {
        "banking" => TokenRequest::new(sample::BANKING).scope("read:transactions"),
        "health" => TokenRequest::new(sample::HEALTH).scope("read:records"),
        _ => return Ok(StatusCode::NOT_FOUND.into_response()),
    };
    let (session, back) = (app.session(&browser), app.callback());
    let (url, pending) = match session.client().get_access_token(&request).await {
        Ok(token) => {
            let text = format!(
                "A token for {}: it allows {}.",
                token.audience(),
                token.scopes()
            );
            return Ok(text.into_response());
        }
        Err(Error::Consent(consent)) => consent.authorization_url(back)?,
        Err(Error::Login(_)) => {
            // A new cookie for the person who signs in: one that was planted here stays worthless.
            browser = new_cookie();
            let login = AuthorizationCode::redirect_to(back).request(&request);
            app.session(&browser).begin_sign_in(login).await?
        }
        Err(other) => return Err(other.into()),
    };
    let kept = serde_json::to_string(&pending).unwrap_or_default();
    lock(&app.pending).insert(browser.clone(), kept);
    let to = Redirect::to(url.as_str());
    Ok(([(header::SET_COOKIE, cookie(&browser))], to).into_response())
}

/// The person comes back, in another request than the one that sent them away.
async fn callback(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Redirect, Failure> {
    // Taken out: an answer is good once, for the browser that was sent away.
    let browser = browser(&headers);
    let kept = lock(&app.pending).remove(&browser);
    let pending: Option<PendingLogin> = kept.and_then(|kept| serde_json::from_str(&kept).ok());
    let Some(pending) = pending else {
        return Ok(Redirect::to("/"));
    };
    let session = app.session(&browser);
    session.finish_sign_in(&pending, &uri.to_string()).await?;
    Ok(Redirect::to("/"))
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Redirect, Failure> {
    app.session(&browser(&headers)).sign_out().await?;
    Ok(Redirect::to("/"))
}

/// The cookie of this browser. A real back end has its framework's sessions for that.
fn browser(headers: &HeaderMap) -> String {
    let cookies = headers
        .get(header::COOKIE)
        .and_then(|value| value.to_str().ok());
    let own = cookies
        .into_iter()
        .flat_map(|cookies| cookies.split("; "))
        .find_map(|cookie| cookie.strip_prefix("browser="));
    own.map_or_else(new_cookie, str::to_owned)
}

/// One that nobody guesses.
fn new_cookie() -> String {
    oauth2::CsrfToken::new_random().into_secret()
}

fn cookie(browser: &str) -> String {
    format!("browser={browser}; HttpOnly; SameSite=Lax; Path=/")
}

/// Alice, for `--auto`: she is sent away twice, for a sign-in and for a consent, and comes back.
async fn played(emulator: &Emulator, here: &str) -> anyhow::Result<()> {
    let alice = emulator.login_as(sample::ALICE);
    let no_redirects = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().redirect(no_redirects).build()?;
    let mut own = String::new();
    for api in ["banking", "health"] {
        let call = format!("{here}/api/{api}");
        let sent_away = http.get(&call).header(header::COOKIE, &own).send().await?;
        let given = sent_away.headers().get(header::SET_COOKIE);
        let given = given.context("no cookie")?.to_str()?.split(';').next();
        own = given.unwrap_or_default().to_owned();
        let to = sent_away.headers().get(header::LOCATION);
        let callback = alice
            .approve(to.context("not sent away")?.to_str()?)
            .await?;
        http.get(callback)
            .header(header::COOKIE, &own)
            .send()
            .await?;
        let called = http.get(&call).header(header::COOKIE, &own).send().await?;
        ensure!(called.status().is_success(), "{}", called.text().await?);
        println!("Alice calls the {api} API. {}", called.text().await?);
    }
    Ok(())
}

/// What a person sees when something went wrong: the next move, and never a token.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            Error::Denied(_) => StatusCode::FORBIDDEN,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let text = format!("{}.\n\nWhat to do: {}.\n", self.0, self.0.next_move());
        (status, text).into_response()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
