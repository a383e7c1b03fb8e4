//! Sessions in files, as one process sees them.

use std::{fs, path::Path, sync::Arc, time::Duration};

use intelliauth::{FileStore, SessionStore, StoreErrorKind};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{alice, conformance, kept, record};

/// A directory above that of the store, so that the store makes its own.
pub(crate) fn above() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn store_in(above: &Path) -> FileStore {
    FileStore::in_directory(above.join("sessions"))
}

/// The names of what is in the store's directory, in order.
pub(crate) fn names_in(above: &Path) -> Vec<String> {
    let entries = fs::read_dir(above.join("sessions")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_a_store() {
    let above = above();
    let number = std::cell::Cell::new(0);
    conformance::holds_for(|| {
        number.set(number.get() + 1);
        FileStore::in_directory(above.path().join(number.get().to_string()))
    })
    .await;
}

#[tokio::test]
async fn another_store_in_the_same_directory_finds_what_is_there_and_respects_its_locks() {
    let above = above();
    let held = store_in(above.path()).lock(&alice(), Duration::ZERO).await;
    let held = held.unwrap();
    let first = store_in(above.path());
    first.save(&alice(), &record("kept")).await.unwrap();

    let second = store_in(above.path());
    assert_eq!(kept(&second).await.unwrap(), b"kept");
    let error = second.lock(&alice(), Duration::from_millis(10)).await;
    let error = error.unwrap_err();
    let lock = format!("{}.lock", alice().digest());
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(error.to_string().contains(&lock), "{error}");
    assert!(
        error.next_move().contains(&lock),
        "names the lock file and what to do"
    );
    drop(held);
    drop(second.lock(&alice(), Duration::ZERO).await.unwrap());
}

#[tokio::test]
async fn names_of_files_say_nothing_about_people() {
    let above = above();
    let store = store_in(above.path());
    drop(store.lock(&alice(), Duration::ZERO).await.unwrap());
    store.save(&alice(), &record("kept")).await.unwrap();
    let digest = alice().digest();
    assert_eq!(
        names_in(above.path()),
        [format!("{digest}.json"), format!("{digest}.lock")],
        "the lock is never deleted, and nothing else is left"
    );
}

#[tokio::test]
async fn looking_for_a_session_makes_nothing() {
    let above = above();
    assert_eq!(kept(&store_in(above.path())).await, None);
    store_in(above.path()).set_aside(&alice()).await.unwrap();
    assert!(!above.path().join("sessions").exists());
}

#[tokio::test]
async fn every_damaged_record_is_kept() {
    let above = above();
    let store = store_in(above.path());
    let damaged = ["damaged", "damaged again", "and again"];
    for content in damaged {
        store.save(&alice(), &record(content)).await.unwrap();
        store.set_aside(&alice()).await.unwrap();
    }
    let prefix = format!("{}.damaged-", alice().digest());
    let names = names_in(above.path());
    assert!(
        names.iter().all(|name| name.starts_with(&prefix)),
        "{names:?}"
    );
    let mut contents: Vec<String> = names
        .iter()
        .map(|name| fs::read_to_string(above.path().join("sessions").join(name)).unwrap())
        .collect();
    contents.sort();
    let mut expected = damaged;
    expected.sort_unstable();
    assert_eq!(contents, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_locks_again_and_again_lets_others_in() {
    let above = above();
    let greedy = store_in(above.path());
    let is_over = Arc::new(());
    let until = Arc::downgrade(&is_over);
    let greedy = tokio::spawn(async move {
        while until.strong_count() > 0 {
            let held = greedy
                .lock(&alice(), Duration::from_secs(60))
                .await
                .unwrap();
            tokio::task::yield_now().await;
            drop(held);
        }
    });
    let modest = store_in(above.path());
    for _ in 0..10 {
        let held = modest.lock(&alice(), Duration::from_secs(5)).await;
        drop(held.unwrap());
    }
    drop(is_over);
    greedy.await.unwrap();
}

#[test]
fn a_write_that_began_is_finished_before_the_runtime_ends() {
    let above = above();
    let store = store_in(above.path());
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let (key, content) = (alice(), record("begun"));
        let mut save = Box::pin(store.save(&key, &content));
        let began = std::future::poll_fn(|cx| {
            let _ = save.as_mut().poll(cx);
            std::task::Poll::Ready(())
        });
        began.await;
        // It is under way once what it writes has a name.
        let directory = above.path().join("sessions");
        while !fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some()) {
            tokio::task::yield_now().await;
        }
    });
    drop(runtime);
    let found = Runtime::new().unwrap().block_on(kept(&store));
    assert_eq!(found.unwrap(), b"begun");
}
