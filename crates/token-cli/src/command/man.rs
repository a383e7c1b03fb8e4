//! `man`: the manual pages, from the command line's own definition.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::{arguments::Arguments, failure::Failure, output::print};

/// Print the manual page, or write the pages of all commands into a directory.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// A directory that gets a page for each command.
    #[arg(long, value_name = "PATH")]
    directory: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  intelliauth-token man | man -l -
  intelliauth-token man --directory ~/.local/share/man/man1";

impl Man {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut command = Arguments::command();
        if let Some(directory) = &self.directory {
            let written = fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(command, directory));
            let failed =
                |error| Failure::io(format!("cannot write into {}", directory.display()), &error);
            return written.map_err(failed);
        }
        command.build();
        let mut page = Vec::new();
        let rendered = Page::new(command).render(&mut page);
        rendered.map_err(|error| Failure::io("cannot render the page", &error))?;
        print(&String::from_utf8_lossy(&page))
    }
}
