//! What can be found out on this machine alone.

use std::{fs, path::Path};

use super::Finding;
use crate::{context::Context, identity, places::Places, profile::ProfileFile};

/// The file of the profiles, and who asks.
pub(super) fn of_configuration(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    match Places::find(&context.environment).and_then(|places| {
        let file = ProfileFile::read(&places)?;
        Ok((places.profiles(), file.profiles.len()))
    }) {
        Ok((path, 0)) => findings.push(Finding::note(
            "configuration",
            format!("no profile in {}", path.display()),
        )),
        Ok((path, count)) => findings.push(Finding::good(
            "configuration",
            format!("{count} in {}", path.display()),
        )),
        Err(failure) => findings.push(Finding::fault(
            "configuration",
            failure.to_string(),
            "mend that line in an editor; `intelliauth-token profile --help` shows what a profile has",
        )),
    }
    findings.push(match context.settings() {
        Ok(settings) => Finding::good(
            "who asks",
            format!(
                "{} at {}, from {}",
                settings.profile.client_id,
                settings.profile.tenant_url,
                settings
                    .name
                    .as_ref()
                    .map_or("flags or environment".to_owned(), |name| format!(
                        "profile {name}"
                    ))
            ),
        ),
        Err(failure) => {
            let fix = failure.next_command.clone();
            Finding::fault(
                "who asks",
                failure.to_string(),
                fix.unwrap_or_else(|| "see above".to_owned()),
            )
        }
    });
    findings
}

/// The directory of the sessions: whether it can be read, and whether its locks can be trusted.
pub(super) async fn of_sessions(context: &Context) -> Vec<Finding> {
    let Ok(places) = Places::find(&context.environment) else {
        return Vec::new();
    };
    let path = places.sessions;
    let mut findings = Vec::new();
    if let Some(kind) = file_system(&path).filter(|kind| NETWORKED.contains(&&**kind)) {
        findings.push(Finding::fault(
            "file system",
            format!(
                "{} is on {kind}, whose locks may not hold between machines",
                path.display()
            ),
            "set INTELLIAUTH_HOME to a directory on a local disk",
        ));
    }
    let opened = context
        .settings()
        .ok()
        .filter(crate::settings::Settings::is_person);
    let Some(people) = opened.and_then(|settings| identity::people(&settings).ok()) else {
        return findings;
    };
    findings.push(match people.sessions().await {
        Ok(sessions) => Finding::good(
            "sessions",
            format!("{} signed in, in {}", sessions.len(), path.display()),
        ),
        Err(error) => Finding::fault("sessions", error.to_string(), error.next_move()),
    });
    findings
}

/// The browser, proxies, and who is asked.
pub(super) fn of_surroundings(context: &Context) -> Vec<Finding> {
    let surroundings = &context.surroundings;
    let mut findings = vec![match surroundings.no_browser {
        None => Finding::good("browser", "a sign-in opens this machine's browser"),
        Some(why) => Finding::note(
            "browser",
            format!("none opens, since {why}: a sign-in shows a code for another device"),
        ),
    }];
    findings.push(if surroundings.may_prompt() {
        Finding::good("terminal", "a person can be asked")
    } else {
        Finding::note(
            "terminal",
            "no person can be asked: commands that need one end with exit code 4",
        )
    });
    let environment = &context.environment;
    let proxies: Vec<&str> = PROXIES
        .into_iter()
        .filter(|name| environment.has(name))
        .collect();
    findings.push(if proxies.is_empty() {
        Finding::good("proxy", "none is set in the environment")
    } else {
        Finding::note(
            "proxy",
            format!(
                "requests go through the one that {} names",
                proxies.join(", ")
            ),
        )
    });
    findings
}

const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// File systems that other machines may have mounted as well.
const NETWORKED: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "fuse.sshfs",
    "afs",
    "ceph",
];

/// The kind of file system that a path is on, where Linux says it.
fn file_system(path: &Path) -> Option<String> {
    let existing = path
        .ancestors()
        .find_map(|path| fs::canonicalize(path).ok())?;
    kind_of(&existing, &fs::read_to_string("/proc/self/mounts").ok()?)
}

/// The longest mount point that the path is below decides; of equal ones the last.
fn kind_of(path: &Path, mounts: &str) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(point), Some(kind)) = (words.nth(1), words.next()) else {
            continue;
        };
        let length = point.len();
        if path.starts_with(point) && best.is_none_or(|(longest, _)| length >= longest) {
            best = Some((length, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_says_what_a_path_is_on() {
        let mounts =
            "/dev/a / ext4 rw 0 0\nserver:/x /net/a nfs4 rw 0 0\n/dev/b /net/ab xfs rw 0 0\n";
        let kind = |path: &str| kind_of(Path::new(path), mounts);
        assert_eq!(kind("/net/a/sessions").as_deref(), Some("nfs4"));
        assert_eq!(kind("/net/ab/sessions").as_deref(), Some("xfs"));
        assert_eq!(kind("/var").as_deref(), Some("ext4"));
        assert_eq!(kind_of(Path::new("/var"), ""), None);
    }
}
