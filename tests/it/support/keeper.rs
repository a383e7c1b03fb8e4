//! A server that keeps its connections, on threads of its own, so that no runtime of a test drives it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;

/// What a test decides by: both count from zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) connection: usize,
    /// The requests that came before on this connection.
    pub(crate) request: usize,
}

/// Serves metadata to GET and a token to POST.
pub(crate) struct Keeper {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Keeper {
    /// Answers each request for which `answers` says so, and says nothing to the others. A connection
    /// waits while it decides.
    pub(crate) fn start(answers: impl Fn(Arrival) -> bool + Send + Sync + 'static) -> Self {
        Self::serving(answers, 1)
    }

    fn serving(answers: impl Fn(Arrival) -> bool + Send + Sync + 'static, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let (counted, answers) = (Arc::clone(&counts), Arc::new(answers));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counts, answers) = (Arc::clone(&counted), Arc::clone(&answers));
                let connection = counts.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let serving = Serving {
                        stream,
                        connection,
                        address,
                        times,
                    };
                    serving.serve(&counts, &*answers);
                });
            }
        });
        Self { address, counts }
    }

    /// Sends each answer twice, as a proxy that is out of step does. The token says which audience it was
    /// asked for.
    pub(crate) fn answering_twice() -> Self {
        Self::serving(|_| true, 2)
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn arrived(&self, requests: usize) {
        while self.counts.requests.load(Ordering::SeqCst) < requests {
            tokio::task::yield_now().await;
        }
    }
}

struct Serving {
    stream: TcpStream,
    connection: usize,
    address: SocketAddr,
    /// How often each answer is sent.
    times: usize,
}

impl Serving {
    fn serve(self, counts: &Counts, answers: &(impl Fn(Arrival) -> bool + ?Sized)) -> Option<()> {
        let mut reader = BufReader::new(self.stream.try_clone().ok()?);
        for request in 0.. {
            let asked = read_request(&mut reader)?;
            counts.requests.fetch_add(1, Ordering::SeqCst);
            let arrival = Arrival {
                connection: self.connection,
                request,
            };
            if answers(arrival) {
                self.answer(&asked)?;
            }
        }
        None
    }

    fn answer(&self, asked: &Asked) -> Option<()> {
        let issuer = format!("http://{}", self.address);
        let body = match asked {
            Asked::Token(audience) => json!({
                "access_token": format!("token-for-{audience}"), "token_type": "Bearer", "expires_in": 300,
            }),
            Asked::Metadata => {
                json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")})
            }
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answers = answer.repeat(self.times);
        (&self.stream).write_all(answers.as_bytes()).ok()
    }
}

/// What a request is for.
enum Asked {
    Metadata,
    /// A token for this audience.
    Token(String),
}

/// The next request; nothing if the connection has ended.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let (mut line, mut length, mut is_post) = (String::new(), 0, None);
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(stated) = text.strip_prefix("content-length:") {
            length = stated.trim().parse().ok()?;
        }
        is_post.get_or_insert(text.starts_with("post "));
        if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if !is_post? {
        return Some(Asked::Metadata);
    }
    let mut pairs = url::form_urlencoded::parse(&body);
    let audience = pairs.find(|(name, _)| name == "audience");
    Some(Asked::Token(
        audience.map_or_else(String::new, |(_, value)| value.into_owned()),
    ))
}
