//! The processes: started one after the other in as many places as there are to be at a time.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::options::{Options, Sabotage, complain};
use crate::report::Report;

/// All processes, and what they say.
pub(crate) struct Workers {
    program: PathBuf,
    issuer: String,
    directory: PathBuf,
    audiences: u16,
    grace_seconds: Option<u64>,
    sabotage: Option<Sabotage>,
    running: Mutex<HashMap<u32, Running>>,
    sum: Mutex<Report>,
    started: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
}

/// A process that runs.
#[derive(Debug)]
pub(crate) struct Running {
    kill_at: Option<Instant>,
    pub(crate) was_struck: bool,
    /// Closed when it is to end.
    stdin: Option<ChildStdin>,
}

impl Workers {
    pub(crate) fn new(options: &Options, issuer: &str, directory: PathBuf) -> Result<Self> {
        Ok(Self {
            program: env::current_exe().context("this program does not know where it is")?,
            issuer: issuer.to_owned(),
            directory,
            audiences: options.audiences,
            grace_seconds: options.grace.map(|_| options.grace_seconds),
            sabotage: options.sabotage,
            running: Mutex::default(),
            sum: Mutex::default(),
            started: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// Keeps one place occupied until it is over.
    pub(crate) fn occupy(&self, mut draw: fastrand::Rng) -> Result<()> {
        while !self.is_over() {
            let mut child = self.start(&mut draw)?;
            let process = child.id();
            self.listen(&mut child);
            // Whoever strikes holds the same lock: no number is free while somebody aims at it.
            let mut running = self.running();
            let status = child.wait()?;
            let was_struck = running.remove(&process).is_some_and(|it| it.was_struck);
            drop(running);
            if !was_struck && !status.success() {
                self.failed.fetch_add(1, Ordering::Relaxed);
                complain(&format!("a process failed by itself: {status}"));
            }
        }
        Ok(())
    }

    pub(crate) fn running(&self) -> MutexGuard<'_, HashMap<u32, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are to be killed now.
    pub(crate) fn due(&self, now: Instant) -> Vec<u32> {
        let running = self.running();
        let is_due = |it: &Running| !it.was_struck && it.kill_at.is_some_and(|at| at <= now);
        let due = running.iter().filter(|(_, it)| is_due(it));
        due.map(|(process, _)| *process).collect()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// No process is started or killed any more, and those that run come to their end.
    ///
    /// How many did not, and had to be killed.
    pub(crate) fn end(&self) -> u64 {
        self.is_over.store(true, Ordering::Release);
        for running in self.running().values_mut() {
            running.stdin = None;
        }
        let since = clock::now();
        while !self.running().is_empty() && since.elapsed() < END_PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        let mut running = self.running();
        for (process, worker) in running.iter_mut() {
            worker.was_struck = true;
            if let Some(pid) = i32::try_from(*process).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        running.len() as u64
    }

    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn sum(&self) -> Report {
        let sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.clone()
    }

    /// When calls were told that the person must sign in, as far as nobody has asked yet.
    pub(crate) fn take_login_asked(&self) -> Vec<Duration> {
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = std::mem::take(&mut sum.login_asked);
        asked.into_iter().map(Duration::from_millis).collect()
    }

    fn start(&self, draw: &mut fastrand::Rng) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg("worker")
            .args(["--issuer", &self.issuer])
            .arg("--directory")
            .arg(&self.directory)
            .args(["--audiences", &self.audiences.to_string()])
            .args(["--seed", &draw.u64(..).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(seconds) = self.grace_seconds {
            command.args(["--grace-seconds", &seconds.to_string()]);
        }
        if let Some(rule) = self.sabotage.and_then(|it| it.to_possible_value()) {
            command.args(["--sabotage", rule.get_name()]);
        }
        let is_to_be_killed = draw.u8(0..100) < KILLED_PERCENT;
        let life = Duration::from_millis(draw.u64(KILLED_AFTER));
        let mut running = self.running();
        let mut child = command.spawn().context("a process could not be started")?;
        self.started.fetch_add(1, Ordering::Relaxed);
        let stdin = child.stdin.take();
        let worker = Running {
            kill_at: is_to_be_killed.then(|| clock::now() + life),
            was_struck: false,
            stdin: stdin.filter(|_| !self.is_over()),
        };
        running.insert(child.id(), worker);
        Ok(child)
    }

    /// Reads what a process says until it ends.
    fn listen(&self, child: &mut Child) {
        let Some(stdout) = child.stdout.take() else {
            return;
        };
        // The last line of one that was killed may be cut short.
        let reports = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Report>(&line).ok());
        for report in reports {
            let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(report);
        }
    }
}

/// A call waits for a token for 30 s at most.
const END_PATIENCE: Duration = Duration::from_secs(45);

/// So many of a hundred processes are killed, wherever they are.
const KILLED_PERCENT: u8 = 35;

/// After so many milliseconds; most processes have ended by then.
const KILLED_AFTER: std::ops::Range<u64> = 20..5000;
