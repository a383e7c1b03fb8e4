//! What was asked for.

use std::fmt::Write as _;

use crate::options::{Grace, GraceKind, Options, Sabotage};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) processes: u16,
    pub(crate) audiences: u16,
    pub(crate) seconds: u64,
    pub(crate) lifetime: u64,
    pub(crate) seed: u64,
    pub(crate) is_merciless: bool,
    /// As the processes know it.
    pub(crate) grace: Option<Grace>,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Run {
    pub(crate) fn new(options: &Options, seed: u64) -> Self {
        Self {
            processes: options.processes,
            audiences: options.audiences,
            seconds: options.seconds,
            lifetime: options.lifetime,
            seed,
            is_merciless: options.merciless,
            grace: options.grace(),
            sabotage: options.sabotage,
        }
    }

    pub(crate) fn headline(&self) -> String {
        let mut line = format!(
            "torture: {} processes, {} audiences, {} s, tokens live {} s, seed {}",
            self.processes, self.audiences, self.seconds, self.lifetime, self.seed
        );
        if self.is_merciless {
            line.push_str(", merciless");
        }
        if let Some(Grace { kind, period }) = self.grace {
            let whom = match kind {
                GraceKind::Identical => "the identical request",
                GraceKind::Any => "any request",
            };
            let _ = write!(line, ", {} s of grace for {whom}", period.as_secs());
        }
        if let Some(sabotage) = self.sabotage {
            let _ = write!(line, ", sabotage: {sabotage:?}");
        }
        line
    }
}
