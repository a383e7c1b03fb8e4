//! Callers that give up, programs that end, and runtimes that nobody drives.

use std::time::Duration;

use intelliauth::{MemoryStore, TokenRequest};
use intelliauth_emulator::sample;
use serde_json::json;

use super::{
    ask,
    held_up::{HeldUp, Tenant, banking},
};
use crate::support::{
    Server,
    person::{BANKING, HEALTH},
};

#[tokio::test]
async fn every_caller_gone_the_rotated_token_is_kept() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server.sign_in(&session).await;
    server
        .rotates("R0", "R1")
        .delayed(Duration::from_millis(100))
        .expect(1)
        .mount()
        .await;
    server.refresh("R1").expect(1).mount().await;
    let call = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, BANKING).await }
    });
    server.arrived(2).await;
    call.abort();
    let _ = call.await;
    session.client().get_access_token(HEALTH).await.unwrap();
}

#[test]
fn a_program_that_ends_right_after_a_hit_in_the_window_keeps_its_session() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || {
        server
            .person()
            .store(store.clone())
            .build()
            .unwrap()
            .default_session()
    };
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .grants(300)
            .times(1)
            .mount()
            .await;
        server
            .rotates("R1", "R2")
            .delayed(Duration::from_millis(300))
            .expect(1)
            .mount()
            .await;
        server.refresh("R2").expect(1).mount().await;
    });
    let program = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    program.block_on(async {
        let session = build();
        session.client().get_access_token(BANKING).await.unwrap();
        server.advance(250.0);
        session.client().get_access_token(BANKING).await.unwrap();
        server.arrived(3).await;
    });
    // The end of `main`.
    drop(program);
    outer.block_on(async {
        build().client().get_access_token(HEALTH).await.unwrap();
    });
    drop(server);
}

#[tokio::test]
async fn a_sign_in_whose_caller_has_gone_is_kept() {
    let server = Server::for_people().await;
    let session = server.person().build().unwrap().default_session();
    server
        .token()
        .with_parameter("code", "code-0")
        .member("refresh_token", json!("R0"))
        .delayed(Duration::from_millis(100))
        .grants(1)
        .mount()
        .await;
    server.refresh("R0").expect(1).mount().await;
    let login = intelliauth::AuthorizationCode::redirect_to(crate::support::person::REDIRECT)
        .request(TokenRequest::new(BANKING).scope("read"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let callback = crate::support::person::callback(&url, "code-0");
    let finishing = tokio::spawn({
        let session = session.clone();
        async move {
            session
                .finish_sign_in(&pending, &callback)
                .await
                .map(|_| ())
        }
    });
    server.arrived(1).await;
    finishing.abort();
    let _ = finishing.await;
    session.client().close().await.unwrap();
    session.client().get_access_token(BANKING).await.unwrap();
}

#[test]
fn a_program_that_gives_up_and_ends_keeps_its_session() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || {
        server
            .person()
            .store(store.clone())
            .build()
            .unwrap()
            .default_session()
    };
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .delayed(Duration::from_millis(300))
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
    });
    let program = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    program.block_on(async {
        let session = build();
        let call = tokio::spawn(async move { ask(&session, BANKING).await });
        server.arrived(2).await;
        call.abort();
    });
    // The end of `main`.
    drop(program);
    outer.block_on(async {
        build().client().get_access_token(HEALTH).await.unwrap();
    });
    drop(server);
}

#[test]
fn a_runtime_that_nobody_drives_keeps_nobody_waiting() {
    let store = MemoryStore::new();
    let outer = tokio::runtime::Runtime::new().unwrap();
    let server = outer.block_on(Server::for_people());
    let build = || {
        server
            .person()
            .store(store.clone())
            .build()
            .unwrap()
            .default_session()
    };
    outer.block_on(async {
        server.sign_in(&build()).await;
        server
            .rotates("R0", "R1")
            .delayed(Duration::from_millis(100))
            .expect(1)
            .mount()
            .await;
        server.refresh("R1").expect(1).mount().await;
    });
    let undriven = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    undriven.block_on(async {
        let session = build();
        tokio::spawn(async move { ask(&session, BANKING).await });
        server.arrived(2).await;
    });
    outer.block_on(async {
        build().client().get_access_token(HEALTH).await.unwrap();
    });
    drop((undriven, server));
}

#[tokio::test]
async fn a_sign_out_whose_caller_has_gone_is_finished() {
    let tenant = Tenant::start().await;
    let store = HeldUp::new(MemoryStore::new());
    let session = tenant.session(store.clone());
    tenant.sign_in(&session, sample::ALICE, &[banking()]).await;
    store.hold_up_after(0);
    let signing_out = tokio::spawn({
        let session = session.clone();
        async move { session.sign_out().await }
    });
    store.arrived().await;
    signing_out.abort();
    let _ = signing_out.await;
    store.go_on();
    session.client().close().await.unwrap();
    let other = tenant.session(store.store.clone());
    assert_eq!(other.account().await.unwrap(), None);
    assert_eq!(tenant.emulator.count("/oauth2/revoke"), 1);
}
