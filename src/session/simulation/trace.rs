//! What happened in a schedule, line by line, for a person to read.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use super::executor::Instant;

/// The lines of one schedule; none where they are not read.
#[derive(Debug)]
pub(super) struct Trace {
    lines: Option<Mutex<Vec<(Instant, String)>>>,
}

impl Trace {
    pub(super) fn new(is_kept: bool) -> Self {
        Self {
            lines: is_kept.then(Mutex::default),
        }
    }

    /// Adds a line, which is made only if it is kept.
    pub(super) fn line(&self, at: Instant, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push((at, line()));
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (at, line) in self.lines.iter().flat_map(|lines| {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.clone()
        }) {
            let (seconds, milliseconds) = (at.0 / 1_000_000_000, at.0 / 1_000_000 % 1000);
            // Writing to a string never fails.
            let _ = writeln!(text, "{seconds:>7}.{milliseconds:03}  {line}");
        }
        text
    }
}
