//! Words that the SDK's identifiers have given up for plainer ones.

use crate::source::Source;

/// Parts of identifiers that no identifier of the SDK may have, each with what to say instead.
///
/// `land` is part of `land`, `land_at` and `LandAt`, and not of `island`.
const PARTS: [(&str, &str); 33] = [
    ("aboard", "tasks"),
    ("airborne", "current_flight"),
    ("berth", "slot"),
    ("board", "join"),
    ("boarding", "join"),
    ("bring", "a verb that says what is done"),
    ("brought", "a noun that says what it is"),
    ("burial", "tombstone"),
    ("buried", "signed_out"),
    ("bury", "write_tombstone"),
    ("crowd", "overflow"),
    ("crowded", "overflow"),
    ("depart", "run or start"),
    ("departure", "start"),
    ("departures", "flights"),
    ("embark", "spawn"),
    ("entrance", "authorization_endpoint"),
    ("ferry", "runtime"),
    ("fly", "request"),
    ("flying", "in_flight"),
    ("glance", "refresh_in_background"),
    ("harbour", "runtime"),
    ("land", "publish or finish"),
    ("landed", "received_at or outcome"),
    ("landing", "result"),
    ("launch", "start"),
    ("obtained", "a noun that says what it is"),
    ("owe", "queue_revocation"),
    ("pay", "revoke_queued"),
    ("ride", "wait_for_flight"),
    ("seek", "a verb that says what is done"),
    ("sought", "request"),
    ("unrest", "pending"),
];

/// Whole identifiers that the SDK may not have, each with what to say instead.
const NAMES: [(&str, &str); 23] = [
    ("Ahead", "OnStale"),
    ("Carrier", "FlightRuntime"),
    ("Front", "FastPath"),
    ("Looked", "Loaded"),
    ("Met", "ThrottleKey"),
    ("Strip", "Shared"),
    ("drop_one", "make_room"),
    ("in_front", "fast_path"),
    ("instead_of", "override_for"),
    ("is_at_rest", "is_signed_out"),
    ("is_carried_here", "is_on_this_runtime"),
    ("leave_queue", "become_current"),
    ("look_aged", "serve_stale"),
    ("look_at", "read_entry"),
    ("look_bare", "get_unscoped"),
    ("look_broader", "get_superset"),
    ("look_in", "read_slot"),
    ("look_named", "get_scoped"),
    ("look_otherwise", "get_by_mode"),
    ("must_stay", "refused_meanwhile"),
    ("named_token", "scoped_token"),
    ("rests_under", "clear_sign_out_mark"),
    ("take_turn", "try_evict"),
];

/// One line for each retired identifier.
pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for word in &source.words {
            if let Some(better) = better(&word.text) {
                let (path, line, text) = (&source.path, word.line, &word.text);
                findings.push(format!("{path}:{line}: `{text}` is retired; {better}"));
            }
        }
    }
    findings
}

fn better(identifier: &str) -> Option<String> {
    let name = NAMES.iter().find(|(retired, _)| *retired == identifier);
    if let Some((_, better)) = name {
        return Some(format!("say {better}"));
    }
    let parts = parts(identifier);
    let is_part = |retired: &str| parts.iter().any(|part| part == retired);
    let (retired, better) = PARTS.iter().find(|(retired, _)| is_part(retired))?;
    Some(format!("instead of `{retired}` say {better}"))
}

/// The words of an identifier, in lower case: split at `_`, and before an upper case letter that follows a
/// lower case one.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for character in identifier.chars() {
        let is_start = character == '_' || was_lower && character.is_uppercase();
        if is_start {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| character != '_') {
            part.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        findings(&[Source::parse("src/a.rs", text)])
    }

    #[test]
    fn a_retired_word_is_found_as_a_part_of_an_identifier() {
        let findings = found("fn land_here() {}\nstruct LastLanding;\nconst LAND: u8 = 0;");
        assert_eq!(findings.len(), 3);
        assert_eq!(
            findings[0],
            "src/a.rs:1: `land_here` is retired; instead of `land` say publish or finish"
        );
        assert_eq!(found("fn look_at(slot: Front) {}").len(), 2);
    }

    #[test]
    fn words_that_only_contain_it_and_text_are_free() {
        let text = "// it lands\nfn island(payload: &str, front: usize) { print(\"land\") }";
        assert_eq!(found(text), [""; 0]);
    }
}
