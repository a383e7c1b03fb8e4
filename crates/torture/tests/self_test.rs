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
    let place = tempfile::tempdir().unwrap();
    let figures = place.path().join("figures.json");
    let status = Command::new(env!("CARGO_BIN_EXE_intelliauth-torture"))
        .args(["--processes", "6", "--seconds", "4", "--seed", "7"])
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
