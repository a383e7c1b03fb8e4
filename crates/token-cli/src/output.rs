//! stdout is what was asked for, and nothing else; people are spoken to on stderr.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal as _, Write as _},
};

use serde::Serialize;

use crate::failure::Failure;

/// Writes what was asked for.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::io("cannot write to stdout", &error))
}

/// Writes what was asked for as one JSON value.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::other("cannot write it as JSON").caused_by(&error))?;
    text.push('\n');
    print(&text)
}

/// Says something to the person.
pub(crate) fn say(text: &str) {
    // Where stderr is closed, no person could read it.
    let _ = writeln!(io::stderr(), "{}", printable(text));
}

/// The text on one line: a name that an issuer or a token brings writes no line of its own.
pub(crate) fn one_line(text: &str) -> String {
    let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// The text without control characters: what a server says moves no cursor of the terminal.
fn printable(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    let safe = |c: char| if is_harmful(c) { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// Says what the person has to see: also on the terminal, where stderr goes elsewhere.
pub(crate) fn say_urgently(text: &str, has_person: bool) {
    say(text);
    if has_person
        && !io::stderr().is_terminal()
        && let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty")
    {
        let _ = writeln!(terminal, "{}", printable(text));
    }
}
