//! What is kept: one caller after the other.

use std::sync::Arc;

use super::subject::{Outcome, Subject, ensure, record, record_of, seen};
use crate::{
    error::StoreErrorKind,
    store::{LARGEST_RECORD, Saved, SessionKey, SessionRecord, SessionStore, Version},
};

pub(super) async fn absent<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let found = subject.open().load(&subject.key()).await?;
    ensure(found.is_none(), "there was a record")
}

pub(super) async fn saved<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let mut there = None;
    for (saving, loading) in [(&one, &two), (&two, &one), (&one, &one)] {
        let record = record();
        saving.put(&key, &record, there).await?;
        there = Some(record.version());
        let Some(found) = loading.load(&key).await? else {
            return seen("nothing was there after a save that was `Saved`");
        };
        ensure(
            found.as_bytes() == record.as_bytes(),
            "another record was there after a save that was `Saved`",
        )?;
    }
    Ok(())
}

pub(super) async fn bytes<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (store, key) = (subject.open(), subject.key());
    let all: Vec<u8> = (0..=255).collect();
    let texts = [
        &all[..],
        b"\0",
        b" \r\n\t ",
        "\u{fffd}\u{65e5}\u{0301}".as_bytes(),
        b"'; DROP TABLE sessions; --",
        b"{\"version\":1,\"torn",
    ];
    let mut there = None;
    for text in texts {
        let record = SessionRecord::from_bytes(text);
        store.put(&key, &record, there).await?;
        there = Some(record.version());
        let found = store.load(&key).await?;
        let is_same = found.is_some_and(|found| found.as_bytes() == text);
        let shown = text.escape_ascii();
        ensure(is_same, format_args!("these came back otherwise: {shown}"))?;
    }
    Ok(())
}

pub(super) async fn large<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (store, key) = (subject.open(), subject.key());
    let large = record_of_length(store.limit());
    let length = large.as_bytes().len();
    store.put(&key, &large, None).await?;
    let Some(found) = store.load(&key).await? else {
        return seen(format!("nothing was there after one of {length} bytes"));
    };
    ensure(
        found.as_bytes() == large.as_bytes(),
        format_args!("of {length} bytes it kept {}", found.as_bytes().len()),
    )
}

pub(super) async fn too_large<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (store, key) = (subject.open(), subject.key());
    let limit = store.0.record_limit();
    if limit > LARGEST_RECORD {
        // The client writes none that is larger.
        return Ok(());
    }
    let old = record();
    store.put(&key, &old, None).await?;
    let large = record_of_length(limit + 1);
    match store.try_save(&key, &large, Some(old.version())).await? {
        Ok(saved) => seen(format!("a record of {} bytes was `{saved:?}`", limit + 1)),
        Err(error) if error.kind() != StoreErrorKind::TooLarge => {
            seen(format!("it was refused as `{:?}`", error.kind()))
        }
        Err(_) => {
            let there = store.version(&key).await?;
            ensure(there == Some(old.version()), "the old one was gone then")
        }
    }
}

fn record_of_length(length: usize) -> SessionRecord {
    let version = Version::drawn(fastrand::u64(..));
    let least = record_of(version, 0).as_bytes().len();
    record_of(version, length.saturating_sub(least))
}

pub(super) async fn keys<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let long = "long".repeat(1000);
    let store = subject.open();
    let keys: [SessionKey; 15] = [
        subject.named("", "alice"),
        subject.named("", "Alice"),
        subject.named("", "alice "),
        subject.named("", "../alice"),
        subject.named("", "al:ice"),
        subject.named(":al", "ice"),
        subject.named("alice", ""),
        subject.named("", ""),
        subject.named("", "\u{e4}"),
        subject.named("", "a\u{308}"),
        subject.named("", "a\0b/c\n"),
        subject.named("", "a*"),
        subject.named("", "a%"),
        subject.named("", &format!("{long}1")),
        subject.named("", &format!("{long}2")),
    ];
    let records = keys.each_ref().map(|_| record());
    for (key, record) in keys.iter().zip(&records) {
        if store.save(key, record, None).await? != Saved::Saved {
            return seen(format!("another one was there already for {key:?}"));
        }
    }
    for (key, record) in keys.iter().zip(&records) {
        let there = store.version(key).await?;
        let is_same = there == Some(record.version());
        ensure(is_same, format_args!("another's was there for {key:?}"))?;
    }
    Ok(())
}

pub(super) async fn hidden<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (store, key, record) = (subject.open(), subject.key(), record());
    store.put(&key, &record, None).await?;
    let shown = format!("{:?}", store.0);
    let is_hidden = !shown.contains(&record.version().to_string());
    ensure(is_hidden, "a record's content was in it")
}

pub(super) async fn created<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let first = record();
    one.put(&key, &first, None).await?;
    for store in [&one, &two] {
        let second = store.save(&key, &record(), None).await?;
        ensure(second == Saved::Superseded, "a second one was `Saved`")?;
        let there = store.version(&key).await?;
        ensure(there == Some(first.version()), "the first was gone then")?;
    }
    Ok(())
}

pub(super) async fn superseded<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let [old, present, other] = [record(), record(), record()];
    // Nothing is there to be replaced.
    let saved = one.save(&key, &other, Some(old.version())).await?;
    ensure(
        saved == Saved::Superseded,
        "one that was to replace a record was `Saved` where there was none",
    )?;
    let is_empty = one.load(&key).await?.is_none();
    ensure(is_empty, "it was there nevertheless, where there was none")?;

    one.put(&key, &old, None).await?;
    two.put(&key, &present, Some(old.version())).await?;
    for (store, replacing) in [(&one, &old), (&two, &old), (&one, &other), (&two, &other)] {
        let saved = store.save(&key, &other, Some(replacing.version())).await?;
        ensure(
            saved == Saved::Superseded,
            "one that was to replace another version was `Saved`",
        )?;
        let there = store.version(&key).await?;
        ensure(
            there == Some(present.version()),
            "the record was another one after a save that was `Superseded`",
        )?;
    }
    Ok(())
}

pub(super) async fn set_aside<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two, key) = (subject.open(), subject.open(), subject.key());
    let [old, present] = [record(), record()];
    one.set_aside(&key, old.version()).await?;
    one.put(&key, &old, None).await?;
    one.put(&key, &present, Some(old.version())).await?;
    for version in [old.version(), Version::UNREADABLE] {
        two.set_aside(&key, version).await?;
        let there = one.version(&key).await?;
        ensure(
            there == Some(present.version()),
            "a record of another version was gone",
        )?;
    }
    two.set_aside(&key, present.version()).await?;
    ensure(
        one.load(&key).await?.is_none(),
        "it was still there after it was set aside",
    )?;
    one.put(&key, &record(), None).await
}

pub(super) async fn listed<S: SessionStore>(subject: Arc<Subject<S>>) -> Outcome {
    let (one, two) = (subject.open(), subject.open());
    let records = [record(), record(), record(), record()];
    let [first, second, replaced, gone] = &records;
    for record in [first, second] {
        one.put(&subject.key(), record, None).await?;
    }
    let (key, latest) = (subject.key(), record());
    one.put(&key, replaced, None).await?;
    one.put(&key, &latest, Some(replaced.version())).await?;
    let key = subject.key();
    one.put(&key, gone, None).await?;
    one.set_aside(&key, gone.version()).await?;

    let versions = [first, second, &latest, replaced, gone].map(SessionRecord::version);
    let [first, second, latest, replaced, gone] = two.listed(versions).await?;
    let of_the_saved = [first, second, latest];
    ensure(
        of_the_saved.iter().all(|count| *count == 1),
        format_args!("three records were shown {of_the_saved:?} times"),
    )?;
    ensure(replaced == 0, "one was shown that was replaced before")?;
    ensure(gone == 0, "one was shown that was set aside before")
}
