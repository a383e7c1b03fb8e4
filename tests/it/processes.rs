//! Several real processes over one session file.
#![cfg(all(unix, feature = "file-store"))]

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use intelliauth::{AuthorizationCode, Client, FileStore, Session, TokenRequest};
use intelliauth_emulator::{Config, Emulator, Fault, sample};

const ISSUER: &str = "INTELLIAUTH_TEST_ISSUER";
const DIRECTORY: &str = "INTELLIAUTH_TEST_DIRECTORY";

fn session(issuer: &str, directory: &std::path::Path) -> Session {
    Client::for_person(issuer, sample::NATIVE)
        .store(FileStore::in_directory(directory))
        .build()
        .unwrap()
        .default_session()
}

/// What the tests below run in processes of their own.
#[tokio::test]
async fn get_a_token_in_a_process_of_its_own() {
    let (Some(issuer), Some(directory)) = (std::env::var_os(ISSUER), std::env::var_os(DIRECTORY))
    else {
        return;
    };
    let session = session(issuer.to_str().unwrap(), directory.as_ref());
    let token = session
        .client()
        .get_access_token(sample::HEALTH)
        .await
        .unwrap();
    assert!(token.audience_is_checked());
}

fn spawn(emulator: &Emulator, directory: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::get_a_token_in_a_process_of_its_own"])
        .env(ISSUER, emulator.issuer())
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Somebody who signed in; no process has a token for the health API yet.
async fn signed_in(directory: &std::path::Path) -> Emulator {
    let emulator = Emulator::start(Config::sample()).await.unwrap();
    let session = session(emulator.issuer(), directory);
    let login = AuthorizationCode::redirect_to("http://127.0.0.1/callback")
        .request(TokenRequest::new(sample::BANKING).scope("read:transactions"))
        .request(TokenRequest::new(sample::HEALTH).scope("read:records"));
    let (url, pending) = session.begin_sign_in(login).await.unwrap();
    let alice = emulator.login_as(sample::ALICE);
    let callback = alice.approve(&url).await.unwrap();
    session
        .finish_sign_in(&pending, callback.as_str())
        .await
        .unwrap();
    emulator.clear_requests();
    emulator
}

async fn succeeded(child: Child) -> bool {
    tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .unwrap()
        .unwrap()
        .status
        .success()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_with_the_same_session_make_one_redemption() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions");
    let emulator = signed_in(&path).await;
    let children: Vec<_> = (0..8).map(|_| spawn(&emulator, &path)).collect();
    for child in children {
        assert!(succeeded(child).await);
    }
    assert_eq!(emulator.token_requests(), 1);
    let families = emulator.families();
    assert!(families.iter().all(|family| family.reuses == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_is_killed_in_a_redemption_stalls_nobody_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions");
    let emulator = signed_in(&path).await;
    // The issuer sits on the request before it looks at it: nothing is redeemed yet.
    emulator.fault(
        Fault::delay(Duration::from_secs(60))
            .grant("refresh_token")
            .times(1),
    );
    let mut holder = spawn(&emulator, &path);
    let arrived = async {
        while emulator.token_requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // A request is on record once it is answered, or when its connection is gone.
    let _ = tokio::time::timeout(Duration::from_millis(1500), arrived).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    let next = spawn(&emulator, &path);
    let done = tokio::time::timeout(crate::support::HANGS, succeeded(next));
    assert!(done.await.unwrap(), "the lock was free at once");
}
