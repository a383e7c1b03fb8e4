//! The commands, one file each.

pub(crate) mod completion;
pub(crate) mod curl;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod profile;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod words;

use std::process::ExitCode;

use crate::{arguments::Command, context::Context, failure::Failure};

impl Command {
    /// Does it.
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let done = match self {
            Self::Exec(exec) => return Box::pin(exec.run(context)).await,
            Self::Curl(curl) => return Box::pin(curl.run(context)).await,
            Self::Doctor(doctor) => return Box::pin(doctor.run(context)).await,
            Self::Login(login) => Box::pin(login.run(context)).await,
            Self::Token(token) => Box::pin(token.run(context)).await,
            Self::Status(status) => Box::pin(status.run(context)).await,
            Self::Inspect(inspect) => Box::pin(inspect.run(context)).await,
            Self::Explain(explain) => Box::pin(explain.run(context)).await,
            Self::Logout(logout) => Box::pin(logout.run(context)).await,
            Self::Profile(profile) => profile.run(context),
            Self::Completion(completion) => completion.run(),
            Self::Man(man) => man.run(),
            Self::Words(words) => Box::pin(words.run(context)).await,
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
