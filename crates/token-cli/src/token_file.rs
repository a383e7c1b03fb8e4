//! A file that always holds a token that is valid, for a program that reads it again and again.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use intelliauth::AccessToken;

use crate::{
    failure::Failure,
    identity::Identity,
    moment,
    obtain::{Wanted, needs_person},
    output::say,
    settings::Settings,
};

/// The file of one child; it is removed with this.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
}

/// The longest time between two looks at the token. A suspended machine wakes up with an old one: after
/// this time it is replaced.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// So that an issuer in trouble is not asked all the time where tokens live for moments.
const PAUSE_MIN: Duration = Duration::from_millis(50);

impl TokenFile {
    /// Writes the first token.
    pub(crate) fn create(path: &Path, token: &AccessToken) -> Result<Self, Failure> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        write(&path, token)
            .map_err(|error| Failure::io(format!("cannot write {}", path.display()), &error))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file fresh for as long as this is polled.
    pub(crate) async fn keep_fresh(
        &self,
        mut token: AccessToken,
        wanted: &Wanted,
        settings: &Settings,
        identity: &Identity,
    ) {
        let mut last_problem = String::new();
        loop {
            let left = moment::left(token.expires_at());
            tokio::time::sleep(pause(left, token.lifetime())).await;
            match identity.get(&wanted.request()).await {
                Ok(next) => {
                    last_problem.clear();
                    if next.secret() != token.secret() {
                        if let Err(error) = write(&self.path, &next) {
                            say(&format!("warning: {}: {error}", self.path.display()));
                            continue;
                        }
                        token = next;
                    }
                }
                Err(error) => {
                    if moment::left(token.expires_at()).is_zero() {
                        // No token says more than an ended one. It may be gone already.
                        let _ = fs::remove_file(&self.path);
                    }
                    let mut problem = format!("warning: the token is not refreshed: {error}");
                    if needs_person(&error) {
                        problem.push_str("\nrun: ");
                        problem.push_str(&wanted.login_command(&error, settings));
                    }
                    if problem != last_problem {
                        say(&problem);
                        last_problem = problem;
                    }
                }
            }
        }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Written aside and renamed: a reader finds the old token or the new one, never a part.
fn write(path: &Path, token: &AccessToken) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(token.secret().as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// How long the token needs no look: many looks fall into each lifetime, and several into what is left.
fn pause(left: Duration, lifetime: Duration) -> Duration {
    (lifetime / 20).min(left / 4).clamp(PAUSE_MIN, PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_looked_at_before_the_client_stops_handing_it_out() {
        for lifetime in [2, 10, 60, 300, 3600, 86_400].map(Duration::from_secs) {
            // What is left when the client no longer hands it out.
            let reserve = Duration::from_secs(30).min(lifetime / 10);
            let mut left = lifetime;
            let mut looks = 0;
            while left > reserve {
                let pause = pause(left, lifetime);
                assert!(pause <= PAUSE_MAX && pause < left, "{lifetime:?} {left:?}");
                left -= pause;
                looks += 1;
            }
            assert!(looks >= 15, "{lifetime:?}: {looks}");
            assert!(!left.is_zero(), "{lifetime:?}");
        }
    }
}
