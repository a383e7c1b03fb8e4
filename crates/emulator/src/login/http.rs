//! As much of HTTP as the emulator's own pages need: one request on one connection.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A reply, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    body: String,
}

/// Sends a request with a cookie and a form, either of which may be empty.
pub(super) fn exchange(
    address: SocketAddr,
    method: &str,
    target: &str,
    (cookie, body): (Option<&str>, &str),
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    let length = body.len();
    let form = "application/x-www-form-urlencoded";
    // RFC 9112 section 9.6: the server closes after its reply, so that the body ends with the connection.
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{cookie}\
         Content-Type: {form}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the reply is not valid HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Reply {
        status: status.ok_or_else(broken)?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

impl Reply {
    pub(super) fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The pair that goes back in `Cookie`.
    pub(super) fn cookie(&self) -> Option<String> {
        let pair = self.header("set-cookie")?.split(';').next()?;
        Some(pair.to_owned())
    }

    /// The text of the page between this and the next quote or tag.
    pub(super) fn attribute(&self, before: &str) -> Option<String> {
        let (_, after) = self.body.split_once(before)?;
        let end = after.find(['"', '<']).unwrap_or(after.len());
        after.get(..end).map(str::to_owned)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1);
        lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// An emulator answers in milliseconds, unless a fault delays it.
const PATIENCE: Duration = Duration::from_secs(60);
