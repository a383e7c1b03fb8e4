//! `words`: the names that a shell completes. Hidden, since only the scripts of `completion` call it.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

use crate::{
    context::Context, failure::Failure, identity, output::print, places::Places,
    profile::ProfileFile,
};

/// Print the names that a shell completes.
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// Which names.
    #[arg(value_enum)]
    which: Which,
}

/// Which names.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Profiles,
    Audiences,
    Accounts,
}

impl Words {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), Failure> {
        let words = match self.which {
            Which::Profiles => {
                let places = Places::find(&context.environment)?;
                ProfileFile::read(&places)?.profiles.into_keys().collect()
            }
            Which::Audiences => audiences(context).await?,
            Which::Accounts => accounts(context).await?,
        };
        let mut lines = String::new();
        for word in words {
            lines.push_str(&word);
            lines.push('\n');
        }
        print(&lines)
    }
}

/// What the profile names, and what the sessions cover.
async fn audiences(context: &Context) -> Result<BTreeSet<String>, Failure> {
    let settings = context.settings()?;
    let mut words: BTreeSet<String> = settings.profile.access().into_keys().collect();
    if settings.is_person() {
        for session in identity::all(&identity::people(&settings)?).await? {
            words.extend(session.covered().map(|(api, _)| api.as_str().to_owned()));
        }
    }
    Ok(words)
}

async fn accounts(context: &Context) -> Result<BTreeSet<String>, Failure> {
    let sessions = identity::all(&identity::people(&context.settings()?)?).await?;
    Ok(sessions.iter().map(|it| it.name().to_owned()).collect())
}
