//! Sessions in files, as one process sees them.

use std::{
    fs,
    future::{Future, poll_fn},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    task::Poll,
    time::Duration,
};

use intelliauth::{FileStore, SessionStore, StoreErrorKind};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use super::{alice, conformance, kept, record};

/// Long enough for any turn to come.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A process that redeems for one audience after the other.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_locks_again_and_again_lets_others_in() {
    let above = above();
    let turns = Arc::new(AtomicU32::new(0));
    let (store, counter) = (store_in(above.path()), Arc::clone(&turns));
    let greedy = tokio::spawn(async move {
        loop {
            let held = store.lock(&alice(), PATIENCE).await.unwrap();
            // What a redemption takes.
            sleep(Duration::from_millis(10)).await;
            counter.fetch_add(1, Ordering::Relaxed);
            drop(held);
        }
    });
    let modest = store_in(above.path());
    let mut turns_of_the_other = 0;
    for _ in 0..10 {
        let before = turns.load(Ordering::Relaxed);
        while turns.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        drop(modest.lock(&alice(), PATIENCE).await.unwrap());
        turns_of_the_other += turns.load(Ordering::Relaxed) - before;
    }
    greedy.abort();
    assert!(
        turns_of_the_other < 100,
        "{turns_of_the_other} turns of one for ten of the other"
    );
}

#[test]
fn a_write_that_nobody_awaits_any_more_keeps_its_lock_until_it_is_done() {
    let above = above();
    let store = store_in(above.path());
    let busy = Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (let_go, until_let_go) = mpsc::channel::<()>();
    busy.block_on(async {
        let key = alice();
        let held = store.lock(&key, PATIENCE).await.unwrap();
        tokio::task::spawn_blocking(move || until_let_go.recv());
        let late = record("late");
        let mut given_up = Box::pin(store.save(&key, &late));
        poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx).is_ready())).await;
        drop(given_up);
        drop(held);
    });

    Runtime::new().unwrap().block_on(async {
        let other = store_in(above.path());
        let error = other.lock(&alice(), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Locked);
        drop(let_go);
        let held = other.lock(&alice(), PATIENCE).await.unwrap();
        assert_eq!(kept(&other).await.unwrap(), b"late");
        other.save(&alice(), &record("newer")).await.unwrap();
        drop(held);
    });
    drop(busy);
    let found = Runtime::new().unwrap().block_on(kept(&store));
    assert_eq!(found.unwrap(), b"newer");
}

#[test]
fn a_write_that_began_is_finished_before_the_runtime_ends() {
    let above = above();
    let store = store_in(above.path());
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let (key, content) = (alice(), record("begun"));
        let mut save = Box::pin(store.save(&key, &content));
        poll_fn(|cx| Poll::Ready(save.as_mut().poll(cx).is_ready())).await;
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
