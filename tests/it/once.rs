//! Any number of callers of the same key cause one request.

use crate::support::Server;

#[tokio::test]
async fn a_second_call_is_answered_from_the_cache() {
    let server = Server::start().await;
    server.token().grants(300).expect(1).mount().await;
    let client = server.client().build().unwrap();
    let first = client.get_access_token("api").await.unwrap();
    let second = client.get_access_token("api").await.unwrap();
    assert_eq!(first.secret(), second.secret());
    assert_eq!(first.source().to_string(), "issuer");
    assert_eq!(second.source().to_string(), "cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_cold_callers_make_one_request() {
    let server = Server::start().await;
    let delay = std::time::Duration::from_millis(100);
    server
        .token()
        .grants(300)
        .delayed(delay)
        .expect(1)
        .mount()
        .await;
    let client = server.client().build().unwrap();
    let calls: Vec<_> = (0..10_000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get_access_token("api").await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().secret(), "token-1");
    }
    assert_eq!(server.count_at(crate::support::DISCOVERY_PATH).await, 1);
}
