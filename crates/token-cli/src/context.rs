//! What every command gets: the command line's common part, the environment, and where it runs.

use crate::{
    arguments::Who, environment::Environment, failure::Failure, identity::Identity,
    settings::Settings, surroundings::Surroundings,
};

/// The command's view of the world.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) who: Who,
    pub(crate) environment: Environment,
    pub(crate) surroundings: Surroundings,
}

impl Context {
    pub(crate) fn new(who: Who, environment: Environment) -> Self {
        Self {
            surroundings: Surroundings::look(&environment),
            who,
            environment,
        }
    }

    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::resolve(&self.who, &self.environment)
    }

    /// The settings, and the client that they name.
    pub(crate) fn open(&self) -> Result<(Settings, Identity), Failure> {
        let settings = self.settings()?;
        let identity = Identity::open(&settings)?;
        Ok((settings, identity))
    }
}
