//! Programs that are started with a token.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use intelliauth_emulator::sample;

use crate::support::{PROGRAM, World, answer, json, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_the_token_in_its_environment_and_its_exit_code_is_passed_on() {
    let world = World::new().await;
    let script = "printf %s \"$INTELLIAUTH_ACCESS_TOKEN\"; exit 41";
    let output = world
        .service(&["exec", sample::BANKING, "--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(41));
    assert!(stdout(&output).starts_with("eyJ"));
    let words = [
        "exec",
        sample::BANKING,
        "--env",
        "T",
        "--",
        "sh",
        "-c",
        "test -n \"$T\" && test -z \"$INTELLIAUTH_ACCESS_TOKEN\"",
    ];
    assert_eq!(world.service(&words).status().unwrap().code(), Some(0));
    let words = ["exec", sample::BANKING, "--", "./no-such-program"];
    assert_eq!(
        world.service(&words).output().unwrap().status.code(),
        Some(127)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_needs_a_person_is_not_started() {
    let world = World::with_profile().await;
    let output = world.run(&["exec", sample::BANKING, "--", "sh", "-c", "echo started"]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(4), String::new())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_the_command() {
    let world = World::new().await;
    let file = world.home().join("token");
    // It ends by itself, with another code, where no signal comes.
    let script = "trap 'exit 43' TERM; echo ready; n=0; while [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done; exit 44";
    for more in [&[][..], &["--token-file", file.to_str().unwrap()]] {
        let words = [
            &["exec", sample::BANKING][..],
            more,
            &["--", "sh", "-c", script],
        ]
        .concat();
        let mut child = world
            .service(&words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(43), "{more:?}");
    }
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_signal_ends_is_told_as_a_shell_does() {
    let world = World::new().await;
    let file = world.home().join("token");
    let script = ["--", "sh", "-c", "kill -9 $$"];
    let words = [&["exec", sample::BANKING][..], &script].concat();
    assert_eq!(world.service(&words).status().unwrap().signal(), Some(9));
    let words = [
        &[
            "exec",
            sample::BANKING,
            "--token-file",
            file.to_str().unwrap(),
        ][..],
        &script,
    ]
    .concat();
    assert_eq!(world.service(&words).status().unwrap().code(), Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_kept_fresh_and_never_torn() {
    let world = World::new().await;
    let lifetime = Some(Duration::from_secs(1));
    world
        .emulator
        .set_token_lifetime(sample::SERVICE, lifetime)
        .unwrap();
    let file = world.home().join("token");
    // Reads as often as it can, until it has seen six tokens: five lifetimes.
    let script = "last=; seen=0
        while [ $seen -lt 6 ]; do
            token=$(cat \"$INTELLIAUTH_TOKEN_FILE\") || continue
            if [ \"$token\" != \"$last\" ]; then echo \"$token\"; last=$token; seen=$((seen + 1)); fi
            sleep 0.01
        done
        stat -c %a \"$INTELLIAUTH_TOKEN_FILE\"";
    let words = [
        "exec",
        sample::BANKING,
        "--token-file",
        file.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = world.service(&words).output().unwrap();
    let shown = answer(&output);
    let mut lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.pop(), Some("600"));
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 6);
    let mut issued = Vec::new();
    for token in lines {
        let claims = answer(&world.run(&["inspect", token, "--offline", "--format", "json"]));
        issued.push(json(&claims)["claims"]["iat"].as_u64().unwrap());
    }
    assert!(issued.is_sorted(), "{issued:?}");
    assert!(!file.exists(), "it ends with the command");
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_the_token_by_stdin_and_never_in_its_arguments() {
    let world = World::new().await;
    let bin = world.home().join("bin");
    fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\necho \"$@\"\ncat\nexit 22\n";
    fs::write(bin.join("curl"), script).unwrap();
    fs::set_permissions(bin.join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let words = ["curl", sample::BANKING, "--", "-s", "https://api.example/x"];
    let output = world.service(&words).env("PATH", &path).output().unwrap();
    assert_eq!(output.status.code(), Some(22), "{}", stderr(&output));
    let shown = stdout(&output);
    let (arguments, config) = shown.split_once('\n').unwrap();
    assert_eq!(arguments, "--config - -s https://api.example/x");
    assert!(
        config.starts_with("header = \"Authorization: Bearer eyJ"),
        "{config}"
    );

    let words = [
        "curl",
        sample::BANKING,
        "--",
        "-d",
        "@-",
        "https://api.example/x",
    ];
    assert_eq!(
        world.service(&words).output().unwrap().status.code(),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_that_calls_itself_is_noticed() {
    let world = World::new().await;
    let wrapper = world.home().join("wrapper");
    let script = format!(
        "#!/bin/sh\nexec {PROGRAM} exec {} -- \"$0\"\n",
        sample::BANKING
    );
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["exec", sample::BANKING, "--", wrapper.to_str().unwrap()];
    let output = world.service(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("has started itself 8 times over"),
        "{}",
        stderr(&output)
    );
    assert_eq!(world.emulator.token_requests(), 8);
}
