//! What is kept: many callers at one time.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{sync::Barrier, task::JoinSet, time::sleep};

use super::subject::{Handle, Outcome, Subject, ensure, family, record, record_of, seen};
use crate::store::{Saved, SessionKey, SessionRecord, SessionStore, Version};

/// How many save at one time.
const WRITERS: usize = 8;

/// Often enough that a store which compares first and replaces later is caught.
const ROUNDS: usize = 5;

/// More than there are others that save meanwhile.
const TRIES: usize = 100;

/// What a save does in the background after its caller gave up has the time to be seen.
const SETTLED: Duration = Duration::from_millis(50);

pub(super) async fn one_wins<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (key, reader) = (subject.key(), subject.open());
    let mut there = None;
    for _ in 0..ROUNDS {
        let winners = race(&subject, &key, there).await?;
        let [winner] = winners[..] else {
            return seen(format!("{} of {WRITERS} were `Saved`", winners.len()));
        };
        there = reader.version(&key).await?;
        ensure(
            there == Some(winner),
            "another record was there than the one that was `Saved`",
        )?;
    }
    Ok(())
}

/// The versions of those that were saved.
async fn race<S: SessionStore>(
    subject: &Arc<Subject<S>>,
    key: &SessionKey,
    replacing: Option<Version>,
) -> Outcome<Vec<Version>> {
    let start = Arc::new(Barrier::new(WRITERS));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, key, start) = (subject.open(), key.clone(), Arc::clone(&start));
        writers.spawn(async move {
            let record = record();
            start.wait().await;
            let saved = store.save(&key, &record, replacing).await?;
            Ok((saved, record.version()))
        });
    }
    let outcomes = all(writers).await?;
    let winners = outcomes.into_iter();
    let winners = winners.filter(|(saved, _)| *saved == Saved::Saved);
    Ok(winners.map(|(_, version)| version).collect())
}

pub(super) async fn whole<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let key = subject.key();
    let mut writers = JoinSet::new();
    for _ in 0..3 {
        let (store, key) = (subject.open(), key.clone());
        writers.spawn(async move { write(&store, &key, 10).await });
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..2 {
        let (store, key, is_done) = (subject.open(), key.clone(), Arc::clone(&is_done));
        readers.spawn(async move {
            while !is_done.load(Ordering::SeqCst) {
                if let Some(found) = store.load(&key).await? {
                    ensure(is_whole(&found, store.limit()), "there was a mixture")?;
                }
                sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        });
    }
    let written = all(writers).await;
    is_done.store(true, Ordering::SeqCst);
    all(readers).await?;
    written.map(drop)
}

/// Replaces whatever is there, so many times, by records of different lengths.
async fn write<S: SessionStore>(store: &Handle<S>, key: &SessionKey, times: usize) -> Outcome {
    for _ in 0..times {
        let record = long_record(Version::drawn(fastrand::u64(..)), store.limit());
        write_over(store, key, &record).await?;
    }
    Ok(())
}

/// Replaces whatever is there.
async fn write_over<S: SessionStore>(
    store: &Handle<S>,
    key: &SessionKey,
    record: &SessionRecord,
) -> Outcome {
    for _ in 0..TRIES {
        let there = store.version(key).await?;
        if store.save(key, record, there).await? == Saved::Saved {
            return Ok(());
        }
    }
    seen(format!(
        "a save was superseded {TRIES} times although it replaced what had just been loaded"
    ))
}

/// A record whose length and content follow from its version.
fn long_record(version: Version, limit: usize) -> SessionRecord {
    let steps = usize::try_from(version.get().get() % 5).unwrap_or(0);
    record_of(version, (steps * 7919).min(limit / 2))
}

fn is_whole(found: &SessionRecord, limit: usize) -> bool {
    // When it was made is no part of it: a second may have passed.
    let filling = |record: &SessionRecord| {
        let bytes = record.as_bytes();
        let start = bytes.windows(9).position(|part| part == b"\"filling\"");
        start.map(|start| bytes[start..].to_vec())
    };
    let expected = long_record(found.version(), limit);
    found.as_bytes().len() == expected.as_bytes().len() && filling(found) == filling(&expected)
}

/// One holder is held up, or gives up, in the middle of a save; another one takes over.
pub(super) async fn late<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (slow, quick) = (subject.open(), subject.open());
    for _ in 0..ROUNDS {
        let key = subject.key();
        let old = record();
        slow.put(&key, &old, None).await?;
        let held = slow.hold(&family(&key)).await?;
        let given_up = record();
        begin(slow.0.save(&key, &given_up, Some(old.version()))).await;
        held.release().await?;

        let held = quick.hold(&family(&key)).await?;
        let newer = record();
        write_over(&quick, &key, &newer).await?;
        let late = slow.save(&key, &record(), Some(old.version())).await?;
        ensure(late == Saved::Superseded, "a late one was `Saved`")?;
        held.release().await?;
        sleep(SETTLED).await;
        let there = slow.version(&key).await?;
        ensure(
            there == Some(newer.version()),
            "what came late stood in the place of what came after it",
        )?;
    }
    Ok(())
}

/// Begins something and gives up.
pub(super) async fn begin(work: impl Future) {
    let mut work = pin!(work);
    poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_ready())).await;
}

/// What all of these came to; the first trouble of any.
pub(super) async fn all<T: Send + 'static>(mut tasks: JoinSet<Outcome<T>>) -> Outcome<Vec<T>> {
    let mut outcomes = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(outcome) => outcomes.push(outcome?),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // It is aborted by none but the end of the runtime, which this does not see either.
            Err(_ended) => {}
        }
    }
    Ok(outcomes)
}
