//! The torture test can fail: whoever breaks a rule on purpose is found out.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where something is missing"
)]
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

/// Runs it with a rule broken; its figures, and the goals that were missed.
fn sabotaged(rule: &str) -> (Value, Vec<String>) {
    sabotaged_with(rule, &["--seconds", "4"])
}

/// With a grace period for the identical request, and time enough for answers that are lost.
fn sabotaged_in_grace(rule: &str) -> (Value, Vec<String>) {
    let options = ["--grace", "identical", "--seconds", "10", "--lifetime", "2"];
    sabotaged_with(rule, &options)
}

fn sabotaged_with(rule: &str, options: &[&str]) -> (Value, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let figures = place.path().join("figures.json");
    let status = Command::new(env!("CARGO_BIN_EXE_intelliauth-torture"))
        .args(["--processes", "6", "--seed", "7"])
        .args(options)
        .args(["--sabotage", rule])
        .arg("--json")
        .arg(&figures)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1), "{rule}");
    let figures: Value = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    let missed = figures["goals_missed"].as_array().unwrap();
    let missed = missed.iter().map(|key| key.as_str().unwrap().to_owned());
    let missed = missed.collect();
    (figures, missed)
}

#[test]
fn processes_that_do_not_lock_log_people_out() {
    let (figures, missed) = sabotaged("no-lock");
    for goal in ["logouts_our_fault", "redemptions_per_rotation"] {
        assert!(missed.iter().any(|key| key == goal), "{figures:#}");
    }
    assert!(
        figures["figures"]["ours_used_twice"].as_u64() > Some(0),
        "{figures:#}"
    );
}

#[test]
fn processes_that_write_in_place_tear_the_file() {
    let (figures, missed) = sabotaged("torn-writes");
    assert!(missed.iter().any(|key| key == "torn_files"), "{figures:#}");
}

#[test]
fn processes_that_take_what_comes_have_the_wrong_audience() {
    let (figures, missed) = sabotaged("wrong-audience");
    assert!(
        missed.iter().any(|key| key == "wrong_audience"),
        "{figures:#}"
    );
}

#[test]
fn processes_that_count_on_a_grace_period_in_vain_lose_sessions() {
    let (figures, missed) = sabotaged_in_grace("no-grace");
    for goal in ["logouts_our_fault", "answered_again"] {
        assert!(missed.iter().any(|key| key == goal), "{figures:#}");
    }
    assert!(
        figures["figures"]["ours_lost_in_grace"].as_u64() > Some(0),
        "{figures:#}"
    );
}

#[test]
fn processes_that_repeat_another_request_lose_sessions() {
    let (figures, missed) = sabotaged_in_grace("other-request");
    assert!(
        missed.iter().any(|key| key == "logouts_our_fault"),
        "{figures:#}"
    );
    assert!(
        figures["figures"]["other_requests"].as_u64() > Some(0),
        "{figures:#}"
    );
}

#[test]
fn a_grace_period_hides_no_process_that_does_not_lock() {
    let (figures, missed) = sabotaged_in_grace("no-lock");
    for goal in ["logouts_our_fault", "redemptions_per_rotation"] {
        assert!(missed.iter().any(|key| key == goal), "{figures:#}");
    }
}

#[test]
fn what_no_run_can_show_is_refused() {
    let refused: [&[&str]; 3] = [
        &["--grace", "identical", "--audiences", "1"],
        &["--sabotage", "no-grace"],
        &["--grace-seconds", "9"],
    ];
    for arguments in refused {
        let status = Command::new(env!("CARGO_BIN_EXE_intelliauth-torture"))
            .args(arguments)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
