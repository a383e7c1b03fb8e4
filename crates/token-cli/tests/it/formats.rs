//! stdout is the token in the form that was asked for, and nothing else.

use intelliauth_emulator::sample;

use crate::support::{World, answer, json, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn each_format_is_what_its_reader_expects() {
    let world = World::new().await;
    let token = |format: &str| {
        let words = ["token", sample::BANKING, "--format", format];
        let output = world.service(&words).output().unwrap();
        assert_eq!(stderr(&output), "");
        answer(&output)
    };
    let is_token = |text: &str| text.starts_with("eyJ") && text.split('.').count() == 3;

    let raw = token("raw");
    assert!(is_token(raw.strip_suffix('\n').unwrap()), "{raw}");
    let header = token("header");
    let header = header.strip_prefix("Authorization: Bearer ").unwrap();
    assert!(is_token(header.trim_end()));
    assert!(is_token(
        token("bearer").strip_prefix("Bearer ").unwrap().trim_end()
    ));
    let variable = token("env");
    let variable = variable
        .strip_prefix("export INTELLIAUTH_ACCESS_TOKEN=")
        .unwrap();
    assert!(is_token(variable.trim_end()));

    let object = json(&token("json"));
    assert!(is_token(object["access_token"].as_str().unwrap()));
    assert_eq!(object["token_type"], "Bearer");
    assert_eq!(object["audience"], sample::BANKING);
    assert_eq!(object["scope"], "read:accounts read:transactions");
    assert_eq!(object["source"], "issuer");
    let expires_at = object["expires_at"].as_str().unwrap();
    assert!(expires_at.len() == "2026-01-01T12:00:00Z".len() && expires_at.ends_with('Z'));
    assert_eq!(object.as_object().unwrap().len(), 6);
}

/// The members that client.authentication.k8s.io/v1 has: `status` with a token and an RFC 3339 time.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads_an_exec_credential() {
    let world = World::new().await;
    let words = ["token", sample::BANKING, "--format", "exec-credential"];
    let asked = r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false}}"#;
    for (info, version) in [("", "v1"), (asked, "v1beta1")] {
        let output = world
            .service(&words)
            .env("KUBERNETES_EXEC_INFO", info)
            .output()
            .unwrap();
        let object = json(&answer(&output));
        assert_eq!(
            object["apiVersion"],
            format!("client.authentication.k8s.io/{version}")
        );
        assert_eq!(object["kind"], "ExecCredential");
        let status = object["status"].as_object().unwrap();
        assert!(status["token"].as_str().unwrap().starts_with("eyJ"));
        assert!(
            status["expirationTimestamp"]
                .as_str()
                .unwrap()
                .ends_with('Z')
        );
        assert_eq!((status.len(), object.as_object().unwrap().len()), (2, 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_scopes_are_asked_for_and_a_new_token_where_that_is_wanted() {
    let world = World::signed_in().await;
    let token = |more: &[&str]| {
        let words = [&["token", sample::BANKING, "--format", "json"], more].concat();
        json(&answer(&world.run(&words)))
    };
    let kept = token(&[]);
    assert_eq!(kept["source"], "session");
    assert_eq!(world.emulator.token_requests(), 0);
    assert_eq!(
        token(&["--min-ttl", "10m"])["access_token"],
        kept["access_token"]
    );
    let new = token(&["--refresh"]);
    assert_ne!(new["access_token"], kept["access_token"]);
    assert_eq!(world.emulator.token_requests(), 1);
    // An hour is what is granted, and a moment of it has passed: a new one is fetched.
    assert_ne!(
        token(&["--min-ttl", "1h"])["access_token"],
        new["access_token"]
    );
    assert_eq!(world.emulator.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_of_the_sign_in_are_asked_for_by_name() {
    let world = World::with_profile().await;
    let words = ["--audience", sample::BANKING, "--scope", "read:accounts"];
    assert_eq!(
        world.login(&words, sample::ALICE).await.status.code(),
        Some(0)
    );
    let words = [
        "token",
        sample::BANKING,
        "--scope",
        "read:accounts",
        "--format",
        "json",
    ];
    let object = json(&answer(&world.run(&words)));
    assert_eq!(object["source"], "session");
    let mut scopes = object["scope"].as_str().unwrap().split(' ');
    assert!(scopes.any(|scope| scope == "read:accounts"), "{object}");
    let not_asked_for = "read:transactions";
    assert!(!object["scope"].as_str().unwrap().contains(not_asked_for));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_pipe_is_decoded_and_verified() {
    use std::process::Stdio;

    let world = World::signed_in().await;
    let token = answer(&world.run(&["token", sample::BANKING]));
    let inspect = |token: &str, more: &[&str]| {
        let mut command = world.command(&[&["inspect", "--format", "json"], more].concat());
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = inspect(&format!("Authorization: Bearer {token}"), &[]);
    let object = json(&answer(&output));
    assert_eq!(object["verified"], true);
    assert_eq!(object["claims"]["aud"], sample::BANKING);
    assert!(!stderr(&output).contains(token.trim()));

    assert_eq!(
        json(&answer(&inspect(&token, &["--offline"])))["verified"],
        serde_json::Value::Null
    );
    for (text, more) in [
        (token.clone(), &["--audience", sample::HEALTH][..]),
        (format!("{}AAAA", &token.trim()[..token.len() - 6]), &[]),
    ] {
        let output = inspect(&text, more);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert_eq!(json(&stderr(&output))["code"], "invalid_token");
    }
}
