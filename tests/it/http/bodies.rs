//! Bodies of refusals that do not come, or not whole.

use std::{sync::Arc, time::Duration};

use intelliauth::Client;
use reqwest_middleware::ClientBuilder;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::support::{Server, api::plain};

const BODY: &str = r#"{"error":"quota_exceeded"}"#;

/// What an API does after the first byte of its body.
#[derive(Clone)]
enum Then {
    /// Closes the connection.
    Tear,
    /// Sends the rest once it is told to.
    Rest(Arc<Notify>),
}

impl Then {
    /// Sends nothing more.
    fn stall() -> Self {
        Self::Rest(Arc::default())
    }
}

/// An API that refuses `token-1` with this status and a body that breaks off, and takes any other token.
async fn api(status: &'static str, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, status, then.clone()));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, status: &str, then: Then) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let is_good = !String::from_utf8_lossy(&request).contains("token-1\r\n");
    let status = if is_good { "200 OK" } else { status };
    let length = BODY.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    let start = if is_good { BODY } else { &BODY[..1] };
    let _ = stream.write_all(format!("{head}{start}").as_bytes()).await;
    if let (false, Then::Rest(told)) = (is_good, &then) {
        told.notified().await;
        let _ = stream.write_all(&BODY.as_bytes()[1..]).await;
    }
    let _ = stream.shutdown().await;
}

async fn issuer() -> (Server, Client) {
    let server = Server::start().await;
    server.token().mount().await;
    let client = server.client().build().unwrap();
    (server, client)
}

/// A hang is a failure, and no test that passes comes near this.
async fn ends<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(120);
    tokio::time::timeout(limit, work).await.unwrap()
}

#[tokio::test]
async fn a_stale_token_is_replaced_though_the_body_of_the_refusal_breaks_off() {
    let check = async |then: Then, is_middleware: bool| {
        let (server, client) = issuer().await;
        let url = api("401 Unauthorized", then).await;
        let answer = if is_middleware {
            let middleware = client.middleware().api(&url, "api");
            let http = ClientBuilder::new(plain()).with(middleware).build();
            http.get(&url).send().await.unwrap()
        } else {
            let banking = client.audience("api");
            banking.send(plain().get(&url)).await.unwrap()
        };
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), BODY);
        assert_eq!(server.count().await, 2);
    };
    ends(Box::pin(async {
        tokio::join!(
            check(Then::Tear, false),
            check(Then::Tear, true),
            check(Then::stall(), false),
            check(Then::stall(), true),
        )
    }))
    .await;
}

#[tokio::test]
async fn a_torn_body_is_handed_up_as_it_came_and_fails_where_it_was_torn() {
    let (server, client) = issuer().await;
    let url = api("403 Forbidden", Then::Tear).await;
    let banking = client.audience("api");
    let mut answer = ends(banking.send(plain().get(&url))).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.url().as_str(), format!("{url}/"));
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "{");
    assert!(answer.chunk().await.is_err());
    assert_eq!(server.count().await, 1);
}

#[tokio::test]
async fn a_late_body_is_handed_up_before_it_is_whole_and_loses_nothing() {
    let (server, client) = issuer().await;
    let rest = Arc::new(Notify::new());
    let url = api("403 Forbidden", Then::Rest(Arc::clone(&rest))).await;
    let banking = client.audience("api");
    let answer = ends(banking.send(plain().get(&url))).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.content_length(), Some(BODY.len() as u64));
    rest.notify_one();
    assert_eq!(ends(answer.text()).await.unwrap(), BODY);
    assert_eq!(server.count().await, 1);
}
