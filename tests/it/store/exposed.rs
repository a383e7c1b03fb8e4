//! Files that other users could read or replace are refused, and the error says what to run.

use std::{
    error::Error as StdError,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use intelliauth::{FileStore, SessionStore, StoreError, StoreErrorKind};

use super::{
    alice, family,
    files::{above, store_in},
    kept, put, record,
};
use crate::support::leak::Leaks;

const CONTENT: &str = r#"hushed "refresh" token /\ a+b%c"#;

/// A store with a record and a lock in it.
async fn filled(above: &Path) -> FileStore {
    let store = store_in(above);
    drop(store.lock(&family(), Duration::ZERO).await.unwrap());
    put(&store, &record(CONTENT)).await.unwrap();
    store
}

fn file(above: &Path, ending: &str) -> PathBuf {
    above
        .join("sessions")
        .join(format!("{}.{ending}", alice().digest()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What everything that touches a record answers.
async fn answers(store: &FileStore) -> [Option<StoreError>; 2] {
    [
        store.load(&alice()).await.err(),
        store.save(&alice(), &record(CONTENT), None).await.err(),
    ]
}

#[track_caller]
fn assert_refused(answer: Option<StoreError>) -> StoreError {
    let error = answer.unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Insecure, "{error}");
    let shown = format!(
        "{error} {error:?} {} {:?}",
        error.next_move(),
        error.source()
    );
    Leaks::of(&[CONTENT]).refuse("a refusal", &shown);
    error
}

#[tokio::test]
async fn what_the_store_makes_is_for_its_user_alone() {
    let above = above();
    let store = FileStore::in_directory(above.path().join("between").join("sessions"));
    drop(store.lock(&family(), Duration::ZERO).await.unwrap());
    put(&store, &record(CONTENT)).await.unwrap();
    put(&store, &record(CONTENT)).await.unwrap();
    let between = above.path().join("between");
    assert_eq!(mode(&between), 0o700);
    assert_eq!(mode(&between.join("sessions")), 0o700);
    for ending in ["json", "lock"] {
        assert_eq!(mode(&file(&between, ending)), 0o600, "{ending}");
    }
}

#[tokio::test]
async fn a_record_with_rights_for_others_is_refused_until_they_are_taken_away() {
    for open in [0o644, 0o640, 0o602, 0o610] {
        let above = above();
        let store = filled(above.path()).await;
        let path = file(above.path(), "json");
        set_mode(&path, open);
        for answer in answers(&store).await {
            let error = assert_refused(answer);
            let command = error.next_move();
            let command = command.strip_prefix("run: ").unwrap();
            assert!(command.starts_with("chmod 600 "), "{command}");
        }
        let next_move = assert_refused(store.load(&alice()).await.err()).next_move();
        run(&next_move);
        assert_eq!(kept(&store).await.unwrap(), CONTENT.as_bytes());
    }
}

#[tokio::test]
async fn a_directory_with_rights_for_others_is_refused_until_they_are_taken_away() {
    let above = above();
    let store = filled(above.path()).await;
    set_mode(&above.path().join("sessions"), 0o755);
    for answer in answers(&store).await {
        assert_refused(answer);
    }
    assert_refused(
        store
            .set_aside(&alice(), record(CONTENT).version())
            .await
            .err(),
    );
    let error = assert_refused(store.lock(&family(), Duration::ZERO).await.err());
    run(&error.next_move());
    drop(store.lock(&family(), Duration::ZERO).await.unwrap());
    assert_eq!(kept(&store).await.unwrap(), CONTENT.as_bytes());
}

/// Runs the command that an error names.
fn run(next_move: &str) {
    let command = next_move.strip_prefix("run: ").unwrap();
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

#[tokio::test]
async fn a_link_in_place_of_a_record_is_refused_and_what_it_leads_to_left_alone() {
    let above = above();
    let store = filled(above.path()).await;
    let path = file(above.path(), "json");
    let elsewhere = above.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    for answer in answers(&store).await {
        let error = assert_refused(answer);
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), CONTENT.as_bytes());

    fs::remove_file(&elsewhere).unwrap();
    for answer in answers(&store).await {
        assert_refused(answer);
    }
    assert!(!elsewhere.exists(), "nothing was made through the link");
}

#[tokio::test]
async fn a_link_in_place_of_the_directory_is_refused() {
    let above = above();
    filled(above.path()).await;
    let linked = above.path().join("linked");
    symlink(above.path().join("sessions"), &linked).unwrap();
    let store = FileStore::in_directory(&linked);
    for answer in answers(&store).await {
        assert_refused(answer);
    }
    assert_refused(store.lock(&family(), Duration::ZERO).await.err());
}

#[tokio::test]
async fn a_lock_that_others_can_hold_is_refused() {
    let above = above();
    let store = filled(above.path()).await;
    let path = file(above.path(), "lock");
    set_mode(&path, 0o666);
    let error = assert_refused(store.lock(&family(), Duration::ZERO).await.err());
    run(&error.next_move());
    drop(store.lock(&family(), Duration::ZERO).await.unwrap());

    fs::remove_file(&path).unwrap();
    symlink(above.path().join("elsewhere"), &path).unwrap();
    assert_refused(store.lock(&family(), Duration::ZERO).await.err());
    assert!(!above.path().join("elsewhere").exists());
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_nobody_waits_for_it() {
    let above = above();
    let store = filled(above.path()).await;
    let path = file(above.path(), "json");
    fs::remove_file(&path).unwrap();
    let status = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&path)
        .status();
    assert!(status.unwrap().success());
    for answer in answers(&store).await {
        assert_refused(answer);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for answer in answers(&store).await {
        assert_refused(answer);
    }
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_refused() {
    let above = above();
    fs::write(above.path().join("sessions"), "").unwrap();
    for answer in answers(&store_in(above.path())).await {
        assert_refused(answer);
    }
}
