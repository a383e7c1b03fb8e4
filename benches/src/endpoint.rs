//! A tiny token endpoint on loopback, with a thread of its own: every POST is answered with a token, every GET
//! with metadata.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime,
    time::sleep,
};

use crate::tokens::{STUCK_WORD, audience, jwt};

/// How it behaves from now on, and what reached it. Clones are the same endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    delay: AtomicU64,
    stuck_delay: AtomicU64,
    lifetime: AtomicU64,
    fails: AtomicBool,
    tokens: AtomicUsize,
    arrivals: Mutex<VecDeque<Arrival>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// The audience, where the request names one in the open.
    pub(crate) audience: String,
}

impl Endpoint {
    /// Starts one that answers at once, with tokens of this lifetime.
    pub(crate) fn start(lifetime: Duration) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.lifetime.store(lifetime.as_secs(), Relaxed);
        let (ready, address) = mpsc::channel();
        let serving = Arc::clone(&shared);
        thread::spawn(move || -> Result<()> {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async move {
                let listener = listen()?;
                ready.send(listener.local_addr()?)?;
                serve(listener, serving).await
            })
        });
        let address = address.recv().context("the endpoint did not start")?;
        Ok(Self { address, shared })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.shared.delay.store(delay.as_millis() as u64, Relaxed);
    }

    /// Leaves the requests for the stuck audience alone waiting.
    pub(crate) fn set_stuck_delay(&self, delay: Duration) {
        self.shared
            .stuck_delay
            .store(delay.as_millis() as u64, Relaxed);
    }

    /// Answers 503 from now on.
    pub(crate) fn fail(&self) {
        self.shared.fails.store(true, Relaxed);
    }

    #[cfg(feature = "peers")]
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.shared.lifetime.load(Relaxed))
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.arrivals().len()
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals().iter().cloned().collect()
    }

    pub(crate) fn forget_arrivals(&self) {
        self.shared.arrivals().clear();
    }
}

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status line and the body for a request.
    async fn answer(&self, body: &str) -> (&'static str, String) {
        let asked = asked(body);
        let is_stuck = asked.contains(STUCK_WORD);
        self.arrivals().push_back(Arrival {
            at: Instant::now(),
            audience: asked.clone(),
        });
        let delay = if is_stuck {
            self.stuck_delay.load(Relaxed)
        } else {
            self.delay.load(Relaxed)
        };
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        if self.fails.load(Relaxed) {
            let body = r#"{"error":"temporarily_unavailable"}"#;
            return ("503 Service Unavailable", body.to_owned());
        }
        let lifetime = self.lifetime.load(Relaxed);
        let number = self.tokens.fetch_add(1, Relaxed);
        let token = jwt(number, &asked, lifetime);
        let is_persons = body.contains("authorization_code") || body.contains("refresh_token");
        let refresh_token = if is_persons {
            format!(r#","refresh_token":"refresh-{number}""#)
        } else {
            String::new()
        };
        let body = format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{lifetime}{refresh_token}}}"#
        );
        ("200 OK", body)
    }
}

/// What a request is for: an audience, a scope, or what a signed assertion says.
fn asked(body: &str) -> String {
    let parameter = |name: &str| {
        form_urlencoded::parse(body.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let asserted = || {
        let assertion = parameter("assertion")?;
        let claims = BASE64.decode(assertion.split('.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
        claims["scope"].as_str().map(str::to_owned)
    };
    parameter("audience")
        .or_else(|| parameter("scope"))
        .or_else(asserted)
        .unwrap_or_else(|| audience(0).to_owned())
}

/// What it says of itself: the least that a person can sign in with.
fn metadata(address: SocketAddr) -> String {
    let issuer = format!("http://{address}");
    serde_json::json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "token_endpoint_auth_methods_supported": ["none"],
    })
    .to_string()
}

fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    // A stampede without single flight opens thousands of connections at once.
    Ok(socket.listen(BACKLOG)?)
}

const BACKLOG: u32 = 16_384;

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let shared = Arc::clone(&shared);
        // Whatever ends a connection is the client's to notice.
        tokio::spawn(async move { converse(stream, &shared).await });
    }
}

/// HTTP/1.1 as far as a token request needs it: a length, a body, and the connection stays open.
async fn converse(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let whole = head + content_length(&String::from_utf8_lossy(&buffer[..head]));
        while buffer.len() < whole {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let is_read = buffer.starts_with(b"GET ");
        let body = String::from_utf8_lossy(&buffer[head..whole]).into_owned();
        buffer.drain(..whole);
        let (status, body) = if is_read {
            ("200 OK", metadata(stream.local_addr()?))
        } else {
            shared.answer(&body).await
        };
        let length = body.len();
        let reply = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(reply.as_bytes()).await?;
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
