//! [`Part`]: a foreign program that is spoken to in lines of JSON.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

/// A foreign program in a process of its own, ended when it is dropped.
///
/// It ends by itself when its stdin closes, so it outlives neither a test that panics nor one that
/// is killed.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    /// Nothing once it is to end.
    stdin: Option<ChildStdin>,
    /// Never locked: so that what holds a part can be shared between threads.
    answers: Mutex<Receiver<String>>,
    complaints: Option<JoinHandle<String>>,
}

/// An answer takes milliseconds; a start on a busy machine can take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

impl Part {
    /// Starts a Node program of `interop/<name>` and hands it `settings`.
    pub(crate) fn node(name: &'static str, program: &str, settings: &Value) -> (Self, Value) {
        let folder = folder(name);
        installed(&folder.join("node_modules/.package-lock.json"));
        Self::start(name, Command::new("node"), program, settings)
    }

    /// Starts a Python program of `interop/<name>` and hands it `settings`.
    pub(crate) fn python(name: &'static str, program: &str, settings: &Value) -> (Self, Value) {
        let folder = folder(name);
        // `cargo xtask` writes this file last.
        installed(&folder.join(".venv/installed-requirements.txt"));
        let python = Command::new(folder.join(".venv/bin/python"));
        Self::start(name, python, program, settings)
    }

    fn start(
        name: &'static str,
        mut command: Command,
        program: &str,
        settings: &Value,
    ) -> (Self, Value) {
        let command = command.current_dir(folder(name)).arg(program);
        let spawned = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{name} could not be started ({error}): {INSTALL}");
        });
        let answers = Mutex::new(lines(child.stdout.take().unwrap()));
        let complaints = Some(text(child.stderr.take().unwrap()));
        let stdin = child.stdin.take();
        let mut part = Self {
            name,
            child,
            stdin,
            answers,
            complaints,
        };
        let first = part.ask(settings);
        (part, first)
    }

    /// Writes a line and reads the one that answers it.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let stdin = self.stdin.as_mut().unwrap();
        // A program that has ended is told apart below, with what it had to say.
        let _ = writeln!(stdin, "{question}");
        match self.answers.get_mut().unwrap().recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap(),
            Err(error) => {
                let complaints = self.end();
                panic!("{} has no answer ({error}): {complaints}", self.name);
            }
        }
    }

    /// Ends it, and returns what it wrote to stderr.
    pub(crate) fn end(&mut self) -> String {
        self.stdin = None;
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let complaints = self.complaints.take().map(JoinHandle::join);
        complaints.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.end();
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(super) fn installed(proof: &Path) {
    assert!(
        proof.exists(),
        "{} is missing: {INSTALL}",
        proof.parent().unwrap().display()
    );
}

const INSTALL: &str = "run `cargo xtask test`, which installs it";

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for line in lines {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn text(mut stderr: ChildStderr) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}
