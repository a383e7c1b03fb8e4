//! People sign in, get tokens, and sign out.

use std::process::Stdio;

use intelliauth_emulator::sample;

use crate::support::{SignIn, World, answer, json, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_shells_with_one_ended_token_make_one_redemption() {
    let world = World::signed_in().await;
    let mut children: Vec<_> = (0..20)
        .map(|_| {
            let mut command = world.command(&["token", sample::HEALTH]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut tokens: Vec<String> = children
        .drain(..)
        .map(|child| answer(&child.wait_with_output().unwrap()))
        .collect();
    assert_eq!(tokens.len(), 20);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "all have the same token");
    assert_eq!(world.emulator.token_requests(), 1);
    assert!(
        world
            .emulator
            .families()
            .iter()
            .all(|family| family.reuses == 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_comes_first_and_stdout_stays_empty() {
    let world = World::with_profile().await;
    let output = world
        .login(&["--audience", sample::BANKING], sample::ALICE)
        .await;
    assert_eq!(stdout(&output), "");
    let shown = stderr(&output);
    let first = format!(
        "To sign in, open this page in a browser:\n\n    {}",
        world.emulator.issuer()
    );
    assert!(shown.starts_with(&first), "{shown}");
    assert!(
        shown.ends_with("for api.banking.cymmetri.com.\n"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_headless_machine_shows_a_code_and_the_person_enters_it_elsewhere() {
    let world = World::with_profile().await;
    let words = ["login", "--audience", sample::BANKING, "--qr", "always"];
    let mut sign_in = SignIn::start(&mut world.command(&words));
    assert!(sign_in.url.ends_with("/activate"), "{}", sign_in.url);
    let code = sign_in.next_indented();
    let alice = world.emulator.login_as(sample::ALICE);
    alice.device_approve(&code).await.unwrap();
    let output = sign_in.end();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains('▀'), "{}", stderr(&output));
    assert!(answer(&world.run(&["token", sample::BANKING])).starts_with("eyJ"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_browser_elsewhere_is_pasted() {
    let world = World::with_profile().await;
    let words = ["login", "--flow", "paste", "--audience", sample::BANKING];
    let mut sign_in = SignIn::start(world.command(&words).stdin(Stdio::piped()));
    let alice = world.emulator.login_as(sample::ALICE);
    let callback = alice.approve(&sign_in.url).await.unwrap();
    sign_in.paste("is this it?");
    sign_in.paste(callback.as_str());
    let output = sign_in.end();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sign_in_adds_to_what_the_first_covers() {
    let world = World::with_profile().await;
    for audience in [sample::BANKING, sample::HEALTH] {
        let output = world.login(&["--audience", audience], sample::ALICE).await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    for audience in [sample::BANKING, sample::HEALTH] {
        answer(&world.run(&["token", audience]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_of_one_profile_are_kept_apart() {
    let world = World::with_profile().await;
    for (account, person) in [("work", sample::ALICE), ("home", sample::BOB)] {
        let words = ["--audience", sample::BANKING, "--account", account];
        assert_eq!(world.login(&words, person).await.status.code(), Some(0));
    }
    let subject = |account: &str| {
        let token = answer(&world.run(&["token", sample::BANKING, "--account", account]));
        let claims =
            answer(&world.run(&["inspect", token.trim(), "--offline", "--format", "json"]));
        json(&claims)["claims"]["sub"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (subject("work").as_str(), subject("home").as_str()),
        (sample::ALICE, sample::BOB)
    );
    let status = json(&answer(&world.run(&["status", "--format", "json"])));
    let accounts: Vec<_> = status["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["account"])
        .collect();
    assert_eq!(accounts, ["home", "work"]);

    // Another person in the account of one: it is said.
    let output = world
        .login(&["--account", "work", "--fresh"], sample::BOB)
        .await;
    assert!(
        stderr(&output).contains("note: the account `work` was that of usr_01HZX0ALICE before"),
        "{}",
        stderr(&output)
    );

    answer(&world.run(&["logout", "--account", "work"]));
    assert_eq!(
        world
            .run(&["token", sample::BANKING, "--account", "work"])
            .status
            .code(),
        Some(4)
    );
    answer(&world.run(&["token", sample::BANKING, "--account", "home"]));
    answer(&world.run(&["logout", "--all"]));
    assert_eq!(
        world
            .run(&["token", sample::BANKING, "--account", "home"])
            .status
            .code(),
        Some(4)
    );
    assert!(
        world
            .emulator
            .families()
            .iter()
            .all(|family| family.death.is_some())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_explain_say_what_is_and_do_nothing() {
    let world = World::signed_in().await;
    let status = answer(&world.run(&["status"]));
    for part in [
        "Profile main: application app_01HZX0NATIVE at http://127.0.0.1:",
        "Account default: usr_01HZX0ALICE is signed in.",
        "api.banking.cymmetri.com: ",
        "its token is valid for 59 min, until 20",
        "api.health.cymmetri.com: ",
        "no token is kept; the next call fetches one.",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let outcome = |audience: &str| {
        let told = json(&answer(
            &world.run(&["explain", audience, "--format", "json"]),
        ));
        told["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(sample::BANKING), "hit");
    assert_eq!(outcome(sample::HEALTH), "refresh");
    assert_eq!(outcome(sample::SETTINGS), "ask");
    let told = answer(&world.run(&["explain", "Api.banking.cymmetri.com"]));
    assert!(
        told.contains("has signed in for api.banking.cymmetri.com")
            && told.contains("run: intelliauth-token login"),
        "{told}"
    );
    assert!(world.emulator.requests().is_empty());
    // And that is what happens.
    for (audience, requests) in [(sample::BANKING, 0), (sample::HEALTH, 1)] {
        answer(&world.run(&["token", audience]));
        assert_eq!(world.emulator.token_requests(), requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_shows_what_is_done_and_no_secret() {
    let world = World::signed_in().await;
    let output = world.run(&["token", sample::HEALTH, "-vv"]);
    let token = answer(&output);
    let shown = stderr(&output);
    assert!(shown.contains("DEBUG"), "{shown}");
    assert!(
        !shown.contains(token.trim()) && !shown.contains("eyJ"),
        "{shown}"
    );
}
