//! Where the configuration and the sessions are.

use std::path::PathBuf;

use etcetera::base_strategy::{self, BaseStrategy as _};

use crate::{environment::Environment, failure::Failure};

/// The directories of this command.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// `config.toml`, and the name of the profile in use.
    pub(crate) configuration: PathBuf,
    /// One file for each session: where the SDK keeps them too.
    pub(crate) sessions: PathBuf,
}

impl Places {
    /// Below `INTELLIAUTH_HOME`, or else where the system wants them (XDG on Linux).
    pub(crate) fn find(environment: &Environment) -> Result<Self, Failure> {
        if let Some(home) = environment.get("INTELLIAUTH_HOME") {
            let home = std::path::absolute(&home).unwrap_or_else(|_| PathBuf::from(&home));
            return Ok(Self {
                sessions: home.join("sessions"),
                configuration: home,
            });
        }
        let homeless = |_| {
            Failure::usage("this user has no home directory")
                .advising("set HOME, or INTELLIAUTH_HOME to a directory of your own")
        };
        let base = base_strategy::choose_base_strategy().map_err(homeless)?;
        let native = base_strategy::choose_native_strategy().map_err(homeless)?;
        let state = if cfg!(windows) {
            native.cache_dir()
        } else {
            native.state_dir().unwrap_or_else(|| native.data_dir())
        };
        Ok(Self {
            configuration: base.config_dir().join("intelliauth"),
            sessions: state.join("intelliauth").join("sessions"),
        })
    }

    /// The profiles.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.configuration.join("config.toml")
    }

    /// The name of the profile in use, on a line of its own.
    pub(crate) fn profile_in_use(&self) -> PathBuf {
        self.configuration.join("profile")
    }
}
