//! A client is built from checked settings: each error names the setting and what to do about it.

use std::time::Duration;

use intelliauth::{BuildError, Client, ClientAuthentication, ClientBuilder};

use crate::support::{CLIENT_ID, CLIENT_SECRET, Server};

const ISSUER: &str = "https://tenant.example";

fn builder(issuer: &str) -> ClientBuilder {
    Client::for_application(issuer, CLIENT_ID).client_secret(CLIENT_SECRET)
}

fn error(builder: ClientBuilder) -> BuildError {
    builder.build().unwrap_err()
}

#[test]
fn each_wrong_setting_is_named_with_its_fix() {
    let good = || builder(ISSUER);
    let public = |method| Client::for_application(ISSUER, CLIENT_ID).client_authentication(method);
    let zero = Duration::ZERO;
    let rows = [
        ("issuer", "write it as https://", builder("")),
        ("issuer", "write it as https://", builder("tenant.example")),
        ("issuer", "use https", builder("http://tenant.example")),
        ("issuer", "https URL", builder("ftp://tenant.example")),
        (
            "issuer",
            "leave it out",
            builder("https://tenant.example?a=b"),
        ),
        (
            "issuer",
            "leave it out",
            builder("https://tenant.example#a"),
        ),
        (
            "issuer",
            "leave them out",
            builder("https://a:b@tenant.example"),
        ),
        (
            "client_id",
            "client id",
            Client::for_application(ISSUER, "").client_secret(CLIENT_SECRET),
        ),
        ("client_secret", "none at all", good().client_secret("")),
        (
            "client_authentication",
            "client_secret",
            public(ClientAuthentication::Basic),
        ),
        (
            "client_authentication",
            "client_secret",
            public(ClientAuthentication::BasicRaw),
        ),
        (
            "client_authentication",
            "client_secret",
            public(ClientAuthentication::Post),
        ),
        (
            "token_endpoint",
            "whole URL",
            good().token_endpoint("/oauth2/token"),
        ),
        (
            "token_endpoint",
            "use https",
            good().token_endpoint("http://tenant.example/token"),
        ),
        (
            "token_endpoint",
            "use https",
            good().token_endpoint("http://127.0.0.1/token"),
        ),
        (
            "token_endpoint",
            "use https",
            builder("http://127.0.0.1").token_endpoint("http://tenant.example/token"),
        ),
        ("cache_capacity", "at least one", good().cache_capacity(0)),
        ("flight_timeout", "some time", good().flight_timeout(zero)),
        ("wait_timeout", "some time", good().wait_timeout(zero)),
        ("request_timeout", "some time", good().request_timeout(zero)),
        ("connect_timeout", "some time", good().connect_timeout(zero)),
        ("proxy", "http://host:port", good().proxy("http://")),
        (
            "root_certificate",
            "PEM",
            good().root_certificate("no certificate"),
        ),
        (
            "root_certificate",
            "authority",
            good()
                .root_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ),
    ];
    for (field, fix, builder) in rows {
        let shown = format!("{builder:?}");
        let error = error(builder);
        assert_eq!(error.field(), field, "{shown}: {error}");
        assert!(error.fix().contains(fix), "{shown}: {error}");
        let text = error.to_string();
        assert!(
            text.starts_with(field) && text.ends_with(error.fix()),
            "{text}"
        );
    }
}

#[test]
fn an_issuer_on_this_machine_needs_no_encryption_and_any_other_does() {
    for good in [
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:8080/tenant",
    ] {
        assert!(builder(good).build().is_ok(), "{good}");
    }
    for bad in [
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://0.0.0.0",
        "http://192.168.0.1",
        "http://[::2]",
    ] {
        assert_eq!(error(builder(bad)).field(), "issuer", "{bad}");
    }
}

#[test]
fn building_needs_no_runtime() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let client = builder(ISSUER).build().unwrap();
    assert_eq!((client.issuer(), client.client_id()), (ISSUER, CLIENT_ID));
    let _handle = client.audience("api");
    assert!(client.current("api").is_none());
}

#[tokio::test]
async fn building_sends_nothing() {
    let server = Server::start().await;
    let client = server.client().build().unwrap();
    let _handle = client.audience("api");
    assert!(client.current("api").is_none());
    client.close().await.unwrap();
    let requests = server.mock.received_requests().await.unwrap();
    assert!(requests.is_empty(), "{requests:?}");
}
