//! The command `intelliauth-emulator`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use intelliauth_emulator::sample;
use serde_json::Value;

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_intelliauth-emulator"))
}

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A serving command, ended when dropped.
struct Serving {
    child: Child,
    output: BufReader<ChildStdout>,
    issuer: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = command();
        command
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let issuer = first
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self {
            child,
            output,
            issuer,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn without_a_file_it_serves_the_sample() {
    let serving = Serving::start(&[]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&audience={}",
        sample::SERVICE,
        sample::SERVICE_SECRET,
        sample::BANKING
    );
    let reply = http
        .post(format!("{}/oauth2/token", serving.issuer))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    let json: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(json["scope"], "read:accounts read:transactions");
}

#[tokio::test]
async fn the_greeting_names_a_page_that_works_and_who_can_sign_in() {
    let mut serving = Serving::start(&[]);
    let mut lines = Vec::new();
    while !lines
        .iter()
        .any(|line: &String| line.contains(sample::BOB_EMAIL))
    {
        let mut line = String::new();
        serving.output.read_line(&mut line).unwrap();
        lines.push(line);
    }
    let link = lines
        .iter()
        .find(|line| line.contains("/oauth2/authorize"))
        .unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.contains(sample::ALICE_PASSWORD))
    );
    let builder = reqwest::Client::builder().no_proxy();
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    let reply = builder
        .build()
        .unwrap()
        .get(link.trim())
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 303);
    assert!(
        reply.headers()["location"]
            .to_str()
            .unwrap()
            .starts_with("/sign-in?ticket=")
    );
}

#[test]
fn the_sample_is_printed_and_checked() {
    let printed = run(&["--print-sample-config"]);
    assert!(printed.status.success());
    assert_eq!(text(&printed.stdout), sample::TOML);
    let checked = run(&["--check"]);
    assert_eq!(text(&checked.stdout), "tenant banking-cymmetri is right\n");
}

#[test]
fn a_wrong_file_is_named_with_line_and_fix() {
    let file = std::env::temp_dir().join(format!("emulator-command-{}.toml", std::process::id()));
    std::fs::write(&file, "[tenant]\nname = \"a\"\n").unwrap();
    let path = file.display().to_string();
    let output = run(&["--check", "--config", &path]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        format!("error: {path}:1:1: [tenant] has no `organisation`; add organisation = \"...\"\n")
    );
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_option() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.starts_with(&format!("error: cannot listen on 127.0.0.1:{port} (")),
        "{error}"
    );
    assert!(
        error.ends_with("choose another with --port, or --port 0 for a free one\n"),
        "{error}"
    );
}

#[test]
fn the_help_teaches_with_examples() {
    let help = text(&run(&["--help"]).stdout);
    assert!(
        help.contains("intelliauth-emulator --print-sample-config > tenant.toml"),
        "{help}"
    );
    for part in [
        "/activate",
        sample::ALICE_EMAIL,
        sample::ALICE_PASSWORD,
        sample::BOB_EMAIL,
        sample::BOB_PASSWORD,
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn secrets_of_a_file_are_not_printed() {
    let file = std::env::temp_dir().join(format!("emulator-secret-{}.toml", std::process::id()));
    let own = sample::TOML
        .replace(sample::SERVICE_SECRET, "not-to-be-printed")
        .replace(sample::ADMIN_TOKEN, "not-to-be-shown");
    std::fs::write(&file, own).unwrap();
    let mut serving = Serving::start(&["--config", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    let _ = serving.child.kill();
    let mut rest = String::new();
    serving.output.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("not-to-be"), "{rest}");
}

#[cfg(unix)]
#[test]
fn it_ends_cleanly_when_asked_to() {
    for signal in ["-INT", "-TERM"] {
        let mut serving = Serving::start(&[]);
        let id = serving.child.id().to_string();
        // A shell has `kill` built in; nothing needs to be installed for it.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill {signal} {id}")])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(serving.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn the_sample_is_not_served_to_the_network_as_it_is() {
    let output = run(&["--host", "0.0.0.0", "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("the sample's admin token is public"),
        "{error}"
    );

    let file = std::env::temp_dir().join(format!("emulator-network-{}.toml", std::process::id()));
    let own = sample::TOML.replace(sample::ADMIN_TOKEN, "known-to-me-alone");
    std::fs::write(&file, own).unwrap();
    let mut command = command();
    command
        .args(["--host", "0.0.0.0", "--port", "0", "--config"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut warning = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut warning).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(
        warning.starts_with("warning: other machines can reach"),
        "{warning}"
    );
    assert!(warning.contains("are the sample's"), "{warning}");
}
