//! Every flow in one process of its own, with trace logging: no secret in anything that leaves it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use intelliauth::{
    AuthorizationCode, CacheMode, Client, ClientAuthentication, ClientBuilder, DeviceCode, Error,
    FileStore, Flow, FlowContext, People, Secret, TokenRequest, TokenResponse,
    resource_server::Verifier,
};
use intelliauth_emulator::{Config, Emulator, Endpoint, Fault, sample};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::support::{
    leak::{Leaks, Recorder},
    tap::{SECRET, Tap},
};

/// Where the process leaves what it has found.
const FOLDER: &str = "INTELLIAUTH_TEST_FOLDER";

/// A grant of the caller's own, which this issuer refuses.
#[derive(Debug)]
struct Exchange;

impl Flow for Exchange {
    async fn acquire(&self, cx: FlowContext<'_>) -> Result<TokenResponse, Error> {
        let grant = cx.extension_grant("urn:ietf:params:oauth:grant-type:jwt-bearer");
        let assertion = Secret::from("hushed.assertion.of-the-caller");
        let grant = grant.secret_parameter("assertion", assertion);
        tracing::trace!(?grant, "a grant of the caller's own");
        grant.send().await
    }
}

/// What happens in that process.
struct World {
    emulator: Arc<Emulator>,
    tap: Tap,
    folder: PathBuf,
    /// What passed elsewhere than through the tap.
    secrets: Arc<Mutex<Vec<(String, String)>>>,
    /// Every `Debug` and every error.
    shown: String,
    prompts: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let recorder = Recorder::running();
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    emulator.switches(|switches| switches.device_interval = Duration::from_secs(1));
    let tap = Tap::before(emulator.url("/oauth2/token")).await;
    // The metadata leads to the tap, so that everything is found as it always is.
    let led = Fault::member("token_endpoint", tap.address());
    emulator.fault(led.at(Endpoint::Discovery));
    let mut world = World {
        tap,
        emulator: Arc::new(emulator),
        folder: folder.into(),
        secrets: Arc::default(),
        shown: String::new(),
        prompts: 0,
    };
    let all = async {
        world.services().await;
        world.desktop().await;
        world.pasted().await;
        world.web_back_end().await;
        world.device().await;
    };
    // The process beside waits for this one to end, however it does.
    tokio::time::timeout(Duration::from_secs(100), all)
        .await
        .unwrap();

    let mut secrets = world.tap.secrets();
    secrets.extend(world.secrets.lock().unwrap().clone());
    let secrets = serde_json::to_string(&secrets).unwrap();
    fs::write(world.folder.join("secrets"), secrets).unwrap();
    let arguments = std::env::args().collect::<Vec<_>>().join(" ");
    let heard = format!(
        "{arguments}\n{}\n{}",
        world.shown,
        recorder.lines().concat()
    );
    fs::write(world.folder.join("heard"), heard).unwrap();
}

impl World {
    fn person(&self, application: &str) -> ClientBuilder<People> {
        Client::for_person(self.emulator.issuer(), application)
    }

    /// Client credentials, in every way to authenticate; a 401; and the API that is called.
    async fn services(&mut self) {
        for method in [
            ClientAuthentication::Basic,
            ClientAuthentication::BasicRaw,
            ClientAuthentication::Post,
        ] {
            let client = Client::for_application(self.emulator.issuer(), sample::SERVICE)
                .client_secret(sample::SERVICE_SECRET)
                .client_authentication(method);
            let client = client.build().unwrap();
            let token = client.get_access_token(sample::BANKING).await.unwrap();
            let next = client.after_unauthorized(&token).await.unwrap();
            let verifier = Verifier::builder(self.emulator.issuer(), sample::BANKING);
            let verifier = verifier.build().unwrap();
            let claims = verifier.verify(next.secret()).await.unwrap();
            let other = client.get_access_token(sample::HEALTH).await.unwrap();
            let refused = verifier.verify(other.secret()).await.unwrap_err();
            let exchange = Client::builder(self.emulator.issuer(), sample::SERVICE, Exchange);
            let exchange = exchange
                .client_secret(sample::SERVICE_SECRET)
                .build()
                .unwrap();
            let error = exchange
                .get_access_token(sample::BANKING)
                .await
                .unwrap_err();
            self.show(&error);
            let asked = TokenRequest::new(sample::BANKING).scope("no:such");
            let error = client.get_access_token(asked).await.unwrap_err();
            self.show(&error);
            write!(
                self.shown,
                "{client:?} {token:#?} {claims:?} {verifier:?} {refused:?} {refused}"
            )
            .unwrap();
            client.close().await.unwrap();
        }
    }

    /// The browser of this machine: a sign-in, refreshes, consent, a stronger sign-in, a lost session.
    async fn desktop(&mut self) {
        let store = FileStore::in_directory(self.folder.join("sessions"));
        let people = self.person(sample::NATIVE).store(store);
        let session = people.build().unwrap().default_session();
        let banking = || TokenRequest::new(sample::BANKING).scope("read:transactions");
        let login = self.loopback().request(banking()).request(sample::HEALTH);
        let account = session.sign_in(login).await.unwrap();
        for mode in [CacheMode::Prefer, CacheMode::Refresh, CacheMode::Refresh] {
            let token = session
                .client()
                .get_access_token(banking().cache_mode(mode))
                .await;
            write!(self.shown, "{:?} {account:?} {session:#?}", token.unwrap()).unwrap();
        }
        let settings = || TokenRequest::new(sample::SETTINGS).scope("write:settings");
        let error = session
            .client()
            .get_access_token(settings())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Consent(_)), "{error}");
        self.show(&error);
        session.resolve(error, self.loopback()).await.unwrap();

        let weak = Fault::envelope(401, "step_up_required", "prove more");
        let weak = weak.at(Endpoint::Token).audience(sample::HEALTH);
        self.emulator.fault(weak.times(1));
        let error = session
            .client()
            .get_access_token(sample::HEALTH)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::StepUp(_)), "{error}");
        self.show(&error);
        let login = self.loopback().acr_values("AAL2");
        session.resolve(error, login).await.unwrap();

        for ended in self.emulator.sessions() {
            // Those that a stronger sign-in has replaced are ended already.
            let _ = self.emulator.revoke_session(&ended.id);
        }
        let forced = banking().cache_mode(CacheMode::Refresh);
        let error = session.client().get_access_token(forced).await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        self.show(&error);
        session.client().close().await.unwrap();
        self.await_browser().await;
    }

    /// A browser that cannot come back: the person copies where it went, once wrongly.
    async fn pasted(&mut self) {
        for is_wrong in [true, false] {
            let people = self.person(sample::NATIVE).build().unwrap();
            let session = people.session("far");
            let (emulator, secrets) = (Arc::clone(&self.emulator), Arc::clone(&self.secrets));
            let (sender, pasted) = tokio::sync::oneshot::channel();
            let sender = Mutex::new(Some(sender));
            let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback")
                .without_browser()
                .announce(move |url| {
                    note(&secrets, url);
                    let (emulator, url) = (Arc::clone(&emulator), url.clone());
                    let sender = sender.lock().unwrap().take().unwrap();
                    tokio::spawn(async move {
                        let alice = emulator.login_as(sample::ALICE);
                        let mut callback = alice.approve(&url).await.unwrap().to_string();
                        if is_wrong {
                            callback = callback.replace("state=", "state=x");
                        }
                        sender.send(callback).unwrap();
                    });
                })
                .paste_back(async move { pasted.await.map_err(std::io::Error::other) });
            match session.sign_in(login.request(sample::BANKING)).await {
                Ok(_) => assert!(!is_wrong),
                Err(error) => self.show(&error),
            }
            session.client().close().await.unwrap();
        }
    }

    /// A confidential session: the answer comes in another request, once a wrong one, then the right one.
    async fn web_back_end(&mut self) {
        let people = self.person(sample::WEB).client_secret(sample::WEB_SECRET);
        let session = people.build().unwrap().session("alice");
        let login = AuthorizationCode::redirect_to("http://127.0.0.1:3000/callback");
        let (url, pending) = session
            .begin_sign_in(login.request(sample::BANKING))
            .await
            .unwrap();
        note(&self.secrets, &url);
        let alice = self.emulator.login_as(sample::ALICE);
        let callback = alice.approve(&url).await.unwrap();
        let wrong = callback.as_str().replace("state=", "state=x");
        let error = session.finish_sign_in(&pending, &wrong).await.unwrap_err();
        self.show(&error);
        session
            .finish_sign_in(&pending, callback.as_str())
            .await
            .unwrap();
        let error = session.finish_sign_in(&pending, callback.as_str()).await;
        self.show(&error.unwrap_err());
        let token = session
            .client()
            .get_access_token(sample::BANKING)
            .await
            .unwrap();
        write!(self.shown, "{pending:#?} {token:?}").unwrap();
        session.sign_out().await.unwrap();
        session.client().close().await.unwrap();
    }

    /// A code on another device.
    async fn device(&mut self) {
        let people = self.person(sample::NATIVE).build().unwrap();
        let session = people.session("tv");
        let waits = Fault::oauth_error("authorization_pending", "nobody entered it yet");
        self.emulator.fault(waits.at(Endpoint::Token).times(1));
        let (emulator, secrets) = (Arc::clone(&self.emulator), Arc::clone(&self.secrets));
        let login = DeviceCode::new(move |prompt| {
            let (emulator, code) = (Arc::clone(&emulator), prompt.user_code().to_owned());
            tracing::trace!(?prompt, "what the person is shown");
            let noted = ("user_code".to_owned(), code.clone());
            secrets.lock().unwrap().push(noted);
            tokio::spawn(async move {
                let alice = emulator.login_as(sample::ALICE);
                alice.device_approve(&code).await.unwrap();
            });
        });
        session
            .sign_in(login.request(sample::BANKING))
            .await
            .unwrap();
        session
            .client()
            .get_access_token(sample::BANKING)
            .await
            .unwrap();
        session.sign_out().await.unwrap();
        session.client().close().await.unwrap();
    }

    /// A browser that the program opens; the person says yes, and it comes back.
    fn loopback(&mut self) -> AuthorizationCode {
        self.prompts += 1;
        let (emulator, secrets) = (Arc::clone(&self.emulator), Arc::clone(&self.secrets));
        AuthorizationCode::loopback().announce(move |url| {
            note(&secrets, url);
            let (emulator, url) = (Arc::clone(&emulator), url.clone());
            tokio::spawn(async move {
                let alice = emulator.login_as(sample::ALICE);
                come_back(&alice.approve(&url).await.unwrap()).await;
            });
        })
    }

    /// All that an error shows, its causes included.
    fn show(&mut self, error: &Error) {
        let text = format!("{error} {error:?} {error:#?} {}\n", error.next_move());
        self.shown.push_str(&text);
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            writeln!(self.shown, "{error} {error:?}").unwrap();
            cause = error.source();
        }
    }

    /// The browser is started last, and nobody waits for it.
    async fn await_browser(&self) {
        let told = || fs::read_to_string(self.folder.join("told")).unwrap_or_default();
        while told().lines().count() < self.prompts {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What of an authorization request nobody else may know.
fn note(secrets: &Mutex<Vec<(String, String)>>, url: &Url) {
    let own = url.query_pairs();
    let own = own.filter(|(name, _)| ["state", "nonce"].contains(&&**name));
    secrets
        .lock()
        .unwrap()
        .extend(own.map(|(name, value)| (name.into(), value.into())));
}

/// The browser follows the redirect: by hand, so that no other client logs where it went.
async fn come_back(callback: &Url) {
    let port = callback.port().unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let target = &callback[url::Position::BeforePath..];
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("You are signed in"), "{page}");
}

#[test]
fn no_secret_leaves_a_process_that_runs_every_flow() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let browser = folder.path().join("browser");
    let told = folder.path().join("told");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\n", told.display());
    fs::write(&browser, script).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "every_flow::in_a_process_of_its_own",
        ])
        .env("BROWSER", &browser)
        .env("RUST_LOG", "trace")
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");

    let secrets: Vec<(String, String)> = serde_json::from_str(&read("secrets")).unwrap();
    let names: BTreeSet<&str> = secrets.iter().map(|(name, _)| name.as_str()).collect();
    let every = SECRET
        .iter()
        .copied()
        .chain(["nonce", "state", "user_code"]);
    assert_eq!(
        names,
        every.collect::<BTreeSet<_>>(),
        "every kind of secret was used"
    );
    let all = |wanted: &dyn Fn(&str) -> bool| {
        let wanted = secrets.iter().filter(|(name, _)| wanted(name));
        Leaks::of(&wanted.map(|(_, value)| value.as_str()).collect::<Vec<_>>())
    };
    let leaks = all(&|_| true);

    let heard = read("heard");
    // What the SDK, the libraries under it and the `log` crate say is all there.
    for known in [
        "token request starts",
        "TRACE",
        "reqwest",
        "hyper_util",
        "the person has not answered yet",
    ] {
        assert!(heard.contains(known), "{known} was not heard");
    }
    assert!(leaks.find(&format!("{heard} {}", secrets[0].1)).is_some());
    // What the browser is told has to name two of them (RFC 6749 section 4.1.1), and no other; the
    // library that starts it logs that command.
    let told_to_browser = all(&|name| !["state", "nonce"].contains(&name));
    for line in heard.lines() {
        let is_command = line.contains("log.target=webbrowser");
        let leaks = if is_command { &told_to_browser } else { &leaks };
        leaks.refuse("a line", line);
    }
    leaks.refuse("the output", &String::from_utf8_lossy(&child.stdout));
    leaks.refuse("the output", &String::from_utf8_lossy(&child.stderr));
    let told = read("told");
    assert_eq!(told.matches("/oauth2/authorize?").count(), 3, "{told}");
    told_to_browser.refuse("the browser's command line", &told);
}
