//! Each exit code and its message, once.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use intelliauth_emulator::{Endpoint, Fault, RetryAfter, sample};

use crate::support::{World, json, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn two_is_for_a_wrong_command_line_or_configuration() {
    let world = World::new().await;
    let output = world.run(&["token", sample::BANKING]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "error: no tenant is configured\nrun: intelliauth-token profile add main --tenant-url https://TENANT --client-id app_ID\n"
    );
    let output = world.run(&["token", "--fromat", "json", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let told = json(&stderr(&output));
    assert_eq!(told["code"], "usage");
    assert!(
        told["message"].as_str().unwrap().contains("--fromat"),
        "{told}"
    );

    std::fs::write(
        world.home().join("config.toml"),
        "[profile.a]\ntenant = 1\n",
    )
    .unwrap();
    let output = world.run(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
    // It works all the same.
    let output = world.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("FAULT  configuration"),
        "{}",
        stdout(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_is_for_a_person_who_says_no_or_does_not_come_back() {
    let world = World::with_profile().await;
    let sign_in = world.begin_login(&["--audience", sample::BANKING]);
    let alice = world.emulator.login_as(sample::ALICE);
    let callback = alice.deny(&sign_in.url).await.unwrap();
    reqwest::get(callback).await.unwrap();
    let output = sign_in.end();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));

    let words = [
        "login",
        "--flow",
        "browser",
        "--timeout",
        "0s",
        "--format",
        "json",
    ];
    let output = world.run(&words);
    assert_eq!(output.status.code(), Some(3));
    let shown = stderr(&output);
    let told = json(shown.lines().last().unwrap());
    assert_eq!(told["code"], "timed_out");
    assert_eq!(
        told["next_command"],
        "intelliauth-token login --profile main"
    );
    assert!(shown.starts_with("To sign in, open this page"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_is_for_a_person_who_is_needed_and_names_the_command_that_helps() {
    let world = World::with_profile().await;
    let words = [
        "token",
        sample::BANKING,
        "--scope",
        "read:accounts",
        "--no-interactive",
    ];
    let output = world.run(&words);
    assert_eq!(output.status.code(), Some(4));
    let command = "intelliauth-token login --audience api.banking.cymmetri.com --scope read:accounts --profile main";
    assert_eq!(
        stderr(&output),
        format!(
            "error: a sign-in is needed for `{}`\nrun: {command}\n",
            sample::BANKING
        )
    );
    let output = world.run(&[&words[..], &["--format", "json"]].concat());
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(4), String::new())
    );
    let told = json(&stderr(&output));
    assert_eq!(told["code"], "login_required");
    assert_eq!(told["next_command"], command);
    assert_eq!(told["retry_after"], serde_json::Value::Null);

    // The command does help.
    let words: Vec<&str> = command.split(' ').skip(2).collect();
    assert_eq!(
        world.login(&words, sample::ALICE).await.status.code(),
        Some(0)
    );
    let output = world.run(&["token", sample::HEALTH, "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(json(&stderr(&output))["code"], "consent_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_is_for_what_is_refused_for_good() {
    let world = World::new().await;
    let words = [
        "token",
        sample::BANKING,
        "--scope",
        "write:transactions",
        "--format",
        "json",
    ];
    let output = world.service(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(json(&stderr(&output))["code"], "scope_not_allowed");
    let wrong = world
        .service(&["token", sample::BANKING, "--format", "json"])
        .env("INTELLIAUTH_M2M_CLIENT_SECRET", "not-a-real-one")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(5));
    assert_eq!(json(&stderr(&wrong))["code"], "credentials_rejected");
    assert!(!stderr(&wrong).contains("not-a-real-one"));
    let short = world
        .service(&["token", sample::BANKING, "--min-ttl", "2h"])
        .output()
        .unwrap();
    assert_eq!(short.status.code(), Some(5));
    assert!(stderr(&short).contains("live 1 h"), "{}", stderr(&short));
}

#[tokio::test(flavor = "multi_thread")]
async fn six_is_for_what_may_work_later_and_says_when() {
    let world = World::new().await;
    let fault = Fault::rate_limited(RetryAfter::Seconds(7)).at(Endpoint::Token);
    world.emulator.fault(fault);
    let words = ["token", sample::BANKING, "--format", "json"];
    let output = world.service(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    let told = json(&stderr(&output));
    assert_eq!(
        (&told["code"], &told["retry_after"]),
        (&"unavailable".into(), &7.into())
    );
    let again = told["next_command"].as_str().unwrap();
    assert!(
        again.ends_with("token api.banking.cymmetri.com --format json"),
        "{again}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_is_for_sessions_that_cannot_be_read() {
    let world = World::signed_in().await;
    let sessions = world.home().join("sessions");
    std::fs::set_permissions(&sessions, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = world.run(&["token", sample::BANKING]);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let shown = stderr(&output);
    assert!(
        shown.contains("chmod") && shown.contains("run: intelliauth-token doctor"),
        "{shown}"
    );
    let output = world.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("FAULT  sessions"),
        "{}",
        stdout(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_thirty_is_for_an_interrupted_command() {
    let world = World::with_profile().await;
    let sign_in = world.begin_login(&["--audience", sample::BANKING]);
    let pid = sign_in.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(sign_in.end().status.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_for_everything_else() {
    let world = World::new().await;
    let output = world.run(&["inspect", "opaque", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&stderr(&output))["code"], "other");
}
