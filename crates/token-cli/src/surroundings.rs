//! Where the command runs: whether a browser can open, and whether a person is there to be asked.

use std::{
    fs::File,
    io::{self, IsTerminal as _},
};

use crate::environment::Environment;

/// What is known of the person's side.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Why no browser opens; nothing if one does.
    pub(crate) no_browser: Option<&'static str>,
    pub(crate) stdin_is_terminal: bool,
    /// Whether a terminal shows what is said to a person.
    pub(crate) has_terminal: bool,
    /// Whether this is CI, or the program that started this one says that no person can be asked.
    pub(crate) is_unattended: bool,
}

impl Surroundings {
    pub(crate) fn look(environment: &Environment) -> Self {
        Self {
            no_browser: no_browser(environment),
            stdin_is_terminal: io::stdin().is_terminal(),
            has_terminal: io::stderr().is_terminal() || File::open("/dev/tty").is_ok(),
            is_unattended: is_ci(environment) || is_kubectls(environment),
        }
    }

    /// Whether a command that could do without may ask a person.
    pub(crate) fn may_prompt(&self) -> bool {
        self.has_terminal && !self.is_unattended
    }
}

fn is_ci(environment: &Environment) -> bool {
    environment.text("CI").is_some_and(|value| value != "false")
}

/// kubectl says to its credential plugins whether stdin is a person's.
fn is_kubectls(environment: &Environment) -> bool {
    let Some(text) = environment.text("KUBERNETES_EXEC_INFO") else {
        return false;
    };
    let info: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    info["spec"]["interactive"] == serde_json::Value::Bool(false)
}

fn no_browser(environment: &Environment) -> Option<&'static str> {
    let is_remote = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];
    if is_ci(environment) {
        Some("CI is set")
    } else if is_remote.iter().any(|name| environment.has(name)) {
        Some("this is a session over SSH, and a browser would open on the other machine")
    } else if cfg!(all(unix, not(target_os = "macos")))
        && !environment.has("DISPLAY")
        && !environment.has("WAYLAND_DISPLAY")
    {
        Some("there is no display (DISPLAY and WAYLAND_DISPLAY are not set)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_browser_opens_only_where_the_person_would_see_it() {
        let opens = |environment: Environment| no_browser(&environment).is_none();
        assert!(opens(Environment::from([("DISPLAY", ":0")])));
        assert!(opens(Environment::from([("WAYLAND_DISPLAY", "wayland-0")])));
        assert!(!opens(Environment::from([])));
        assert!(!opens(Environment::from([
            ("DISPLAY", ":0"),
            ("CI", "true")
        ])));
        assert!(opens(Environment::from([
            ("DISPLAY", ":0"),
            ("CI", "false")
        ])));
        assert!(!opens(Environment::from([
            ("DISPLAY", "localhost:10"),
            ("SSH_CONNECTION", "1 2 3 4")
        ])));
    }

    #[test]
    fn kubectl_says_whether_a_person_is_there() {
        for (text, expected) in [
            (r#"{"spec":{"interactive":false}}"#, true),
            (r#"{"spec":{"interactive":true}}"#, false),
            ("{}", false),
            ("?", false),
        ] {
            let environment = Environment::from([("KUBERNETES_EXEC_INFO", text)]);
            assert_eq!(is_kubectls(&environment), expected, "{text}");
        }
    }
}
