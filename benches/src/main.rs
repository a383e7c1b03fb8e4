//! What a cached call costs: `cargo xtask bench --help` tells more.

mod allocator;
#[cfg(feature = "calls")]
mod calls;
mod case;
mod endpoint;
mod fence;
mod goals;
mod hits;
mod instructions;
mod limits;
mod million;
mod minute;
mod options;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod people;
mod plot;
mod results;
mod rows;
mod stampede;
mod subject;
mod table;
mod timing;
mod tokens;
#[cfg(feature = "verify")]
mod verify;
mod window;

use std::{env, process::ExitCode};

use anyhow::Result;

use options::{HELP, Task};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match options::parse(env::args().skip(1))? {
        Task::Help => print!("{HELP}"),
        Task::Fence { accepts } => fence::run(accepts)?,
        Task::Fixed { case, times } => hits::fixed(&case, times)?,
        Task::Run(options) => {
            let results = results::measure(&options)?;
            print!("{}", table::of(&results));
            #[cfg_attr(
                not(any(feature = "calls", feature = "verify")),
                expect(unused_mut, reason = "only what is left out adds to them")
            )]
            let (mut rows, mut goals) = (results.rows(), goals::of(&results));
            #[cfg(feature = "verify")]
            {
                let verified = verify::measure(&options)?;
                print!("{}", verify::table(&verified));
                rows.extend(verified.rows());
                goals.extend(verified.goals());
            }
            #[cfg(feature = "calls")]
            {
                let called = calls::measure(&options)?;
                print!("{}", calls::table(&called));
                rows.extend(calls::rows(&called));
                goals.extend(calls::goals(&called));
            }
            print!("{}", goals::table(&goals));
            let json = serde_json::to_string_pretty(&rows)? + "\n";
            progress(&format!(
                "written: {}",
                rows::write("bench.json", &json)?.display()
            ));
            let svg = plot::of(&results);
            progress(&format!(
                "written: {}",
                rows::write("bench.svg", &svg)?.display()
            ));
        }
    }
    Ok(())
}

/// Says what is being done, where it does not mix with the tables.
fn progress(line: &str) {
    eprintln!("… {line}");
}
