//! [`Chromium`]: a real browser, driven over `WebDriver`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    key::Key,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use serde_json::{Value, json};

use super::part::installed;

/// A browser that shows one page. What it must not forget is [`Chromium::quit`].
pub(crate) struct Chromium {
    pub(crate) client: Client,
    driver: Driver,
}

/// The size of a phone and of a desktop window, as the screenshots have them.
const PHONE: (u32, u32) = (390, 844);
const DESKTOP: (u32, u32) = (1280, 800);

impl Chromium {
    /// Runs a journey in a browser of its own, and ends the browser whatever comes of it.
    pub(crate) async fn run<F>(journey: impl FnOnce(Browser) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let chromium = Self::start().await;
        let client = chromium.client.clone();
        let outcome = tokio::spawn(journey(Browser { client })).await;
        chromium.quit().await;
        if let Err(error) = outcome {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    async fn start() -> Self {
        let driver = Driver::start();
        let profile = driver.profile.display().to_string();
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={profile}"));
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": arguments }),
        );
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{}", driver.port);
        let client = builder.connect(&address).await.unwrap();
        Self { client, driver }
    }

    async fn quit(self) {
        let _ = self.client.close().await;
        drop(self.driver);
    }
}

/// What a person does with a browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
}

impl Browser {
    pub(crate) async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Waits until the page has this heading: a click may return before the next page is there.
    pub(crate) async fn shows(&self, heading: &str) {
        let path = format!("//h1[normalize-space()='{heading}']");
        self.wait_for(Locator::XPath(&path)).await;
    }

    /// Everything that can be read on the page.
    pub(crate) async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.unwrap();
        body.text().await.unwrap()
    }

    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        self.wait_for(Locator::Css(css)).await;
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(css)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.wait_for(Locator::Css(css)).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    pub(crate) async fn press(&self, label: &str) {
        let path = format!("//button[normalize-space()='{label}']");
        let button = self.wait_for(Locator::XPath(&path)).await;
        button.click().await.unwrap();
    }

    pub(crate) async fn follow(&self, link: &str) {
        let path = format!("//a[normalize-space()='{link}']");
        let link = self.wait_for(Locator::XPath(&path)).await;
        link.click().await.unwrap();
    }

    /// Types into whatever has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(text).await.unwrap();
    }

    /// Goes on with the tab key until this has the focus; what had it on the way.
    pub(crate) async fn tab_to(&self, label: &str) -> Vec<String> {
        let mut passed = Vec::new();
        for _ in 0..30 {
            self.keys(&char::from(Key::Tab).to_string()).await;
            let focused = self.client.active_element().await.unwrap();
            let text = focused.text().await.unwrap();
            if text == label {
                return passed;
            }
            passed.push(text);
        }
        panic!("the tab key never came to {label}, only to {passed:?}");
    }

    pub(crate) async fn enter(&self) {
        self.keys(&char::from(Key::Enter).to_string()).await;
    }

    /// Keeps pictures of the page, holds it against the rules of accessibility, and hears no complaint.
    pub(crate) async fn look(&self, name: &str) {
        self.look_alone(name).await;
        self.no_complaints().await;
    }

    /// As [`look`](Self::look), where pages that nobody here wrote have been before.
    pub(crate) async fn look_alone(&self, name: &str) {
        self.wait_for(Locator::Css("main h1")).await;
        for (device, (width, height), scheme) in [
            ("desktop", DESKTOP, "light"),
            ("phone", PHONE, "light"),
            ("phone-dark", PHONE, "dark"),
        ] {
            self.devtools(
                "Emulation.setDeviceMetricsOverride",
                json!({
                    "width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500,
                }),
            )
            .await;
            let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
            self.devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": [scheme] }),
            )
            .await;
            self.picture(&format!("{name}-{device}")).await;
            self.no_overflow(name, device).await;
            self.accessible(name, device).await;
        }
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
    }

    /// Nothing was refused by the policy of a page, and nothing else went wrong in the browser.
    pub(crate) async fn no_complaints(&self) {
        let log = self.client.issue_cmd(Wire {
            path: "se/log",
            body: json!({ "type": "browser" }),
        });
        let log = log.await.unwrap();
        let entries = log.as_array().unwrap();
        let is_bad = |entry: &&Value| {
            let text = entry["message"].as_str().unwrap_or_default();
            // A refused password is a 422, which the browser logs as an error.
            entry["level"] == "SEVERE" && !text.contains("status of 4")
        };
        let bad: Vec<&Value> = entries.iter().filter(is_bad).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }

    async fn wait_for(&self, what: Locator<'_>) -> Element {
        // A look that falls into a navigation ends with an error of the driver's: look again.
        let mut tries = 0;
        loop {
            match self.client.wait().for_element(what).await {
                Ok(found) => return found,
                Err(error) if tries < 3 && error.to_string().contains("aborted by navigation") => {
                    tries += 1;
                }
                Err(error) => panic!("no {what:?}: {error}"),
            }
        }
    }

    async fn picture(&self, name: &str) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.devtools("Page.captureScreenshot", whole).await;
        let bytes = decoded(shot["data"].as_str().unwrap());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    async fn no_overflow(&self, name: &str, device: &str) {
        let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let widths = self.client.execute(script, vec![]).await.unwrap();
        let (page, window) = (widths[0].as_u64().unwrap(), widths[1].as_u64().unwrap());
        assert!(
            page <= window,
            "{name} at {device}: {page} wider than {window}"
        );
    }

    /// axe-core's rules for WCAG 2.2 A and AA, and what it calls best practice.
    async fn accessible(&self, name: &str, device: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe/node_modules");
        installed(&folder.join(".package-lock.json"));
        let axe = std::fs::read_to_string(folder.join("axe-core/axe.min.js")).unwrap();
        self.client.execute(&axe, vec![]).await.unwrap();
        let run = "const done = arguments[0]; axe.run().then(r => done(r.violations.map(v => \
                   [v.id, v.help, v.nodes.map(n => n.html)])))";
        let violations = self.client.execute_async(run, vec![]).await.unwrap();
        assert_eq!(violations, json!([]), "{name} at {device}");
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let wire = Wire {
            path: "goog/cdp/execute",
            body,
        };
        self.client.issue_cmd(wire).await.unwrap()
    }
}

/// A command of chromedriver that `WebDriver` does not have.
#[derive(Debug)]
struct Wire {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Wire {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// chromedriver, and the folder of its browser: both gone when this is dropped.
struct Driver {
    child: Child,
    port: u16,
    profile: PathBuf,
}

impl Driver {
    fn start() -> Self {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("chromedriver could not be started ({error}): run `cargo xtask test`");
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let started = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port = started.expect("chromedriver names its port");
        // Its output goes on; nobody reads it, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = std::env::temp_dir().join(format!("intelliauth-chromium-{}", child.id()));
        Self {
            child,
            port,
            profile,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Base64 as `DevTools` writes it.
fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

const ARGUMENTS: [&str; 10] = [
    "--headless",
    // Some foreign pages want a font from elsewhere: nothing but this machine is to be found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    // The sandbox wants a user that is not root; only pages of our own are opened.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
