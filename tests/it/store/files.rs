//! Sessions in files, as one process sees them.

use std::{
    fs,
    future::{Future, poll_fn},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use intelliauth::{
    FileStore, LARGEST_RECORD, Saved, SessionRecord, SessionStore, StoreErrorKind, Version,
    test_util::assert_store,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::sleep};

use super::{PATIENCE, alice, family, kept, put, record, set_aside};

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
    let directory = above.path().join("sessions");
    assert_store(move || FileStore::in_directory(&directory)).await;
}

#[tokio::test]
async fn files_are_a_store_for_a_program_of_one_thread() {
    let above = above();
    let directory = above.path().join("sessions");
    assert_store(move || FileStore::in_directory(&directory)).await;
}

#[tokio::test]
async fn another_store_in_the_same_directory_finds_what_is_there_and_respects_its_locks() {
    let above = above();
    let held = store_in(above.path()).lock(&family(), Duration::ZERO).await;
    let held = held.unwrap();
    let first = store_in(above.path());
    put(&first, &record("kept")).await.unwrap();

    let second = store_in(above.path());
    assert_eq!(kept(&second).await.unwrap(), b"kept");
    let error = second.lock(&family(), Duration::from_millis(10)).await;
    let error = error.unwrap_err();
    let lock = format!("{}.lock", alice().digest());
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(error.to_string().contains(&lock), "{error}");
    assert!(
        error.next_move().contains(&lock),
        "names the lock file and what to do"
    );
    drop(held);
    drop(second.lock(&family(), Duration::ZERO).await.unwrap());
}

#[tokio::test]
async fn names_of_files_say_nothing_about_people() {
    let above = above();
    let store = store_in(above.path());
    drop(store.lock(&family(), Duration::ZERO).await.unwrap());
    put(&store, &record("kept")).await.unwrap();
    let digest = alice().digest();
    assert_eq!(
        names_in(above.path()),
        ["json", "lock", "write.lock"].map(|ending| format!("{digest}.{ending}")),
        "locks are never deleted, and nothing else is left"
    );
}

#[tokio::test]
async fn looking_for_a_session_makes_nothing() {
    let above = above();
    assert_eq!(kept(&store_in(above.path())).await, None);
    set_aside(&store_in(above.path())).await;
    assert!(!above.path().join("sessions").exists());
}

/// A share that is not mounted for a moment: once as nothing at all, once as the directory underneath.
#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_is_away_is_no_empty_store() {
    use std::os::unix::fs::DirBuilderExt;

    for is_another_there in [false, true] {
        let above = above();
        let store = store_in(above.path());
        put(&store, &record("kept")).await.unwrap();
        let (here, away) = (above.path().join("sessions"), above.path().join("away"));
        fs::rename(&here, &away).unwrap();
        if is_another_there {
            fs::DirBuilder::new().mode(0o700).create(&here).unwrap();
        }
        let version = record("kept").version();
        let errors = [
            store.load(&alice()).await.err(),
            store.save(&alice(), &record("new"), None).await.err(),
            store.lock(&family(), Duration::ZERO).await.err(),
            store.set_aside(&alice(), version).await.err(),
            store.list(&mut |_| ()).await.err(),
        ];
        for error in errors.map(Option::unwrap) {
            assert_eq!(error.kind(), StoreErrorKind::Io, "{error}");
            assert!(error.next_move().contains("mounted"), "{error}");
        }
        assert_eq!(here.exists(), is_another_there, "none was made");
        // A program that is started now knows no other.
        assert_eq!(kept(&store_in(above.path())).await, None);
        if is_another_there {
            fs::remove_dir(&here).unwrap();
        }
        fs::rename(&away, &here).unwrap();
        assert_eq!(kept(&store).await.unwrap(), b"kept");
    }
}

#[tokio::test]
async fn every_damaged_record_is_kept() {
    let above = above();
    let store = store_in(above.path());
    let damaged = ["damaged", "damaged again", "and again"];
    for content in damaged {
        put(&store, &record(content)).await.unwrap();
        set_aside(&store).await;
    }
    let prefix = format!("{}.damaged-", alice().digest());
    let names = names_in(above.path());
    let mut contents: Vec<String> = names
        .iter()
        .filter(|name| name.starts_with(&prefix))
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
            let held = store.lock(&family(), PATIENCE).await.unwrap();
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
        drop(modest.lock(&family(), PATIENCE).await.unwrap());
        turns_of_the_other += turns.load(Ordering::Relaxed) - before;
    }
    greedy.abort();
    assert!(
        turns_of_the_other < 100,
        "{turns_of_the_other} turns of one for ten of the other"
    );
}

#[test]
fn a_write_that_began_is_finished_before_the_runtime_ends() {
    let above = above();
    let store = store_in(above.path());
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let (key, content) = (alice(), record("begun"));
        let mut save = Box::pin(store.save(&key, &content, None));
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

/// A file that another program has filled.
#[tokio::test]
async fn what_is_too_large_to_be_read_is_set_aside_or_replaced() {
    let above = above();
    let store = store_in(above.path());
    let path = above
        .path()
        .join(format!("sessions/{}.json", alice().digest()));
    for is_set_aside in [true, false] {
        put(&store, &record("kept")).await.unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(2 * LARGEST_RECORD as u64).unwrap();
        let error = store.load(&alice()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unreadable);

        let new = record("new");
        let late = record("kept").version();
        for replacing in [None, Some(late)] {
            let saved = store.save(&alice(), &new, replacing).await.unwrap();
            assert_eq!(saved, Saved::Superseded);
        }
        store.set_aside(&alice(), late).await.unwrap();
        store.load(&alice()).await.unwrap_err();

        let there = if is_set_aside {
            let unreadable = Version::UNREADABLE;
            store.set_aside(&alice(), unreadable).await.unwrap();
            None
        } else {
            Some(Version::UNREADABLE)
        };
        let saved = store.save(&alice(), &new, there).await.unwrap();
        assert_eq!(saved, Saved::Saved);
        assert_eq!(kept(&store).await.unwrap(), b"new");
    }
    let is_aside = |name: &&String| name.contains(".damaged-");
    assert_eq!(names_in(above.path()).iter().filter(is_aside).count(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_of_the_list() {
    let above = above();
    let store = store_in(above.path());
    let list = async || {
        let mut found = Vec::new();
        let mut visit = |record: SessionRecord| found.push(record.as_bytes().to_vec());
        store.list(&mut visit).await.unwrap();
        found
    };
    assert!(list().await.is_empty());
    assert!(!above.path().join("sessions").exists());

    put(&store, &record("set aside")).await.unwrap();
    set_aside(&store).await;
    put(&store, &record("kept")).await.unwrap();
    let directory = above.path().join("sessions");
    let too_large = directory.join(format!("{}.json", "0".repeat(64)));
    let file = fs::File::create(too_large).unwrap();
    file.set_len(2 * LARGEST_RECORD as u64).unwrap();
    fs::write(directory.join("notes.json"), "not of the store").unwrap();
    assert_eq!(list().await, [b"kept"]);
}

/// As a process does that is stopped in the middle of a write, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_the_one_before_it() {
    let above = above();
    let store = store_in(above.path());
    put(&store, &record("old")).await.unwrap();
    let lock = format!("sessions/{}.write.lock", alice().digest());
    let lock = fs::File::open(above.path().join(lock)).unwrap();
    lock.lock().unwrap();
    let saving = tokio::spawn({
        let store = store.clone();
        async move { put(&store, &record("new")).await }
    });
    // It has written aside, and waits.
    let is_aside = |name: &String| Path::new(name).extension().is_some_and(|end| end == "tmp");
    while !names_in(above.path()).iter().any(is_aside) {
        tokio::task::yield_now().await;
    }
    assert_eq!(kept(&store).await.unwrap(), b"old");
    lock.unlock().unwrap();
    saving.await.unwrap().unwrap();
    assert_eq!(kept(&store).await.unwrap(), b"new");
}
