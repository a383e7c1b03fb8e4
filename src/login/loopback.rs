//! The port of this machine that a person's browser comes back to (RFC 8252 section 7.3).

mod page;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

pub(crate) use page::AwaitedPage;
use page::{ANSWERED, FAILED, NOT_SIGNED_OUT, STRAY, respond};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

use super::pending::is_answer;
use zeroize::Zeroizing;

use crate::error::Error;

/// Listeners on one port: 127.0.0.1, and `::1` where that can be had.
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    port: u16,
    path: String,
    /// Shown where an answer is not taken.
    failed: &'static str,
}

/// What becomes of a request: whether it is an answer, and then whether it completes the sign-in.
pub(super) type Judge<T> = Arc<dyn Fn(&str) -> Result<T, Error> + Send + Sync>;

impl Loopback {
    /// Listens on the first of `ports` that is free; on any if there are none.
    pub(super) async fn bind(ports: &[u16], path: &str) -> Result<Self, Error> {
        let ports = if ports.is_empty() { &[0] } else { ports };
        let mut problem = None;
        for port in ports {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await {
                Ok(first) => {
                    return Self::around(first, path)
                        .await
                        .map_err(|error| unbound(&error));
                }
                Err(error) => problem = Some(error),
            }
        }
        let unknown = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        Err(unbound(&problem.unwrap_or_else(unknown)))
    }

    async fn around(first: TcpListener, path: &str) -> io::Result<Self> {
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        // Some machines have no ::1, and a browser that resolves `localhost` may try it first.
        if let Ok(second) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            listeners.push(second);
        }
        Ok(Self {
            listeners,
            port,
            path: path.to_owned(),
            failed: FAILED,
        })
    }

    /// The same, for a person who comes back from signing out.
    pub(super) fn for_sign_out(self) -> Self {
        Self {
            failed: NOT_SIGNED_OUT,
            ..self
        }
    }

    /// The platform exempts 127.0.0.1 alone from comparing ports.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// Waits for the person's answer: the first request to the path that carries one. With it comes the
    /// page that their browser waits for meanwhile.
    ///
    /// Every connection has a task of its own, so that one which says nothing, or asks for an icon,
    /// delays no other. What the judge says of the first answer is final: a wrong `state` is a hard stop,
    /// since it means that two sign-ins were mixed up, or that an attacker tries to mix them up.
    ///
    /// So a page that guesses the port could end a sign-in, though never complete one. What it loads in
    /// the background counts for nothing (see [`is_page_load`]); it would have to open a window on
    /// each port, which browsers do not let pages do without a click.
    pub(super) async fn answer<T: Send + 'static>(
        self,
        judge: Judge<T>,
    ) -> Result<(T, AwaitedPage), Error> {
        let (sender, mut answers) = mpsc::channel(1);
        let visit = Arc::new(Visit {
            port: self.port,
            path: self.path,
            failed: self.failed,
            judge,
            answers: sender,
        });
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            tasks.spawn(accept(listener, Arc::clone(&visit)));
        }
        drop(visit);
        // The tasks end with this function, and with them the listeners.
        answers.recv().await.unwrap_or_else(|| {
            Err(Error::request(
                "nothing could be received on the loopback port",
            ))
        })
    }
}

/// What every connection needs to know.
struct Visit<T> {
    port: u16,
    path: String,
    failed: &'static str,
    judge: Judge<T>,
    answers: mpsc::Sender<Result<(T, AwaitedPage), Error>>,
}

async fn accept<T: Send + 'static>(listener: TcpListener, visit: Arc<Visit<T>>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while connections.try_join_next().is_some() {}
                if connections.len() >= CONNECTIONS {
                    // The next ones wait in the system's queue: to be late is no harm, to be lost is.
                    connections.join_next().await;
                }
                let visit = Arc::clone(&visit);
                // What was too slow, or is gone, was no answer.
                connections.spawn(async move { visit.serve(stream).await });
            }
            // Out of file descriptors, say: that passes, and must not spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl<T: Send + 'static> Visit<T> {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let Some(head) = timeout(CONNECTION_LIMIT, read_head(&mut stream)).await?? else {
            return respond(&mut stream, "431 Request Header Fields Too Large", STRAY).await;
        };
        match self.target(&head) {
            Target::Answer(target) => {
                // There is one place, taken before anything is judged: no second answer overtakes.
                let Ok(place) = self.answers.try_reserve() else {
                    return respond(&mut stream, "200 OK", ANSWERED).await;
                };
                match (self.judge)(target) {
                    Ok(answer) => {
                        place.send(Ok((answer, AwaitedPage::of(stream))));
                        Ok(())
                    }
                    Err(error) => {
                        // The page first: what listens is gone as soon as the answer is taken.
                        let shown = respond(&mut stream, "200 OK", self.failed).await;
                        place.send(Err(error));
                        shown
                    }
                }
            }
            Target::WrongMethod => respond(&mut stream, "405 Method Not Allowed", STRAY).await,
            Target::Stray => respond(&mut stream, "404 Not Found", STRAY).await,
        }
    }

    fn target<'h>(&self, head: &'h str) -> Target<'h> {
        let mut request = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (request.next(), request.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_answer = is_answer(query);
        let is_here = header(head, "host").is_some_and(|host| is_here(host, self.port));
        if path != self.path || !is_here || !is_answer || !is_page_load(head) {
            Target::Stray
        } else if method == Some("GET") {
            Target::Answer(target)
        } else {
            Target::WrongMethod
        }
    }
}

/// Whether a browser that was sent to `port` on this machine says this of where it is. A page of another
/// host that was made to resolve to this machine has its own name there.
fn is_here(host: &str, port: u16) -> bool {
    let here = ["127.0.0.1", "[::1]", "localhost"];
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        // RFC 9110 section 4.2.1: the port that http has by itself is left out.
        None if port == 80 => host,
        None => return false,
    };
    here.contains(&name)
}

enum Target<'h> {
    Answer(&'h str),
    WrongMethod,
    /// An icon, a scanner, a page that tries its luck.
    Stray,
}

/// Whether the person sees what is loaded here, as they do after a redirect.
///
/// Browsers say so of requests to this machine, and pages cannot change it (W3C Fetch Metadata sections
/// 2.1 and 2.5): an image, a script, a frame or a `fetch` of some page elsewhere is none, and
/// neither is a page that is loaded ahead. Other programs than browsers say nothing.
fn is_page_load(head: &str) -> bool {
    let is_document = header(head, "sec-fetch-dest").is_none_or(|what| what == "document");
    is_document && header(head, "sec-purpose").is_none()
}

/// The value of the first header of this name.
fn header<'h>(head: &'h str, expected: &str) -> Option<&'h str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(expected))?;
    Some(value.trim())
}

/// The head of a request; nothing if it is longer than any browser's.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Zeroizing<String>>> {
    // It does not grow: what it left behind would not be wiped, and it holds the code.
    let mut head = Zeroizing::new(Vec::with_capacity(HEAD_LIMIT + READ_AT_ONCE));
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_LIMIT {
            return Ok(None);
        }
        if stream.read_buf(&mut *head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    Ok(Some(Zeroizing::new(text)))
}

fn unbound(error: &io::Error) -> Error {
    Error::request(format!(
        "could not listen on a loopback port ({error}): name others with ports(..), or use a device code"
    ))
}

/// No browser's request to a loopback port is longer, in bytes: a code and a state are short, and the
/// cookies of everything else that this machine serves come along, whatever its port (RFC 6265 section 8.5).
const HEAD_LIMIT: usize = 128 * 1024;

/// How much of a head is read at a time at least, in bytes.
const READ_AT_ONCE: usize = 4 * 1024;

/// A browser sends its request at once; what is slower than this is none.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);

/// A browser opens a handful of connections.
const CONNECTIONS: usize = 32;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn the_port_that_browsers_leave_out_is_no_other_host() {
        for (host, port) in [
            ("127.0.0.1", 80),
            ("localhost", 80),
            ("[::1]", 80),
            ("127.0.0.1:80", 80),
            ("localhost:8080", 8080),
        ] {
            assert!(is_here(host, port), "{host} {port}");
        }
        for (host, port) in [
            ("127.0.0.1", 8080),
            ("127.0.0.1:80", 8080),
            ("elsewhere.example", 80),
            ("127.0.0.1.elsewhere.example", 80),
            ("", 80),
        ] {
            assert!(!is_here(host, port), "{host} {port}");
        }
    }

    /// Takes an answer whose state is `right`; counts nothing else.
    fn judge() -> Judge<String> {
        Arc::new(|target| {
            if target.contains("state=right") {
                Ok(target.to_owned())
            } else {
                Err(Error::request("wrong state"))
            }
        })
    }

    async fn listening() -> (u16, tokio::task::JoinHandle<Result<String, Error>>) {
        let loopback = Loopback::bind(&[], "/callback").await.unwrap();
        let port = loopback.port;
        assert_eq!(
            loopback.redirect_uri(),
            format!("http://127.0.0.1:{port}/callback")
        );
        let answered = async move {
            let (answer, page) = loopback.answer(judge()).await?;
            page.show(true).await;
            Ok(answer)
        };
        (port, tokio::spawn(answered))
    }

    async fn send(host: &str, port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(format!("{host}:{port}")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn get(port: u16, target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
    }

    #[tokio::test]
    async fn strays_and_half_open_connections_hold_up_nobody() {
        let (port, answer) = listening().await;
        let _half_open = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut slow = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        slow.write_all(b"GET /call").await.unwrap();
        for (request, status) in [
            (get(port, "/favicon.ico"), "404"),
            (get(port, "/callback"), "404"),
            (get(port, "/callback/?state=right&code=c"), "404"),
            (get(port, "/other?state=right&code=c"), "404"),
            (
                get(port, "/callback?state=right&code=c").replace("GET", "POST"),
                "405",
            ),
            (
                get(port, "/callback?state=right&code=c").replace("127.0.0.1", "evil.example"),
                "404",
            ),
            (
                "GET /callback?state=right HTTP/1.1\r\n\r\n".to_owned(),
                "404",
            ),
            ("x".repeat(HEAD_LIMIT + 1), "431"),
        ] {
            let shown = send("127.0.0.1", port, &request).await;
            let line = shown.lines().next().unwrap_or_default();
            assert!(line.contains(status), "{request:.60}: {line}");
        }
        assert!(!answer.is_finished());
        let shown = send(
            "127.0.0.1",
            port,
            &get(port, "/callback?state=right&code=c"),
        )
        .await;
        assert!(shown.contains("You are signed in"), "{shown}");
        assert!(shown.contains("no-store") && shown.contains("default-src 'none'"));
        let taken = answer.await.unwrap().unwrap();
        assert_eq!(taken, "/callback?state=right&code=c");
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    #[tokio::test]
    async fn the_page_waits_for_what_becomes_of_the_answer() {
        for (worked, shown) in [(true, "You are signed in"), (false, "did not work")] {
            let loopback = Loopback::bind(&[], "/callback").await.unwrap();
            let port = loopback.port;
            let request = get(port, "/callback?state=right&code=c");
            let browser = tokio::spawn(async move { send("127.0.0.1", port, &request).await });
            let (_, page) = loopback.answer(judge()).await.unwrap();
            tokio::task::yield_now().await;
            assert!(!browser.is_finished());
            page.show(worked).await;
            let text = browser.await.unwrap();
            assert!(text.contains(shown) && text.contains("no-store"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_wrong_state_is_a_hard_stop() {
        let (port, answer) = listening().await;
        let shown = send(
            "127.0.0.1",
            port,
            &get(port, "/callback?state=wrong&code=c"),
        )
        .await;
        assert!(
            shown.contains("did not work") && !shown.contains("wrong"),
            "{shown}"
        );
        answer.await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn of_two_answers_the_first_counts() {
        let (port, answer) = listening().await;
        let (one, two) = (
            get(port, "/callback?state=right&code=1"),
            get(port, "/callback?state=wrong"),
        );
        let _ = send("127.0.0.1", port, &one).await;
        // The second one may find the listener gone.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
            let _ = stream.write_all(two.as_bytes()).await;
        }
        assert!(answer.await.unwrap().unwrap().contains("code=1"));
    }

    #[tokio::test]
    async fn a_second_answer_is_not_even_judged() {
        let (sender, mut answers) = mpsc::channel(1);
        let visit = Visit {
            port: 1,
            failed: FAILED,
            path: "/callback".to_owned(),
            judge: judge(),
            answers: sender,
        };
        // The first answer has its place, and its page is being written still.
        let place = visit.answers.try_reserve().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = async {
            let (stream, _) = listener.accept().await.unwrap();
            visit.serve(stream).await.unwrap();
        };
        let second = get(1, "/callback?state=right&code=2");
        let ((), shown) = tokio::join!(served, send("127.0.0.1", address.port(), &second));
        assert!(shown.contains("answered already"), "{shown}");
        drop(place);
        assert!(answers.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_a_page_loads_in_the_background_is_a_stray() {
        let (port, answer) = listening().await;
        let with = |headers: &str| {
            let request = get(port, "/callback?error=access_denied");
            request.replace("\r\n\r\n", &format!("\r\n{headers}\r\n\r\n"))
        };
        for headers in [
            "Sec-Fetch-Dest: image",
            "sec-fetch-dest: empty\r\nSec-Fetch-Mode: cors",
            "Sec-Fetch-Dest: iframe\r\nSec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document\r\nSec-Purpose: prefetch;prerender",
        ] {
            let shown = send("127.0.0.1", port, &with(headers)).await;
            assert!(shown.contains("404"), "{headers}: {shown}");
        }
        assert!(!answer.is_finished());
        let redirect =
            "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site";
        let shown = send("127.0.0.1", port, &with(redirect)).await;
        assert!(shown.contains("did not work"), "{shown}");
        answer.await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn more_half_open_connections_than_are_served_lose_no_answer() {
        let (sender, mut answers) = mpsc::channel(1);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = "/callback".to_owned();
        let visit = Visit {
            port,
            path,
            failed: FAILED,
            judge: judge(),
            answers: sender,
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(visit)));
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS + 8 {
            silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
        let request = get(port, "/callback?state=right&code=c");
        let late = tokio::spawn(async move { send("127.0.0.1", port, &request).await });
        // They go away one after the other, as they would by themselves after a while.
        drop(silent);
        let (_, page) = answers.recv().await.unwrap().unwrap();
        page.show(true).await;
        assert!(late.await.unwrap().contains("You are signed in"));
        accepting.abort();
    }

    #[tokio::test]
    async fn the_other_address_of_this_machine_does_as_well() {
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_err() {
            return;
        }
        let (port, answer) = listening().await;
        let request = get(port, "/callback?state=right&code=c").replace("127.0.0.1", "[::1]");
        let _ = send("[::1]", port, &request).await;
        answer.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_cookies_of_all_that_this_machine_serves_are_no_hindrance() {
        let (port, answer) = listening().await;
        let cookies = format!("\r\nCookie: a={}\r\n\r\n", "x".repeat(100 * 1024));
        let request = get(port, "/callback?state=right&code=c").replace("\r\n\r\n", &cookies);
        let _ = send("127.0.0.1", port, &request).await;
        answer.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_first_free_port_of_a_list_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ports = [&taken, &free].map(|listener| listener.local_addr().unwrap().port());
        drop(free);
        let loopback = Loopback::bind(&ports, "/callback").await.unwrap();
        assert_eq!(loopback.port, ports[1]);
        let error = Loopback::bind(&ports, "/callback").await.err().unwrap();
        assert!(error.to_string().contains("device code"), "{error}");
    }
}
