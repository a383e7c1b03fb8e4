//! Profiles, the doctor, and what a package ships.

use std::process::Command;

use intelliauth_emulator::sample;

use crate::support::{PROGRAM, World, answer, json, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_added_chosen_shown_and_removed() {
    let world = World::with_profile().await;
    world.add_profile("other");
    let output = world.run(&["token", sample::BANKING]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).ends_with("run: intelliauth-token profile use main\n"),
        "{}",
        stderr(&output)
    );
    answer(&world.run(&["profile", "use", "other"]));
    let listed = answer(&world.run(&["profile", "list"]));
    assert!(
        listed.contains("  main  http") && listed.contains("* other  http"),
        "{listed}"
    );
    let shown = json(&answer(
        &world.run(&["profile", "show", "--format", "json"]),
    ));
    assert_eq!(
        (&shown["name"], &shown["profile"]["client_id"]),
        (&"other".into(), &sample::NATIVE.into())
    );
    answer(&world.run(&["profile", "remove", "other"]));
    assert!(answer(&world.run(&["profile", "list"])).starts_with("* main"));
    assert_eq!(
        world.run(&["status", "--profile", "mian"]).status.code(),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_an_application_reads_its_secret_from_a_file() {
    let world = World::new().await;
    std::fs::write(world.home().join("jobs.secret"), sample::SERVICE_SECRET).unwrap();
    let text = format!(
        "[profile.jobs]\ntenant_url = {:?}\nclient_id = {:?}\nkind = \"application\"\nclient_secret_file = \"jobs.secret\"\n",
        world.emulator.issuer(),
        sample::SERVICE
    );
    std::fs::write(world.home().join("config.toml"), text).unwrap();
    assert!(answer(&world.run(&["token", sample::BANKING])).starts_with("eyJ"));
    let output = world.run(&["login"]);
    assert_eq!(output.status.code(), Some(2));
    let told = json(&answer(&world.run(&[
        "explain",
        sample::BANKING,
        "--format",
        "json",
    ])));
    assert_eq!(told["outcome"], "request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_asks_the_issuer_and_finds_a_wrong_name() {
    let world = World::with_profile().await;
    let output = world.run(&["doctor", "--network"]);
    let told = answer(&output);
    assert!(
        told.contains("good   issuer") && told.contains("good   clock"),
        "{told}"
    );
    assert!(
        told.contains("note   browser: none opens, since CI is set"),
        "{told}"
    );
    let elsewhere = world.emulator.issuer().replace("127.0.0.1", "localhost");
    let words = [
        "doctor",
        "--network",
        "--format",
        "json",
        "--tenant-url",
        &elsewhere,
    ];
    let output = world.run(&words);
    assert_eq!(output.status.code(), Some(1));
    let findings = json(&stdout(&output));
    let issuer = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["check"] == "issuer")
        .unwrap();
    assert_eq!(issuer["state"], "fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_manual_pages_are_made() {
    let world = World::signed_in().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            answer(&world.run(&["completion", shell])).contains("intelliauth-token"),
            "{shell}"
        );
    }
    let script = "source <(intelliauth-token completion bash)
        for words in '--profile m' 'token api.b' 'sta'; do
            COMP_WORDS=(intelliauth-token $words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
            _intelliauth_token_names intelliauth-token \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"
            echo \"${COMPREPLY[@]}\"
        done";
    let bin = std::path::Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut bash = world.command(&[]);
    let bash = bash
        .env("PATH", path)
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
        .collect::<Vec<_>>();
    let completed = Command::new("bash")
        .args(["-c", script])
        .env_clear()
        .envs(bash)
        .output()
        .unwrap();
    assert_eq!(
        answer(&completed),
        "main\napi.banking.cymmetri.com\nstatus\n"
    );
    assert!(answer(&world.run(&["man"])).contains(".TH intelliauth"));
    let pages = world.home().join("man1");
    answer(&world.run(&["man", "--directory", pages.to_str().unwrap()]));
    assert!(pages.join("intelliauth-token-exec.1").exists());
}
