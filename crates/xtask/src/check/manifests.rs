//! The emulator and the SDK stay strangers: a shared mistake would pass its own test.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const SDK: &str = "intelliauth";
const EMULATOR: &str = "intelliauth-emulator";

/// Dependencies that no package here may have, one line each.
pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
    let mut findings = of_emulator(&read("crates/emulator/Cargo.toml")?);
    findings.extend(of_sdk(&read("Cargo.toml")?));
    Ok(findings)
}

fn of_emulator(manifest: &str) -> Vec<String> {
    let on_sdk = dependencies(manifest)
        .into_iter()
        .filter(|dependency| dependency.names(SDK));
    on_sdk
        .map(|found| {
            format!(
                "crates/emulator/Cargo.toml:{}: the emulator depends on the SDK",
                found.line
            )
        })
        .collect()
}

fn of_sdk(manifest: &str) -> Vec<String> {
    let is_wrong = |dependency: &Dependency<'_>| {
        let is_dev = dependency.section == "dev-dependencies";
        let is_path_only =
            dependency.value.contains("path") && !dependency.value.contains("version");
        dependency.names(EMULATOR) && !(is_dev && is_path_only)
    };
    let wrong = dependencies(manifest).into_iter().filter(is_wrong);
    wrong
        .map(|found| {
            let line = found.line;
            format!("Cargo.toml:{line}: the SDK may have the emulator as a dev-dependency by its path alone")
        })
        .collect()
}

/// A line of a manifest that asks for a package.
struct Dependency<'a> {
    /// `dependencies`, `target.'cfg(unix)'.dev-dependencies`, and so on.
    section: &'a str,
    name: &'a str,
    value: &'a str,
    line: usize,
}

impl Dependency<'_> {
    /// Whether it is this package, under its own name or another.
    fn names(&self, package: &str) -> bool {
        let renamed = self
            .value
            .split_once("package")
            .and_then(|(_, rest)| rest.split('"').nth(1));
        renamed.unwrap_or(self.name) == package
    }
}

/// Reads the two forms that are written here: `name = ..` under a section, and `[dependencies.name]`.
fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut section = "";
    for (index, text) in manifest.lines().enumerate() {
        let (text, line) = (text.trim(), index + 1);
        if let Some(header) = text.strip_prefix('[') {
            section = header.trim_end_matches(']');
            if let Some((parent, name)) = section.rsplit_once('.')
                && parent.ends_with("dependencies")
            {
                found.push(Dependency {
                    section: parent,
                    name,
                    value: "",
                    line,
                });
            }
        } else if section.ends_with("dependencies")
            && !text.starts_with('#')
            && let Some((key, value)) = text.split_once('=')
        {
            let name = key
                .split('.')
                .next()
                .unwrap_or(key)
                .trim()
                .trim_matches('"');
            found.push(Dependency {
                section,
                name,
                value,
                line,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulator_may_not_know_the_sdk_under_any_name() {
        assert_eq!(
            of_emulator("[dependencies]\nintelliauth.workspace = true").len(),
            1
        );
        assert_eq!(
            of_emulator("[dev-dependencies.intelliauth]\npath = \"../..\"").len(),
            1
        );
        assert_eq!(
            of_emulator("[dependencies]\nsdk = { package = \"intelliauth\", path = \"../..\" }")
                .len(),
            1
        );
        assert_eq!(
            of_emulator("[package]\nname = \"intelliauth-emulator\"\n[dependencies]\naxum = \"1\"")
                .len(),
            0
        );
    }

    #[test]
    fn the_sdk_may_test_against_the_emulator_and_no_more() {
        assert_eq!(
            of_sdk("[dev-dependencies]\nintelliauth-emulator = { path = \"x\" }").len(),
            0
        );
        assert_eq!(
            of_sdk("[dependencies]\nintelliauth-emulator = { path = \"x\" }").len(),
            1
        );
        assert_eq!(
            of_sdk("[dev-dependencies]\nintelliauth-emulator = { path = \"x\", version = \"1\" }")
                .len(),
            1
        );
    }
}
