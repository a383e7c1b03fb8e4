//! What a store announces, and what it lives on.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Builder, time::timeout};

use super::subject::{Handle, Outcome, Subject, ensure, family, record, seen};
use crate::store::{SessionStore, StoreChange, StoreChanges};

/// How long an announcement may take, and how often it is saved again meanwhile: a store that has to
/// subscribe first may not hear of the first ones.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(1);
const SAVES: usize = 30;

pub(super) async fn changes<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let Some(mut changes) = one.0.changes() else {
        return Ok(());
    };
    let mut there = None;
    for _ in 0..SAVES {
        let record = record();
        two.put(&key, &record, there).await?;
        there = Some(record.version());
        let heard = timeout(ANNOUNCED_WITHIN, hear(&mut changes, &key.digest())).await;
        if let Ok(outcome) = heard {
            return outcome;
        }
    }
    seen(format!("none of {SAVES} saves was announced"))
}

/// Waits for the announcement of this session, or of all.
async fn hear(changes: &mut StoreChanges, digest: &str) -> Outcome {
    loop {
        match changes.next().await {
            Some(StoreChange::Session(other)) if other != digest => {}
            Some(StoreChange::Session(_) | StoreChange::Unknown) => return Ok(()),
            None => return seen("the announcements ended while the store was in use"),
        }
    }
}

pub(super) async fn elsewhere<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let key = subject.key();
    let opening = Arc::clone(&subject);
    let opened = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map(|runtime| runtime.block_on(async { opening.open() }))
    });
    let store: Handle<S> = match opened.await {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => return seen(format!("no runtime could be made: {error}")),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_ended) => return Ok(()),
    };
    let record = record();
    let held = store.hold(&family(&key)).await?;
    let before = store.load(&key).await?;
    held.release().await?;
    store.put(&key, &record, None).await?;
    let there = subject.open().version(&key).await?;
    ensure(
        before.is_none() && there == Some(record.version()),
        "what it saved was not there",
    )
}
