//! What was asked for on the command line.

use anyhow::{Context as _, Result, bail};

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    /// Measures.
    Run(Options),
    /// Counts instructions and compares them with the stored ones.
    Fence {
        accepts: bool,
    },
    /// Makes the calls of one case and nothing else: what valgrind looks at.
    Fixed {
        case: String,
        times: u64,
    },
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) is_quick: bool,
    pub(crate) only: Option<String>,
    pub(crate) counts_instructions: bool,
}

impl Options {
    /// Whether a row is asked for, by the group's name or its own.
    pub(crate) fn wants(&self, section: &str, name: &str) -> bool {
        let Some(only) = &self.only else {
            return true;
        };
        format!("{section}: {name}").contains(only.as_str())
    }
}

/// Reads the arguments.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Task> {
    let mut arguments = arguments.into_iter();
    let mut options = Options {
        counts_instructions: true,
        ..Options::default()
    };
    let (mut fence, mut accepts, mut fixed, mut case) = (false, false, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = |what| {
            arguments
                .next()
                .with_context(|| format!("{argument} needs {what}"))
        };
        match argument.as_str() {
            "--help" | "-h" => return Ok(Task::Help),
            "--quick" => options.is_quick = true,
            "--no-instructions" => options.counts_instructions = false,
            "--only" => options.only = Some(value("a part of a row's name")?),
            "--fence" => fence = true,
            "--accept" => accepts = true,
            "--fixed" => fixed = Some(value("a number of calls")?.parse()?),
            "--case" => case = Some(value("the name of a case")?),
            unknown => bail!("there is no option `{unknown}`; --help lists them"),
        }
    }
    match (fence, fixed, case) {
        (true, ..) => Ok(Task::Fence { accepts }),
        (_, Some(times), Some(case)) => Ok(Task::Fixed { case, times }),
        (_, None, None) if accepts => bail!("--accept belongs to --fence"),
        (_, None, None) => Ok(Task::Run(options)),
        _ => bail!("--fixed and --case belong together"),
    }
}

pub(crate) const HELP: &str = "\
What a cached call costs, beside what the machine allows and what others need.

Usage: cargo xtask bench [OPTIONS]

Without options everything is measured, in about seven minutes: close what else runs.

  hit        one cached call: time at one and at two threads on the same key, heap
             allocations, and instructions where valgrind is installed
  stampede   10,000 callers at once without a token, for 1 and for 50 audiences
  refresh    20 callers while a token is renewed at an endpoint that takes 300 ms
  outage     20 callers of a token that is due, while the endpoint answers 503
  stuck      20 callers of cached tokens beside an audience that is never answered
  million    1,000,000 pairs of session and audience: heap, time to insert, time to hit
  verify     the other end: a token verified, beside the bare check of its signature, and
             requests per second of an API with and without the layer
  call       a whole call to an API on loopback: a hand-set header, an empty middleware,
             ours, and azure_core's bearer policy

Each ratio stands beside a limit that was measured in the same run: on another machine,
or a busy one, times change and ratios hardly do. Counts do not change at all.

Options:
  --quick            A minute: short rounds, fewer peers, 100,000 pairs
  --only SUBSTRING   Rows whose \"section: name\" contains it, such as `hit` or `yup`
  --no-instructions  Do not count instructions, which takes most of the time of a hit
  --fence            Count the instructions of our own calls and compare them with
                     benches/fence.json: fails if one is over
  --fence --accept   Write what was counted into benches/fence.json
  -h, --help         Print this

Written to the repository's target folder: bench.json (every row) and bench.svg (a hit
and a refresh, ours beside the peers). Progress goes to stderr.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_may_stand_in_any_order() {
        let Ok(Task::Run(options)) = parsed("--only hit --quick") else {
            panic!("it is a run");
        };
        assert!(options.is_quick);
        assert!(options.wants("hit", "handle, borrow"));
        assert!(!options.wants("stuck", "intelliauth"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(
            parsed("--quik")
                .unwrap_err()
                .to_string()
                .contains("`--quik`")
        );
        assert!(parsed("--accept").is_err());
        assert!(parsed("--fixed 3").is_err());
        assert!(parsed("--only").is_err());
    }

    #[test]
    fn a_fence_can_be_moved() {
        assert_eq!(
            parsed("--fence --accept").unwrap(),
            Task::Fence { accepts: true }
        );
    }
}
