//! Stores that break a rule on purpose: the suite finds it, and says which.
//!
//! All of them are in memory, so the clock may stand still: a limit of half a minute is over at once
//! when every task waits, and never before.

use std::{
    collections::HashSet,
    fmt,
    future::pending,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use intelliauth::{
    FamilyKey, HeldLock, LARGEST_RECORD, MemoryStore, Saved, SessionKey, SessionLock,
    SessionRecord, SessionStore, StoreChanges, StoreError, StoreErrorKind, Version,
    test_util::{BrokenRule, BrokenStore, StoreRule, check_store},
};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

/// What a store gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    FailsWhereNothingIs,
    LosesSaves,
    KeepsText,
    CutsOff,
    TakesAnySize,
    IgnoresCase,
    ShowsRecords,
    WritesOver,
    ComparesFirst,
    SavesLate,
    WritesInTwoSteps,
    SetsAsideAny,
    ListsTwice,
    SaveHangs,
    LoadPanics,
    LocksForTwo,
    LockIsLost,
    KeepsReleased,
    KeepsDropped,
    KeepsCancelled,
    GivesUpAtOnce,
    NeverGivesUp,
    LocksSessions,
    LocksForSaving,
    AnnouncesNothing,
    DiesWithItsRuntime,
}

/// Each fault, with all the rules that it breaks.
fn faults() -> Vec<(Fault, Vec<StoreRule>)> {
    use Fault as F;
    use StoreRule as R;

    vec![
        (F::FailsWhereNothingIs, vec![R::AbsentIsNothing]),
        (F::LosesSaves, vec![R::SavedIsLoaded]),
        (F::KeepsText, vec![R::BytesStayAsTheyAre]),
        (F::CutsOff, vec![R::LargeRecordsFit]),
        (F::TakesAnySize, vec![R::TooLargeIsRefused]),
        (F::IgnoresCase, vec![R::KeysStayApart]),
        (F::ShowsRecords, vec![R::RecordsAreHidden]),
        (
            F::WritesOver,
            vec![
                R::NewNeedsNothingThere,
                R::SupersededChangesNothing,
                R::OneSaveWins,
                R::LateSavesChangeNothing,
            ],
        ),
        (F::ComparesFirst, vec![R::OneSaveWins]),
        (F::SavesLate, vec![R::LateSavesChangeNothing]),
        (
            F::WritesInTwoSteps,
            vec![R::TooLargeIsRefused, R::RecordsStayWhole],
        ),
        (F::SetsAsideAny, vec![R::SetAsideIsGone]),
        (F::ListsTwice, vec![R::ListShowsAll]),
        (F::SaveHangs, vec![R::CallsReturn]),
        (F::LoadPanics, vec![R::CallsReturn]),
        (F::LocksForTwo, vec![R::LockIsForOne, R::LockGivesUp]),
        (F::LockIsLost, vec![R::LockSaysThatItIsHeld]),
        (
            F::KeepsReleased,
            vec![
                R::LateSavesChangeNothing,
                R::LockIsForOne,
                R::LockWaitsForItsTurn,
                R::ReleasedIsFree,
                R::CancelledIsFree,
            ],
        ),
        (F::KeepsDropped, vec![R::DroppedIsFree, R::CancelledIsFree]),
        (F::KeepsCancelled, vec![R::CancelledIsFree]),
        (
            F::GivesUpAtOnce,
            vec![R::LockIsForOne, R::LockWaitsForItsTurn],
        ),
        (F::NeverGivesUp, vec![R::CallsReturn]),
        (F::LocksSessions, vec![R::FamiliesStayApart]),
        (
            F::LocksForSaving,
            vec![R::LateSavesChangeNothing, R::SavingNeedsNoLock],
        ),
        (F::AnnouncesNothing, vec![R::ChangesAreAnnounced]),
        (F::DiesWithItsRuntime, vec![R::OutlivesItsRuntime]),
    ]
}

async fn check(fault: Fault) -> BrokenStore {
    let memory = MemoryStore::new();
    let checked = check_store(move || Broken::new(&memory, fault)).await;
    let Err(broken) = checked else {
        panic!("{fault:?} was not found");
    };
    broken
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_found_and_told_by_the_rules_that_it_breaks() {
    let mut wrong = Vec::new();
    for (fault, expected) in faults() {
        let broken = check(fault).await;
        let found: HashSet<_> = broken.rules().iter().map(BrokenRule::rule).collect();
        if found != expected.iter().copied().collect() {
            wrong.push(format!("{fault:?}: not {expected:?}, but {broken}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_rule_is_broken_by_a_fault() {
    let broken: HashSet<_> = faults().into_iter().flat_map(|(_, rules)| rules).collect();
    assert_eq!(broken, StoreRule::all().collect());
}

#[tokio::test(start_paused = true)]
async fn the_report_says_in_sentences_what_is_broken_and_what_was_seen() {
    let report = check(Fault::ComparesFirst).await.to_string();
    let expected = "the store breaks 1 of its rules:\n\
        - Of several saves at one time that replace the same version, exactly one is saved.\n  \
        but 8 of 8 were `Saved`";
    assert_eq!(report, expected);
    let panics = check(Fault::LoadPanics).await.to_string();
    assert!(panics.contains("on purpose"), "{panics}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_returns_is_named_and_ends_the_run() {
    let broken = check(Fault::SaveHangs).await;
    assert!(!broken.is_complete());
    assert!(broken.rules()[0].seen().contains("`save` did not return"));
    assert!(broken.to_string().ends_with("were not checked."));
    assert!(check(Fault::ListsTwice).await.is_complete());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "- A lock has at most one holder, across tasks and handles.")]
async fn a_test_that_asserts_a_store_fails_with_the_report() {
    let memory = MemoryStore::new();
    intelliauth::test_util::assert_store(move || Broken::new(&memory, Fault::LocksForTwo)).await;
}

/// A store with one fault.
struct Broken {
    memory: MemoryStore,
    fault: Fault,
    last: Mutex<Vec<u8>>,
    /// Ends with the runtime that the store was made on.
    runtime: JoinHandle<()>,
}

impl Broken {
    fn new(memory: &MemoryStore, fault: Fault) -> Self {
        Self {
            memory: memory.clone(),
            fault,
            last: Mutex::default(),
            runtime: tokio::spawn(pending()),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, key: &SessionKey) -> SessionKey {
        if !self.has(Fault::IgnoresCase) {
            return key.clone();
        }
        SessionKey::new(key.issuer(), key.client_id(), key.session().to_lowercase())
    }

    async fn version(&self, key: &SessionKey) -> Option<Version> {
        let there = self.memory.load(key).await.unwrap();
        there.map(|there| there.version())
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Broken({})", String::from_utf8_lossy(&last))
    }
}

fn fail<T>(kind: StoreErrorKind) -> Result<T, StoreError> {
    Err(StoreError::new(kind, "it failed on purpose"))
}

impl SessionStore for Broken {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let found = self.memory.load(&self.key(key)).await?;
        match self.fault {
            Fault::LoadPanics if key.session() == "session 0" => panic!("on purpose"),
            Fault::FailsWhereNothingIs if key.session() == "session 0" => {
                fail(StoreErrorKind::Other)
            }
            Fault::DiesWithItsRuntime if self.runtime.is_finished() => fail(StoreErrorKind::Io),
            _ => Ok(found),
        }
    }

    async fn save(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        replacing: Option<Version>,
    ) -> Result<Saved, StoreError> {
        let (memory, key) = (&self.memory, &self.key(key));
        let is_superseded = self.version(key).await != replacing;
        let bytes = record.as_bytes();
        match self.fault {
            Fault::SaveHangs => pending().await,
            Fault::LosesSaves if !is_superseded && key.session() == "session 1" => Ok(Saved::Saved),
            Fault::KeepsText => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let text = SessionRecord::from_bytes(text);
                memory.save(key, &text, replacing).await
            }
            Fault::CutsOff if (70_000..=LARGEST_RECORD).contains(&bytes.len()) => {
                let part = SessionRecord::from_bytes(&bytes[..70_000]);
                memory.save(key, &part, replacing).await
            }
            Fault::WritesOver => memory.save(key, record, self.version(key).await).await,
            Fault::ComparesFirst if !is_superseded => {
                sleep(Duration::from_millis(1)).await;
                memory.save(key, record, self.version(key).await).await
            }
            Fault::SavesLate => save_late(memory, key, record, replacing).await,
            Fault::WritesInTwoSteps => {
                let half = SessionRecord::from_bytes(&bytes[..bytes.len() / 2]);
                if memory.save(key, &half, replacing).await? == Saved::Superseded {
                    return Ok(Saved::Superseded);
                }
                sleep(Duration::from_millis(5)).await;
                memory.save(key, record, Some(half.version())).await
            }
            Fault::LocksForSaving => {
                let family = FamilyKey::new(key.clone(), None);
                let _held = memory.lock(&family, Duration::ZERO).await?;
                memory.save(key, record, replacing).await
            }
            fault => {
                if fault == Fault::ShowsRecords {
                    *self.last.lock().unwrap() = bytes.to_vec();
                }
                memory.save(key, record, replacing).await
            }
        }
    }

    async fn lock(
        &self,
        family: &FamilyKey,
        patience: Duration,
    ) -> Result<SessionLock, StoreError> {
        let patience = match self.fault {
            Fault::GivesUpAtOnce => Duration::ZERO,
            Fault::NeverGivesUp => Duration::MAX,
            _ => patience,
        };
        let held = match self.fault {
            Fault::LocksForTwo => return Ok(SessionLock::guard(())),
            Fault::LocksSessions => {
                let all = FamilyKey::new(family.session().clone(), None);
                self.memory.lock(&all, patience).await?
            }
            Fault::KeepsCancelled => {
                let (sender, lock) = oneshot::channel();
                let (memory, family) = (self.memory.clone(), family.clone());
                tokio::spawn(async move {
                    let held = memory.lock(&family, patience).await;
                    // Its caller is gone, and it is never released.
                    let _ = sender.send(held).map_err(std::mem::forget);
                });
                lock.await.unwrap()?
            }
            _ => self.memory.lock(family, patience).await?,
        };
        let fault = self.fault;
        let held = Some(held);
        Ok(SessionLock::new(BrokenLock { held, fault }))
    }

    async fn set_aside(&self, key: &SessionKey, version: Version) -> Result<(), StoreError> {
        let there = self.version(key).await;
        let is_any = self.has(Fault::SetsAsideAny);
        let version = there.filter(|_| is_any).unwrap_or(version);
        self.memory.set_aside(key, version).await
    }

    async fn list(&self, visit: &mut (dyn FnMut(SessionRecord) + Send)) -> Result<(), StoreError> {
        if self.has(Fault::ListsTwice) {
            self.memory.list(visit).await?;
        }
        self.memory.list(visit).await
    }

    fn changes(&self) -> Option<StoreChanges> {
        if !self.has(Fault::AnnouncesNothing) {
            return self.memory.changes();
        }
        let (sender, changes) = StoreChanges::channel();
        std::mem::forget(sender);
        Some(changes)
    }

    fn record_limit(&self) -> usize {
        if self.has(Fault::TakesAnySize) {
            4096
        } else {
            LARGEST_RECORD
        }
    }
}

/// Saves as it should; but if the caller gives up, it writes over whatever is there a moment later.
async fn save_late(
    memory: &MemoryStore,
    key: &SessionKey,
    record: &SessionRecord,
    replacing: Option<Version>,
) -> Result<Saved, StoreError> {
    struct GivenUp(Option<(MemoryStore, SessionKey, SessionRecord)>);

    impl Drop for GivenUp {
        fn drop(&mut self) {
            let Some((memory, key, record)) = self.0.take() else {
                return;
            };
            tokio::spawn(async move {
                sleep(Duration::from_millis(5)).await;
                let there = memory.load(&key).await.unwrap();
                let there = there.map(|there| there.version());
                let saved = memory.save(&key, &record, there).await;
                assert_eq!(saved.unwrap(), Saved::Saved);
            });
        }
    }

    let mut given_up = GivenUp(Some((memory.clone(), key.clone(), record.clone())));
    tokio::task::yield_now().await;
    given_up.0 = None;
    memory.save(key, record, replacing).await
}

struct BrokenLock {
    held: Option<SessionLock>,
    fault: Fault,
}

impl HeldLock for BrokenLock {
    async fn is_held(&self) -> bool {
        self.fault != Fault::LockIsLost
    }

    async fn release(mut self) {
        let held = self.held.take().unwrap();
        if self.fault == Fault::KeepsReleased {
            std::mem::forget(held);
        } else {
            held.release().await;
        }
    }
}

impl Drop for BrokenLock {
    fn drop(&mut self) {
        if self.fault == Fault::KeepsDropped {
            std::mem::forget(self.held.take());
        }
    }
}
