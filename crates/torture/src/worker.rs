//! One of the processes: it uses the SDK as any program would.

mod kind;
mod told;

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use intelliauth::{
    AccessToken, CacheMode, Client, Error, FileStore, RefreshAhead, Source, TokenRequest,
};

use self::kind::Kind;
use self::told::Told;
use crate::clock;
use crate::issuer::{APPLICATION, audience, dialect};
use crate::options::{Part, Sabotage};
use crate::sabotage::{OtherRequest, TornWrites, Unlocked};

/// Plays the part, and returns as any `main` does.
pub(crate) fn run(part: &Part) -> Result<()> {
    let mut draw = fastrand::Rng::with_seed(part.seed);
    let mut runtime = match draw.u8(0..3) {
        0 => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let is_over = until_stdin_ends()?;
    let outcome = runtime.block_on(play(part, draw, is_over));
    // The end of `main`: whatever the client still does in the background ends as it can.
    drop(runtime);
    outcome
}

async fn play(part: &Part, mut draw: fastrand::Rng, is_over: Arc<AtomicBool>) -> Result<()> {
    let kind = Kind::drawn(&mut draw);
    let worker = Arc::new(Worker {
        client: client(part, kind.ahead(&mut draw))?,
        audiences: (0..part.audiences).map(audience).collect(),
        told: Mutex::default(),
        is_over,
        has_complained: AtomicBool::new(false),
    });
    match kind {
        Kind::Program => worker.program(&mut draw).await,
        Kind::GivesUp => worker.give_up_and_leave(&mut draw).await,
        Kind::LeavesInWindow => worker.leave_in_window(&mut draw).await,
        Kind::Service => {
            let tasks: Vec<_> = (0..draw.usize(1..4))
                .map(|_| tokio::spawn(Arc::clone(&worker).serve(draw.fork())))
                .collect();
            for task in tasks {
                task.await?;
            }
        }
    }
    worker.tell();
    if kind.may_close() && draw.bool() {
        worker.client.close().await?;
    }
    Ok(())
}

fn client(part: &Part, ahead: RefreshAhead) -> Result<Client> {
    let files = FileStore::in_directory(&part.directory);
    let grace = part.grace_seconds.map(Duration::from_secs);
    let builder = Client::for_person(part.issuer.as_str(), APPLICATION)
        .dialect(dialect(grace))
        .refresh_ahead(ahead);
    let builder = match part.sabotage {
        None | Some(Sabotage::NoGrace) => builder.store(files),
        Some(Sabotage::NoLock) => builder.store(Unlocked(files)),
        Some(Sabotage::TornWrites) => builder.store(TornWrites {
            files,
            directory: part.directory.clone(),
        }),
        Some(Sabotage::OtherRequest) => builder.store(OtherRequest(files)),
        Some(Sabotage::WrongAudience) => builder.store(files).danger_skip_audience_check(),
    };
    let people = builder.build().context("the client could not be built")?;
    Ok(people.default_session().client().clone())
}

struct Worker {
    client: Client,
    audiences: Vec<String>,
    told: Mutex<Told>,
    is_over: Arc<AtomicBool>,
    /// An API has answered 401 once.
    has_complained: AtomicBool,
}

impl Worker {
    async fn program(&self, draw: &mut fastrand::Rng) {
        for _ in 0..draw.u8(1..4) {
            self.ask(self.drawn(draw), CacheMode::Prefer).await;
        }
    }

    async fn serve(self: Arc<Self>, mut draw: fastrand::Rng) {
        let end = clock::now() + Duration::from_millis(draw.u64(500..6000));
        while clock::now() < end && !self.is_over() {
            let audience = self.drawn(&mut draw);
            let mode = match draw.u8(0..100) {
                0..3 => CacheMode::Refresh,
                _ => CacheMode::Prefer,
            };
            if draw.u8(0..100) < 2 {
                self.give_up(&mut draw).await;
            }
            let token = self.ask(audience, mode).await;
            if let Some(token) = token.filter(|_| draw.u8(0..100) < 2) {
                self.complain(&token).await;
            }
            tokio::time::sleep(Duration::from_millis(draw.u64(2..60))).await;
        }
    }

    async fn leave_in_window(&self, draw: &mut fastrand::Rng) {
        let audience = self.drawn(draw);
        let Some(token) = self.ask(audience, CacheMode::Prefer).await else {
            return;
        };
        // The window is the part of its life from 0.3 before the end, or somewhat earlier, to 0.1.
        let in_window = token.lifetime().mul_f64(draw.f64().mul_add(0.12, 0.14));
        let left = token.expires_at().duration_since(clock::wall());
        let until = left.unwrap_or_default().saturating_sub(in_window);
        let end = clock::now() + until;
        while clock::now() < end && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(10).min(end - clock::now())).await;
        }
        let again = self.ask(audience, CacheMode::Prefer).await;
        let left = again
            .filter(|again| again.source() == Source::Cache)
            .and_then(|again| again.expires_at().duration_since(clock::wall()).ok());
        let is_in_window = left.is_some_and(|left| left < token.lifetime().mul_f64(0.3));
        self.told().report.leaves_in_window += u64::from(is_in_window);
    }

    /// Ends with a redemption under way: the SDK must keep what comes of it.
    async fn give_up_and_leave(&self, draw: &mut fastrand::Rng) {
        self.program(draw).await;
        let has_given_up = self.give_up(draw).await;
        self.told().report.leaves_giving_up += u64::from(has_given_up);
    }

    /// Asks the issuer, and soon has no time to wait for it; whether it came to that.
    async fn give_up(&self, draw: &mut fastrand::Rng) -> bool {
        let patience = Duration::from_millis(draw.u64(1..30));
        let request = TokenRequest::new(self.drawn(draw)).cache_mode(CacheMode::Refresh);
        // Whatever came of it is somebody else's.
        let call = self.client.get_access_token(request);
        tokio::time::timeout(patience, call).await.is_err()
    }

    /// The API has answered 401 to it. Once: the client takes a second time for the API's fault.
    async fn complain(&self, token: &AccessToken) {
        if self.has_complained.swap(true, Ordering::Relaxed) {
            return;
        }
        let started = clock::now();
        let outcome = self.client.after_unauthorized(token).await;
        self.note(token.audience().as_str(), started, &outcome);
    }

    async fn ask(&self, audience: &str, mode: CacheMode) -> Option<AccessToken> {
        let started = clock::now();
        let request = TokenRequest::new(audience).cache_mode(mode);
        let outcome = self.client.get_access_token(request).await;
        self.note(audience, started, &outcome);
        if outcome.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        outcome.ok()
    }

    fn note(&self, audience: &str, started: Instant, outcome: &Result<AccessToken, Error>) {
        self.told().note(audience, started, outcome);
    }

    fn tell(&self) {
        self.told().tell();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drawn(&self, draw: &mut fastrand::Rng) -> &str {
        let number = draw.usize(0..self.audiences.len());
        self.audiences.get(number).map_or("", String::as_str)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Becomes true when the coordinator wants this process to end, or is gone.
fn until_stdin_ends() -> Result<Arc<AtomicBool>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    let wait = move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().spawn(wait)?;
    Ok(is_over)
}
