//! What every store of sessions has to hold, checked.

mod announced;
mod kept;
mod locked;
mod raced;
mod rule;
mod subject;

use std::{fmt, future::Future, sync::Arc};

pub use rule::StoreRule;
use subject::{Subject, Trouble};

use crate::store::SessionStore;

/// Checks everything that the client relies on in a store of sessions.
///
/// `open` makes another handle to the same store each time, as another process would: the same
/// directory, the same database. It is also called on a runtime that ends right after it, since a program
/// may make its store anywhere; a handle that connects when it is first used is right there.
///
/// It can be run against a store that is in use: all sessions it touches have names of their own, a day to
/// live ([`keep_until`](crate::SessionRecord::keep_until)), and are of the issuer
/// `https://conformance.example`. It needs a tokio runtime with timers; with
/// several threads it finds more. A run takes a second or so. No step has to be fast: a call that has not
/// returned after 30 seconds (and its own patience) is reported, and ends the run.
///
/// # Errors
///
/// [`BrokenStore`] names each rule that does not hold, with what was seen instead.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), intelliauth::test_util::BrokenStore> {
/// use intelliauth::{MemoryStore, test_util::check_store};
///
/// let store = MemoryStore::new();
/// check_store(move || store.clone()).await?;
/// # Ok(()) }
/// ```
pub async fn check_store<S: SessionStore>(
    open: impl Fn() -> S + Send + Sync + 'static,
) -> Result<(), BrokenStore> {
    let mut run = Run {
        subject: Arc::new(Subject::new(open)),
        broken: Vec::new(),
        is_over: false,
    };
    run.all().await;
    if run.broken.is_empty() {
        return Ok(());
    }
    Err(BrokenStore {
        rules: run.broken,
        is_complete: !run.is_over,
    })
}

/// As [`check_store`], for a test: panics with the whole report.
///
/// # Panics
///
/// If a rule does not hold.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "file-store")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), std::io::Error> {
/// use intelliauth::{FileStore, test_util::assert_store};
///
/// let place = tempfile::tempdir()?;
/// let directory = place.path().join("sessions");
/// assert_store(move || FileStore::in_directory(&directory)).await;
/// # Ok(()) }
/// # #[cfg(not(feature = "file-store"))]
/// # fn main() {}
/// ```
#[expect(clippy::panic, reason = "this is how a test fails")]
pub async fn assert_store<S: SessionStore>(open: impl Fn() -> S + Send + Sync + 'static) {
    if let Err(broken) = check_store(open).await {
        panic!("{broken}");
    }
}

/// A store does not hold what the client relies on.
///
/// Its text is the whole report: each broken rule as a sentence, with what was seen instead.
#[derive(Clone, Debug)]
pub struct BrokenStore {
    rules: Vec<BrokenRule>,
    is_complete: bool,
}

/// A rule that does not hold, and what was seen instead.
#[derive(Clone, Debug)]
pub struct BrokenRule {
    rule: StoreRule,
    seen: String,
}

impl BrokenStore {
    /// The rules that do not hold, in the order in which they were checked.
    pub fn rules(&self) -> &[BrokenRule] {
        &self.rules
    }

    /// Whether all rules were checked: a call that did not return ends the run.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl BrokenRule {
    /// The rule.
    pub fn rule(&self) -> StoreRule {
        self.rule
    }

    /// What was seen instead.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl fmt::Display for BrokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks {} of its rules:", self.rules.len())?;
        for BrokenRule { rule, seen } in &self.rules {
            write!(f, "\n- {rule}\n  but {seen}")?;
        }
        if !self.is_complete {
            f.write_str("\nThe rules after that were not checked.")?;
        }
        Ok(())
    }
}

impl std::error::Error for BrokenStore {}

struct Run<S> {
    subject: Arc<Subject<S>>,
    broken: Vec<BrokenRule>,
    is_over: bool,
}

impl<S: SessionStore> Run<S> {
    async fn all(&mut self) {
        use StoreRule as Rule;

        self.check(Rule::AbsentIsNothing, kept::absent).await;
        self.check(Rule::SavedIsLoaded, kept::saved).await;
        self.check(Rule::BytesStayAsTheyAre, kept::bytes).await;
        self.check(Rule::LargeRecordsFit, kept::large).await;
        self.check(Rule::TooLargeIsRefused, kept::too_large).await;
        self.check(Rule::KeysStayApart, kept::keys).await;
        self.check(Rule::RecordsAreHidden, kept::hidden).await;
        self.check(Rule::NewNeedsNothingThere, kept::created).await;
        self.check(Rule::SupersededChangesNothing, kept::superseded)
            .await;
        self.check(Rule::SetAsideIsGone, kept::set_aside).await;
        self.check(Rule::ListShowsAll, kept::listed).await;
        self.check(Rule::OneSaveWins, raced::one_wins).await;
        self.check(Rule::RecordsStayWhole, raced::whole).await;
        self.check(Rule::LateSavesChangeNothing, raced::late).await;
        self.check(Rule::LockIsForOne, locked::excludes).await;
        self.check(Rule::LockWaitsForItsTurn, locked::waits).await;
        self.check(Rule::LockGivesUp, locked::gives_up).await;
        self.check(Rule::LockSaysThatItIsHeld, locked::is_held)
            .await;
        self.check(Rule::ReleasedIsFree, locked::released).await;
        self.check(Rule::DroppedIsFree, locked::dropped).await;
        self.check(Rule::CancelledIsFree, locked::cancelled).await;
        self.check(Rule::FamiliesStayApart, locked::families).await;
        self.check(Rule::SavingNeedsNoLock, locked::saving).await;
        self.check(Rule::ChangesAreAnnounced, announced::changes)
            .await;
        self.check(Rule::OutlivesItsRuntime, announced::elsewhere)
            .await;
    }

    /// Runs one check in a task of its own, so that a store that panics is one finding of many.
    async fn check<F>(&mut self, rule: StoreRule, check: impl FnOnce(Arc<Subject<S>>) -> F)
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        if self.is_over {
            return;
        }
        let outcome = tokio::spawn(check(Arc::clone(&self.subject))).await;
        let (rule, seen) = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(Trouble::Silent(call))) => {
                self.is_over = true;
                (
                    StoreRule::CallsReturn,
                    format!("{call} (when checked: {rule})"),
                )
            }
            Ok(Err(Trouble::Seen(seen))) => (rule, seen),
            Err(panic) => {
                let seen = format!("the store panicked ({panic}; when checked: {rule})");
                (StoreRule::CallsReturn, seen)
            }
        };
        self.broken.push(BrokenRule { rule, seen });
    }
}
