//! One run: starts everything, signs a person in, lets everybody loose, and counts.

mod watch;

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use intelliauth::{Client, DEFAULT_SESSION, FamilyKey, FileStore, SessionKey, SessionStore as _};

use self::watch::Watch;
use crate::figures::{Figures, Run};
use crate::issuer::{APPLICATION, Issuer, dialect};
use crate::killer::Killer;
use crate::options::{Options, Sabotage, complain};
use crate::session::SessionFile;
use crate::workers::Workers;

/// Runs it, prints what came of it, and says whether every goal was met.
pub(crate) fn run(options: &Options) -> Result<bool> {
    options.check()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    let figures = figures(options, Run::new(options, seed))?;
    // Nothing can be done if nobody reads it.
    let _ = std::io::stdout().write_all(figures.table().as_bytes());
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&figures.json())?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    Ok(figures.is_good())
}

fn figures(options: &Options, run: Run) -> Result<Figures> {
    complain(&run.headline());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let lifetime = Duration::from_secs(options.lifetime);
    let issuer = runtime.block_on(Issuer::start(
        options.audiences,
        lifetime,
        options.issuer_grace(),
    ))?;
    let place = tempfile::tempdir()?;
    let directory = place.path().join("sessions");
    let store = FileStore::in_directory(&directory);
    let key = SessionKey::new(issuer.address(), APPLICATION, DEFAULT_SESSION);
    let file = SessionFile::new(&directory, &key.digest());
    {
        let family = FamilyKey::new(key, None);
        let _lock = runtime.block_on(store.lock(&family, Duration::ZERO))?;
        ensure!(file.holder() == Some(std::process::id()), BLIND);
    }
    let people = Client::for_person(issuer.address(), APPLICATION)
        .store(store)
        .dialect(dialect(options.grace().map(|grace| grace.period)))
        .build()?;
    let session = people.default_session();
    let workers = Workers::new(options, issuer.address(), directory)?;
    let killer = Killer::new(&workers, &issuer, &file, options);
    let mut watch = Watch::new(&runtime, &session, &killer, options.sabotage.is_some());
    let stuck = play(options, run.seed, &mut watch)?;
    count(run, watch, stuck)
}

/// Counts what came of it.
fn count(run: Run, watch: Watch<'_>, stuck: u64) -> Result<Figures> {
    let seen = watch.seen;
    Ok(Figures {
        run,
        losses: seen.losses,
        ledger: watch.issuer.ledger(),
        rotations: watch.issuer.rotations(),
        done: watch.killer.done(),
        report: watch.workers.sum(),
        reads: seen.reads,
        torn_reads: seen.torn_reads,
        litter: watch.file.litter()?,
        started: watch.workers.started(),
        failed: watch.workers.failed(),
        stuck,
    })
}

/// Signs in, lets everybody loose, and comes to an end; how many processes did not.
fn play(options: &Options, seed: u64, watch: &mut Watch<'_>) -> Result<u64> {
    let mut draw = fastrand::Rng::with_seed(seed);
    watch.sign_in()?;
    if options.sabotage == Some(Sabotage::WrongAudience) {
        watch.issuer.mint_for_others();
    }
    let (workers, killer) = (watch.workers, watch.killer);
    let (outcome, stuck) = thread::scope(|scope| {
        for _ in 0..options.processes {
            let draw = draw.fork();
            scope.spawn(move || {
                if let Err(error) = workers.occupy(draw) {
                    complain(&format!("error: {error:#}"));
                }
            });
        }
        let for_killer = draw.fork();
        scope.spawn(move || killer.run(for_killer));
        let outcome = watch.run(Duration::from_secs(options.seconds), &mut draw);
        (outcome, workers.end())
    });
    outcome?;
    watch.conclude();
    Ok(stuck)
}

const BLIND: &str =
    "/proc/locks does not say here who holds a lock, so nobody can be caught inside a redemption";
