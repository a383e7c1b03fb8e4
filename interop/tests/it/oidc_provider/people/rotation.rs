//! Refresh tokens that rotate, at a server that ends the session when one is used twice.

use std::{sync::Arc, time::Duration};

use intelliauth::{AccessToken, Error, FileStore, ManualClock, Session, TokenRequest};
use serde_json::json;
use tokio::{sync::Barrier, task::JoinSet};

use super::{banking, both, clock, health, redemptions, sign_in};
use crate::support::{BANKING, DESKTOP, Folder, HEALTH, Person, Server, Settings, http};

/// Two clients that share nothing but a directory, as two processes do.
fn two(server: &Server, folder: &Folder, clock: Option<&ManualClock>) -> [Session; 2] {
    [(), ()].map(|()| {
        let store = FileStore::in_directory(folder.path());
        let people = server.desktop().store(store);
        let people = match clock {
            Some(clock) => people.clock(clock.clone()),
            None => people,
        };
        people.build().unwrap().default_session()
    })
}

/// So many tasks of each client ask for a token of each API at once.
async fn race(sessions: &[Session], tasks: usize) -> Vec<AccessToken> {
    let barrier = Arc::new(Barrier::new(sessions.len() * tasks * 2));
    let mut racing = JoinSet::new();
    for session in sessions {
        for position in 0..tasks * 2 {
            let (session, barrier) = (session.clone(), Arc::clone(&barrier));
            racing.spawn(async move {
                let request = [banking, health][position % 2]();
                barrier.wait().await;
                session.client().get_access_token(request).await.unwrap()
            });
        }
    }
    racing.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_for_ended_tokens_redeems_once_for_each_api_and_the_session_survives() {
    const ROUNDS: u64 = 5;
    let mut server = Server::for_people();
    let (folder, clock) = (Folder::new(), clock());
    let clients = two(&server, &folder, Some(&clock));
    sign_in(&clients[0], &Person::new("alice"), both()).await;
    for round in 1..=ROUNDS {
        clock.advance(Duration::from_secs(600));
        for token in race(&clients, 10).await {
            let audience = token.audience().as_str();
            assert!([BANKING, HEALTH].contains(&audience));
            server.verify(token.secret(), audience).await.unwrap();
        }
        // Forty calls: two requests, whichever client sent them.
        assert_eq!(redemptions(&mut server, 200), round * 2);
    }
    assert_eq!(redemptions(&mut server, 400), 0, "none was used twice");
}

/// By the machine's clock: tokens of 4 s, whose window is open for a second, under steady calls.
#[tokio::test(flavor = "multi_thread")]
async fn steady_callers_in_two_clients_outlive_many_short_tokens() {
    const LIFETIME: u64 = 4;
    let mut server = Server::with(Settings {
        lifetime: LIFETIME,
        people: true,
        ..Settings::default()
    });
    let folder = Folder::new();
    let clients = two(&server, &folder, None);
    sign_in(&clients[0], &Person::new("alice"), both()).await;
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let (mut calls, mut seen) = (0, std::collections::HashSet::new());
    while seen.len() < 10 {
        pace.tick().await;
        for token in race(&clients, 2).await {
            seen.insert(token.secret().to_owned());
            calls += 1;
        }
    }
    for session in &clients {
        session.client().close().await.unwrap();
    }
    let redeemed = redemptions(&mut server, 200);
    assert_eq!(redemptions(&mut server, 400), 0, "none was used twice");
    // One for each token: the code brought one of them, and the last may have come as we ended.
    let tokens = u64::try_from(seen.len()).unwrap();
    assert!(redeemed <= tokens + 2, "{redeemed} for {tokens} tokens");
    assert!(calls > 100, "{calls} calls are too few to prove anything");
}

/// What all of this is for: somebody else redeems the token behind our back.
#[tokio::test]
async fn a_token_that_was_used_twice_ends_the_session_and_a_sign_in_mends_it() {
    let mut server = Server::for_people();
    let (folder, alice) = (Folder::new(), Person::new("alice"));
    let [session, _] = two(&server, &folder, None);
    sign_in(&session, &alice, both()).await;
    let stolen = refresh_token(&folder);
    assert_eq!(redeem(&server, &stolen).await, 200);

    let error = session
        .client()
        .get_access_token(health())
        .await
        .unwrap_err();
    assert_eq!(error.answer().unwrap().code(), Some("invalid_grant"));
    let Error::Login(login) = error else {
        panic!("{error}")
    };
    assert_eq!(redemptions(&mut server, 400), 1, "it is not tried again");
    let (page, pending) = login.authorization_url(super::CALLBACK).unwrap();
    let visit = alice.approve(&page).await;
    session
        .finish_sign_in(&pending, visit.callback())
        .await
        .unwrap();
    session.client().get_access_token(health()).await.unwrap();
    session.client().get_access_token(banking()).await.unwrap();
    // What the first sign-in covered was asked for with it.
    session
        .client()
        .get_access_token(TokenRequest::new(BANKING))
        .await
        .unwrap();
}

#[tokio::test]
async fn signing_out_revokes_the_refresh_token_there() {
    let mut server = Server::for_people();
    let (folder, alice) = (Folder::new(), Person::new("alice"));
    let clock = clock();
    let [session, other] = two(&server, &folder, Some(&clock));
    sign_in(&session, &alice, both()).await;
    session.client().get_access_token(health()).await.unwrap();
    let refresh_token = refresh_token(&folder);
    session.sign_out().await.unwrap();
    let revoked = json!({"status": 200});
    assert_eq!(server.count("/token/revocation", &revoked), 1);
    assert_eq!(redeem(&server, &refresh_token).await, 400);
    for session in [&session, &other] {
        let error = session
            .client()
            .get_access_token(health())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        assert_eq!(session.account().await.unwrap(), None);
    }
    // The browser is signed in there still: the person consents, and is back.
    let (_, visit) = sign_in(&session, &alice, both()).await;
    assert_eq!(visit.headings(), ["Authorize"]);
    // The other client looks at the directory once a second.
    clock.advance(Duration::from_secs(1));
    other.client().get_access_token(health()).await.unwrap();
}

/// The server keeps one grant for each browser and client, and revocation ends that.
#[tokio::test]
async fn two_sessions_of_one_person_share_a_grant_there_and_end_together() {
    let server = Server::for_people();
    let alice = Person::new("alice");
    let people = server.desktop().build().unwrap();
    let (work, home) = (people.session("work"), people.session("home"));
    for session in [&work, &home] {
        sign_in(session, &alice, both()).await;
    }
    work.sign_out().await.unwrap();
    let error = home.client().get_access_token(health()).await.unwrap_err();
    assert_eq!(error.answer().unwrap().code(), Some("invalid_grant"));
    assert!(matches!(error, Error::Login(_)), "{error}");
}

/// The refresh token in the only session of the folder, as a thief would find it.
fn refresh_token(folder: &Folder) -> String {
    let mut names = std::fs::read_dir(folder.path()).unwrap();
    let is_record = |path: &std::path::Path| path.extension().is_some_and(|end| end == "json");
    let record = names.find_map(|entry| Some(entry.unwrap().path()).filter(|path| is_record(path)));
    let record = std::fs::read(record.unwrap()).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let token = &record["signed_in"]["families"][0]["refresh_token"];
    token.as_str().unwrap().to_owned()
}

/// Redeems it by hand; the status of the answer.
async fn redeem(server: &Server, refresh_token: &str) -> u16 {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("client_id", DESKTOP)
        .append_pair("refresh_token", refresh_token)
        .append_pair("resource", BANKING)
        .finish();
    let request = http().post(format!("{}/token", server.issuer));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap().status().as_u16()
}
