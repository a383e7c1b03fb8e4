//! The rows of a run, and the file that they are written to.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::subject::Group;

/// One row of `bench.json`: what was measured of one subject in one situation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) group: Group,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) median_ns: Option<f64>,
    /// What a tenth of the rounds took at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenth_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allocations: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<usize>,
}

impl Row {
    pub(crate) fn new(group: Group, section: &str, name: &str) -> Self {
        Self {
            group,
            name: format!("{section}: {name}"),
            threads: None,
            median_ns: None,
            tenth_ns: None,
            instructions: None,
            allocations: None,
            requests: None,
        }
    }
}

/// Writes `text` into the repository's target folder, and says where.
pub(crate) fn write(file: &str, text: &str) -> Result<PathBuf> {
    let folder = package()?.join("../target");
    fs::create_dir_all(&folder)?;
    let path = fs::canonicalize(&folder)?.join(file);
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

/// The folder of this package.
pub(crate) fn package() -> Result<PathBuf> {
    let folder = env::var_os("CARGO_MANIFEST_DIR")
        .context("start it through cargo, so that it knows where it is")?;
    Ok(Path::new(&folder).to_path_buf())
}
