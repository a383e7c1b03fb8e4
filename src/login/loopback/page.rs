//! What the person's browser shows when it comes back: the same for every application.

use std::{fmt, io, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// The page that the person's browser waits for, while the application finds out whether it worked.
///
/// A page that said so before would be wrong of every sign-in whose code the issuer then refuses.
pub(crate) struct AwaitedPage(TcpStream);

impl AwaitedPage {
    pub(super) fn of(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// Shows whether it worked. If the browser has gone, the page is dropped.
    pub(crate) async fn show(self, worked: bool) {
        self.shows(if worked { SIGNED_IN } else { FAILED }).await;
    }

    /// Shows that the person has signed out.
    pub(crate) async fn show_signed_out(self) {
        self.shows(SIGNED_OUT).await;
    }

    async fn shows(mut self, page: &str) {
        if let Err(error) = respond(&mut self.0, "200 OK", page).await {
            tracing::debug!(kind = ?error.kind(), "the browser did not wait for its page");
        }
    }
}

impl fmt::Debug for AwaitedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitedPage")
    }
}

pub(super) async fn respond(stream: &mut TcpStream, status: &str, page: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
         connection: close\r\n\r\n",
        page.len()
    );
    let written = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(page.as_bytes()).await?;
        stream.shutdown().await
    };
    timeout(PAGE_LIMIT, written).await?
}

macro_rules! page {
    ($title:literal, $text:literal) => {
        concat!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\"><title>",
            $title,
            "</title><style>:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;",
            "max-width:30rem;margin:18vh auto 0;padding:0 1.5rem}</style></head><body><main><h1>",
            $title,
            "</h1><p>",
            $text,
            "</p></main></body></html>"
        )
    };
}

/// Shown once the code is redeemed and the session is kept, and not before.
const SIGNED_IN: &str = page!(
    "You are signed in",
    "You can close this page and go back to the application."
);

const SIGNED_OUT: &str = page!(
    "You are signed out",
    "You can close this page and go back to the application."
);

pub(super) const FAILED: &str = page!(
    "The sign-in did not work",
    "Go back to the application: it says why. You can close this page."
);

pub(super) const NOT_SIGNED_OUT: &str = page!(
    "Whether you are signed out is not known",
    "What came back is no answer to this application. You can close this page."
);

pub(super) const ANSWERED: &str = page!(
    "This sign-in was answered already",
    "Go back to the application. You can close this page."
);

pub(super) const STRAY: &str = page!(
    "Nothing here",
    "An application waits for a sign-in at this address."
);

/// A page fits into the system's buffers: who does not take it must not hold up the sign-in.
const PAGE_LIMIT: Duration = Duration::from_secs(2);
