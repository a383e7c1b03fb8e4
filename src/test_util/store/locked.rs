//! Who holds a lock.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::{JoinSet, yield_now},
};

use super::{
    raced::{all, begin},
    subject::{Outcome, PATIENCE, Subject, ensure, family, family_of, record, seen},
};
use crate::store::{FamilyKey, SessionStore};

/// How many take turns, and how often each.
const HOLDERS: usize = 6;
const TURNS: usize = 3;

pub(super) async fn excludes<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    let held = one.hold(&family).await?;
    for store in [&one, &two] {
        let second = store.lock(&family, Duration::ZERO).await?;
        ensure(second.is_none(), "a second holder had it at once")?;
    }
    held.release().await?;

    let inside = Arc::new(AtomicUsize::new(0));
    let mut holders = JoinSet::new();
    for _ in 0..HOLDERS {
        let (store, family, inside) = (subject.open(), family.clone(), Arc::clone(&inside));
        holders.spawn(async move {
            for _ in 0..TURNS {
                let held = store.hold(&family).await?;
                let others = inside.fetch_add(1, Ordering::SeqCst);
                // Something to do, in which another one may come.
                store.load(family.session()).await?;
                yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                ensure(others == 0, "two tasks held it at one time")?;
                held.release().await?;
            }
            Ok(())
        });
    }
    all(holders).await.map(drop)
}

pub(super) async fn waits<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    let held = one.hold(&family).await?;
    let waiting = async {
        let lock = two.lock(&family, PATIENCE).await?;
        match lock {
            Some(lock) => lock.release().await,
            None => seen("it was `Locked` for a minute"),
        }
    };
    let releasing = async {
        yield_now().await;
        held.release().await
    };
    let (waited, released) = tokio::join!(waiting, releasing);
    released.and(waited)?;
    // Without end, which some clocks cannot add up.
    let without_end = one.lock(&family, Duration::MAX).await?;
    ensure(without_end.is_some(), "a patience without end was none")
}

pub(super) async fn gives_up<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    let held = one.hold(&family).await?;
    for patience in [Duration::ZERO, Duration::from_millis(50)] {
        let second = two.lock(&family, patience).await?;
        ensure(second.is_none(), "it was had although it was held")?;
    }
    held.release().await
}

pub(super) async fn is_held<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let held = subject.open().hold(&family(&subject.key())).await?;
    let says_so = held.is_held().await?;
    held.release().await?;
    ensure(says_so, "it said that it was lost")
}

pub(super) async fn released<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    for (first, second) in [(&one, &two), (&two, &one), (&one, &one)] {
        let Some(held) = first.lock(&family, Duration::ZERO).await? else {
            return seen("it was still `Locked` then");
        };
        held.release().await?;
        let Some(held) = second.lock(&family, Duration::ZERO).await? else {
            return seen("it was still `Locked` then");
        };
        held.release().await?;
    }
    Ok(())
}

pub(super) async fn dropped<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    drop(one.hold(&family).await?);
    free(two.lock(&family, PATIENCE).await?.is_some())
}

pub(super) async fn cancelled<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, family) = (subject.open(), subject.open(), family(&subject.key()));
    let (tell, told) = oneshot::channel();
    let holder = tokio::spawn({
        let family = family.clone();
        async move {
            let held = one.hold(&family).await;
            let is_held = held.is_ok();
            // What waits for this goes on without it.
            let _ = tell.send(held.as_ref().err().map(|_| ()));
            if is_held {
                pending::<()>().await;
            }
            held.map(drop)
        }
    });
    let _ = told.await;
    if !holder.is_finished() {
        // A caller that gives up while it waits leaves nothing behind either.
        begin(two.0.lock(&family, PATIENCE)).await;
        holder.abort();
    }
    match holder.await {
        Ok(outcome) => outcome?,
        Err(ended) if ended.is_cancelled() => {}
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
    for _ in 0..TURNS {
        begin(two.0.lock(&family, PATIENCE)).await;
        let Some(held) = two.lock(&family, PATIENCE).await? else {
            return free(false);
        };
        held.release().await?;
    }
    Ok(())
}

fn free(is_free: bool) -> Outcome {
    ensure(is_free, "it was still `Locked` after a minute")
}

pub(super) async fn families<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (store, key) = (subject.open(), subject.key());
    let families: [FamilyKey; 6] = [
        family(&key),
        family_of(&key, "api.example"),
        family_of(&key, "API.example"),
        family_of(&key, "https://api.example/"),
        family(&subject.key()),
        family_of(&subject.key(), "api.example"),
    ];
    let mut held = Vec::new();
    for family in &families {
        match store.lock(family, Duration::ZERO).await? {
            Some(lock) => held.push(lock),
            None => return seen(format!("this one was `Locked` by others: {family:?}")),
        }
    }
    for lock in held {
        lock.release().await?;
    }
    Ok(())
}

pub(super) async fn saving<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let held = one.hold(&family(&key)).await?;
    let record = record();
    two.put(&key, &record, None).await?;
    held.release().await?;
    let there = one.version(&key).await?;
    ensure(there == Some(record.version()), "it was not there")
}
