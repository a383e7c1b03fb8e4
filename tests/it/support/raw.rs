//! A server that speaks TCP by hand: for answers that no HTTP library would send.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// Reads each request to its end, answers it with the same bytes, and closes the connection.
pub(crate) struct RawServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl RawServer {
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(listener, answer.into())
    }

    fn serve(listener: TcpListener, answer: Vec<u8>) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer_one(stream, answer.clone(), Arc::clone(&count)));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came, each of them whole.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port that refuses connections, and that nobody else can take.
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// From now on it answers.
    pub(crate) fn open(self, answer: impl Into<Vec<u8>>) -> RawServer {
        RawServer::serve(self.0.listen(16).unwrap(), answer.into())
    }
}

/// An HTTP answer with this status line and body, its length stated as `length`.
pub(crate) fn answer(status: &str, headers: &str, body: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{headers}\r\n{body}"
    )
}

async fn answer_one(mut stream: TcpStream, answer: Vec<u8>, count: Arc<AtomicUsize>) {
    if read_request(&mut stream).await.is_some() {
        count.fetch_add(1, Ordering::SeqCst);
        // The other side may be gone: that is its affair.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
}

/// The bytes of one request with its body; nothing if the connection ends before.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let whole = request_length(&request).is_some_and(|length| request.len() >= length);
        if whole {
            return Some(request);
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

/// How long the request is that starts with `bytes`, once its head is there.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let stated = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let body = stated.map_or(0, |length| length.trim().parse().unwrap());
    Some(head + body)
}
