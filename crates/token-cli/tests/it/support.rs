//! A home of its own for each test, and the person at the other end of a sign-in.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use intelliauth_emulator::{Config, Emulator, sample};
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_intelliauth-token");

/// A tenant, and a user's home.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    home: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            emulator: Emulator::start(Config::sample()).await.unwrap(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// With a profile for people.
    pub(crate) async fn with_profile() -> Self {
        let world = Self::new().await;
        world.add_profile("main");
        world
    }

    pub(crate) fn add_profile(&self, name: &str) {
        let words = ["profile", "add", name, "--client-id", sample::NATIVE];
        let added = self
            .command(&words)
            .args(["--tenant-url", self.emulator.issuer()])
            .output()
            .unwrap();
        assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    }

    /// A person, Alice, who has signed in for banking and health.
    pub(crate) async fn signed_in() -> Self {
        let world = Self::with_profile().await;
        let words = ["--audience", sample::BANKING, "--audience", sample::HEALTH];
        let output = world.login(&words, sample::ALICE).await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        world.emulator.clear_requests();
        world
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The command in an environment with nothing in it but what every test has.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("INTELLIAUTH_HOME", self.home.path())
            // No test talks to the terminal that it is started from.
            .env("CI", "true")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The command of an application that acts for itself.
    pub(crate) fn service(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command
            .env("INTELLIAUTH_TENANT_URL", self.emulator.issuer())
            .env("INTELLIAUTH_M2M_CLIENT_ID", sample::SERVICE)
            .env("INTELLIAUTH_M2M_CLIENT_SECRET", sample::SERVICE_SECRET);
        command
    }

    /// Starts a sign-in in a browser that the test plays, and returns the URL that is shown.
    pub(crate) fn begin_login(&self, words: &[&str]) -> SignIn {
        let mut command = self.command(&["login", "--flow", "browser"]);
        command.args(words);
        SignIn::start(&mut command)
    }

    /// Signs in: the person comes back to the loopback port.
    pub(crate) async fn login(&self, words: &[&str], person: &str) -> Output {
        let sign_in = self.begin_login(words);
        let callback = self.emulator.login_as(person).approve(&sign_in.url).await;
        reqwest::get(callback.unwrap()).await.unwrap();
        sign_in.end()
    }
}

/// A sign-in that waits for the person.
pub(crate) struct SignIn {
    pub(crate) child: Child,
    /// The first address that is shown.
    pub(crate) url: String,
    shown: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl SignIn {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut sign_in = Self {
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
            url: String::new(),
            shown: String::new(),
        };
        sign_in.url = sign_in.next_indented();
        sign_in
    }

    /// The next line that is set apart: an address or a code.
    pub(crate) fn next_indented(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended: {}", self.shown);
            self.shown.push_str(&line);
            if let Some(found) = line.strip_prefix("    ") {
                return found.trim().to_owned();
            }
        }
    }

    pub(crate) fn paste(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn end(mut self) -> Output {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = (self.shown + &rest).into_bytes();
        output
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What was asked for, of a command that did it.
pub(crate) fn answer(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    stdout(output)
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
