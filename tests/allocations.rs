//! A cached call allocates nothing: in a test of its own, because it replaces the allocator.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use allocation_counter::measure;
use intelliauth::{Client, Error, Flow, FlowContext, TokenRequest, TokenResponse, TokenSource};

const BANKING: &str = "api.banking.cymmetri.com";
const CALLS: usize = 1000;

#[derive(Debug)]
struct Opaque;

impl Flow for Opaque {
    async fn acquire(&self, _: FlowContext<'_>) -> Result<TokenResponse, Error> {
        Ok(TokenResponse::new("an-opaque-token").lifetime(Duration::from_secs(3600)))
    }
}

fn client() -> Client {
    Client::builder("https://tenant.example", "app_1", Opaque)
        .build()
        .unwrap()
}

/// How many allocations so many calls make, on this thread, which is the only one.
fn allocations(mut call: impl FnMut()) -> u64 {
    call(); // The first sets up what each thread has of its own.
    measure(|| (0..CALLS).for_each(|_| call())).count_total
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

#[test]
fn a_borrowed_hit_allocates_nothing() {
    let client = client();
    let handle = client.audience(BANKING);
    runtime()
        .block_on(client.get_access_token(BANKING))
        .unwrap();
    let header = || drop(handle.current().unwrap().header_value().clone());
    assert_eq!(allocations(|| drop(handle.current().unwrap())), 0);
    assert_eq!(allocations(|| drop(client.current(BANKING).unwrap())), 0);
    assert_eq!(allocations(header), 0);
}

#[test]
fn an_owned_hit_allocates_nothing() {
    let client = client();
    let handle = client.audience(BANKING);
    let scoped = TokenRequest::new(BANKING.to_owned()).scope("read:transactions");
    let (one, two, three, four) = runtime().block_on(async {
        client.get_access_token(BANKING).await.unwrap();
        client.get_access_token(&scoped).await.unwrap();
        // Inside one `block_on`, which allocates by itself.
        let (mut one, mut two, mut three, mut four) = (0, 0, 0, 0);
        for _ in 0..CALLS {
            one += awaited(client.get_access_token(BANKING)).await;
            two += awaited(client.get_access_token(&scoped)).await;
            three += awaited(handle.get_access_token()).await;
            four += awaited(TokenSource::get(&client, TokenRequest::from(&scoped))).await;
            four += awaited(TokenSource::get(&handle, BANKING.into())).await;
        }
        (one, two, three, four)
    });
    assert_eq!((one, two, three, four), (0, 0, 0, 0));
}

/// The allocations of one call that is ready at once.
async fn awaited<T>(call: impl Future<Output = Result<T, Error>>) -> u64 {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|cx| {
        let mut poll = std::task::Poll::Pending;
        let info = measure(|| poll = call.as_mut().poll(cx));
        match poll {
            std::task::Poll::Ready(Ok(_)) => std::task::Poll::Ready(info.count_total),
            _ => panic!("a cached call was not ready"),
        }
    })
    .await
}

#[test]
fn the_eight_hundredth_scope_set_costs_no_more_than_the_fiftieth() {
    let client = client();
    let mut handles = Vec::with_capacity(1000);
    let mut cost = |n: usize| {
        let request = TokenRequest::new(BANKING).scope(format!("set:{n:04}"));
        measure(|| handles.push(client.audience(request))).bytes_total
    };
    let costs: Vec<_> = (0..=800).map(&mut cost).collect();
    let (fiftieth, eight_hundredth) = (costs[50], costs[800]);
    assert!(
        eight_hundredth <= 2 * fiftieth,
        "{fiftieth} B, then {eight_hundredth} B"
    );
}

#[test]
fn a_client_that_is_built_sets_up_no_tls() {
    let built = measure(|| {
        let client = Client::for_application("https://tenant.example", "app_1");
        drop(client.build().unwrap());
    });
    // The system's certificates alone take several times as much.
    assert!(built.bytes_total < 128 * 1024, "{} B", built.bytes_total);
}

/// The last of the middlewares: there is no network below it.
struct Answering;

/// Hands everything on.
struct Empty;

type Answer<'a> = std::pin::Pin<
    Box<dyn Future<Output = reqwest_middleware::Result<reqwest::Response>> + Send + 'a>,
>;

impl reqwest_middleware::Middleware for Answering {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        _: reqwest::Request,
        _: &'b mut http::Extensions,
        _: reqwest_middleware::Next<'c>,
    ) -> Answer<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        use reqwest::ResponseBuilderExt as _;
        let url = "https://api.example/".parse().unwrap();
        let answer = http::Response::builder().url(url).body("").unwrap();
        Box::pin(async { Ok(answer.into()) })
    }
}

impl reqwest_middleware::Middleware for Empty {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        request: reqwest::Request,
        extensions: &'b mut http::Extensions,
        next: reqwest_middleware::Next<'c>,
    ) -> Answer<'d>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(async move { next.run(request, extensions).await })
    }
}

#[test]
fn a_call_through_the_middleware_allocates_one_copy_of_its_request_and_nothing_else() {
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = client();
    let through = |middleware: std::sync::Arc<dyn reqwest_middleware::Middleware>| {
        let http = reqwest_middleware::ClientBuilder::new(plain.clone());
        http.with_arc(middleware).with(Answering).build()
    };
    let ours = client.middleware().api("https://api.example", BANKING);
    let (empty, ours) = (
        through(std::sync::Arc::new(Empty)),
        through(std::sync::Arc::new(ours)),
    );
    let request = || plain.get("https://api.example/").header("accept", "*/*");
    let runtime = runtime();
    let called = |http: &reqwest_middleware::ClientWithMiddleware| {
        let request = request().build().unwrap();
        runtime.block_on(http.execute(request)).unwrap();
    };
    called(&ours);
    let copied = {
        let request = request().build().unwrap();
        // The header that is put in is a clone, and a map that is full already grows for it.
        measure(|| {
            let mut copy = request.try_clone().unwrap();
            let value = http::HeaderValue::from_static("Bearer x");
            copy.headers_mut().insert("authorization", value);
        })
        .count_total
    };
    let (empty, ours) = (
        allocations(|| called(&empty)),
        allocations(|| called(&ours)),
    );
    assert!(
        ours <= empty + CALLS as u64 * copied,
        "{ours} {empty} {copied}"
    );
}
