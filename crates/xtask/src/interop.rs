//! The tests in `interop/`: their foreign parts are installed first, then they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{cargo, run, succeeds};
use crate::steps::Outcome;
use crate::tools;

/// Prepares each folder of `interop/` for its language, then runs the package's tests.
pub(crate) fn test(root: &Path) -> Result<Outcome> {
    let interop = root.join("interop");
    if !interop.join("Cargo.toml").exists() {
        return Ok(Outcome::Skipped("there is no interop/Cargo.toml"));
    }
    // The pages of the emulator are opened in a real browser.
    tools::system("chromedriver", &["chromium", "chromium-driver"])?;
    // A store of sessions that many machines share.
    tools::system("redis-server", &["redis-server"])?;
    for folder in folders(&interop)? {
        if folder.join("package.json").exists() {
            prepare_node(&folder)?;
        }
        if folder.join("requirements.txt").exists() {
            prepare_python(&folder)?;
        }
    }
    run(cargo(root).args(["test", "--manifest-path", "interop/Cargo.toml"]))?;
    Ok(Outcome::Passed)
}

/// `interop/` itself and the folders directly inside it.
fn folders(interop: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![interop.to_path_buf()];
    for entry in fs::read_dir(interop)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Installs what the lock file names, unless it is installed already.
fn prepare_node(folder: &Path) -> Result<()> {
    tools::system("npm", &["nodejs", "npm"])?;
    // npm writes this file last: an installation that was cut short is done again.
    let installed = folder.join("node_modules/.package-lock.json");
    if is_newer(&installed, &folder.join("package-lock.json")) {
        return Ok(());
    }
    run(Command::new("npm")
        .current_dir(folder)
        .args(["ci", "--no-audit", "--no-fund"]))
    .with_context(|| format!("in {}", folder.display()))
}

/// Installs the requirements into `.venv` beside them, unless exactly these are installed already.
fn prepare_python(folder: &Path) -> Result<()> {
    let wanted = fs::read_to_string(folder.join("requirements.txt"))?;
    let stamp = folder.join(".venv/installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    tools::system("python3", &["python3", "python3-venv"])?;
    // Debian's python3 comes without the part that puts pip into a new environment.
    if !succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        tools::install("Python's venv", &["python3-venv"])?;
    }
    let in_folder = || format!("in {}", folder.display());
    run(Command::new("python3")
        .current_dir(folder)
        .args(["-m", "venv", "--clear", ".venv"]))
    .with_context(in_folder)?;
    let python = folder.join(".venv/bin/python");
    run(Command::new(python).current_dir(folder).args(PIP_INSTALL)).with_context(in_folder)?;
    Ok(fs::write(stamp, wanted)?)
}

const PIP_INSTALL: [&str; 6] = [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "-r",
    "requirements.txt",
];

fn is_newer(file: &Path, than: &Path) -> bool {
    let modified = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    match (modified(file), modified(than)) {
        (Some(file), Some(than)) => file >= than,
        _ => false,
    }
}
