//! [`RedisServer`]: Debian's `redis-server` on a free port.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use crate::support::Folder;

/// A server in a process of its own, ended when it is dropped. It keeps what it acknowledged.
pub(crate) struct RedisServer {
    folder: Folder,
    port: u16,
    child: Child,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path()).unwrap();
        loop {
            // Another program may take the port before the server does.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            if let Some(child) = listening(&folder, port) {
                return Self {
                    folder,
                    port,
                    child,
                };
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command, as a person would, and returns what it answers.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let mut program = Command::new("redis-cli");
        let program = program.args(["-p", &self.port.to_string()]).args(command);
        let output = program.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn stop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// On the same port, with what it had.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = listening(&self.folder, self.port).expect("the port is free again");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server once it accepts connections; nothing if it cannot listen there.
fn listening(folder: &Folder, port: u16) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--dir").arg(folder.path());
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|error| {
        panic!(
            "redis-server could not be started ({error}): run `cargo xtask test`, which installs it"
        )
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_ready = |line: std::io::Result<String>| {
        line.is_ok_and(|line| line.contains("Ready to accept connections"))
    };
    if lines.any(is_ready) {
        // A pipe that is full would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        return Some(child);
    }
    let _ = child.wait();
    None
}
