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
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what the person has to see: also on the terminal, where stderr goes elsewhere.
pub(crate) fn say_urgently(text: &str, has_person: bool) {
    say(text);
    if has_person
        && !io::stderr().is_terminal()
        && let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty")
    {
        let _ = writeln!(terminal, "{text}");
    }
}
