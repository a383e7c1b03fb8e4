//! Starting, stopping, many at once.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use intelliauth_emulator::{Config, Emulator, Fault, StartError, sample};

use crate::support::{World, sample_world};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn is_open(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_emulators_run_side_by_side() {
    let starts: Vec<_> = (0..50).map(|_| tokio::spawn(sample_world())).collect();
    let mut issuers = std::collections::BTreeSet::new();
    let mut worlds = Vec::new();
    for start in starts {
        let world = start.await.unwrap();
        issuers.insert(world.emulator.issuer().to_owned());
        worlds.push(world);
    }
    assert_eq!(issuers.len(), 50);
    for world in &worlds {
        world.banking_token().await;
        assert_eq!(world.emulator.token_requests(), 1);
    }
}

#[tokio::test]
async fn dropping_closes_the_port_and_every_connection() {
    let world = sample_world().await;
    let address = world.emulator.address();
    let kept_alive = world.get("/.well-known/jwks.json").await;
    assert_eq!(kept_alive.status, 200);
    assert!(is_open(address));
    drop(world.emulator);
    assert!(!is_open(address));
    TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn stopping_does_the_same_and_waits() {
    let world = sample_world().await;
    let address = world.emulator.address();
    world.emulator.stop().await;
    assert!(!is_open(address));
}

#[tokio::test]
async fn a_delayed_reply_does_not_hold_up_the_stop() {
    let world = sample_world().await;
    world
        .emulator
        .fault(Fault::delay(Duration::from_secs(3600)));
    let address = world.emulator.address();
    let url = world.emulator.url("/.well-known/jwks.json");
    let request = tokio::spawn(world.http().get(url).send());
    while world.emulator.count("/.well-known/jwks.json") == 0 {
        tokio::task::yield_now().await;
    }
    drop(world.emulator);
    assert!(!is_open(address));
    assert!(request.await.unwrap().is_err());
}

#[test]
fn it_outlives_the_runtime_that_started_it_and_is_dropped_outside_of_any() {
    let world = runtime().block_on(sample_world());
    let address = world.emulator.address();
    let reply = runtime().block_on(async {
        let fresh = World::around(world.emulator);
        let reply = fresh.get("/.well-known/jwks.json").await;
        (reply.status, fresh.emulator)
    });
    assert_eq!(reply.0, 200);
    assert!(is_open(address));
    drop(reply.1);
    assert!(!is_open(address));
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_behind() {
    let mut start = Box::pin(Emulator::builder(Config::sample()).start());
    std::future::poll_fn(|cx| {
        assert!(start.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(start);
    assert!(Emulator::start(Config::sample()).await.is_ok());
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Emulator::builder(Config::sample())
        .port(port)
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }));
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port}; choose another port, or 0 for a free one")
    );
}

#[tokio::test]
async fn the_port_can_be_chosen() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let emulator = Emulator::builder(Config::sample())
        .port(port)
        .start()
        .await
        .unwrap();
    assert_eq!(emulator.issuer(), format!("http://127.0.0.1:{port}"));
    assert_eq!(
        emulator.url("/oauth2/token"),
        format!("http://127.0.0.1:{port}/oauth2/token")
    );
}

#[tokio::test]
async fn the_clock_stamps_tokens_and_the_date_header() {
    let world = sample_world().await;
    world.emulator.advance(Duration::from_secs(86_400 * 365));
    let reply = world.token(&[("audience", sample::BANKING)]).await;
    let issued_at = reply.claims()["iat"].as_u64().unwrap();
    let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    let date = date
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(date - issued_at < 60);
    let now = world
        .emulator
        .now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(now - issued_at < 60);
}

#[tokio::test]
async fn two_thousand_requests_are_counted_exactly() {
    let world = sample_world().await;
    world.emulator.fault(Fault::empty());
    let ask = || async {
        for _ in 0..250 {
            world.get("/.well-known/jwks.json").await;
        }
    };
    tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    assert_eq!(world.emulator.count("/.well-known/jwks.json"), 2_000);
}

#[tokio::test]
async fn a_page_whose_name_was_bound_to_this_machine_owns_nothing() {
    let world = sample_world().await;
    let port = world.emulator.address().port();
    let path = format!("/api/v1/applications/{}/rotate-secret", sample::SERVICE);
    let rotate = |host: String| {
        let request = world.http().post(world.emulator.url(&path));
        let request = request.bearer_auth(sample::ADMIN_TOKEN);
        request.header("host", host).send()
    };
    for host in ["evil.example", "127.0.0.1.evil.example", "0.0.0.0"] {
        let reply = rotate(format!("{host}:{port}")).await.unwrap();
        assert_eq!(reply.status(), 421, "{host}");
    }
    assert!(world.emulator.requests().is_empty());
    for path in ["/oauth2/token", "/sign-in", "/emulator/v1/clock", "/"] {
        let request = world.http().get(world.emulator.url(path));
        let reply = request.header("host", "evil.example").send().await;
        assert_eq!(reply.unwrap().status(), 421, "{path}");
    }
    world.banking_token().await;
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let reply = rotate(format!("{host}:{port}")).await.unwrap();
        assert_eq!(reply.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn the_network_never_meets_the_public_admin_token() {
    let every = std::net::IpAddr::from([0, 0, 0, 0]);
    let start = |config: Config| Emulator::builder(config).host(every).start();
    let refused = start(Config::sample()).await.unwrap_err();
    assert!(
        matches!(refused, StartError::PublicAdminToken { address, .. } if address == every),
        "{refused}"
    );
    let own = start(Config::sample().admin_token("known-to-me-alone"))
        .await
        .unwrap();
    let world = World::around(own);
    let request = world.http().get(world.emulator.url("/api/v1/audit"));
    let named = request
        .header("host", "build-machine.example")
        .bearer_auth("known-to-me-alone");
    assert_eq!(named.send().await.unwrap().status(), 200);
}
