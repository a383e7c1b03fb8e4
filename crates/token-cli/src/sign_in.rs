//! How a person signs in from a shell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use intelliauth::{
    AccessToken, Account, AuthorizationCode, DeviceCode, DevicePrompt, Error, Prompt, Session,
    SignIn, TokenRequest,
};

use crate::{
    arguments::{FlowChoice, Prompting, Qr},
    moment,
    output::say_urgently,
    surroundings::Surroundings,
};

/// What one prompt asks for, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    /// The scopes by audience.
    pub(crate) access: BTreeMap<String, BTreeSet<String>>,
    /// Scopes of the person's identity.
    pub(crate) identity: BTreeSet<String>,
    pub(crate) hint: Option<String>,
    /// Whether the person has to prove again who they are.
    pub(crate) is_fresh: bool,
}

/// One way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Page { opens: bool, is_pasted: bool },
    Device { draws: bool },
}

/// The ways to try, each only where the issuer does not know the one before it.
fn ways(prompting: &Prompting, surroundings: &Surroundings) -> Vec<Way> {
    let opens = surroundings.no_browser.is_none() && !prompting.no_browser;
    let page = Way::Page {
        opens,
        // A script's stdin is not read: it is meant for another program.
        is_pasted: surroundings.stdin_is_terminal,
    };
    let device = Way::Device {
        draws: match prompting.qr {
            Qr::Auto => surroundings.may_prompt(),
            Qr::Always => true,
            Qr::Never => false,
        },
    };
    match prompting.flow {
        FlowChoice::Auto if surroundings.no_browser.is_some() => vec![device, page],
        FlowChoice::Auto | FlowChoice::Browser => vec![page],
        FlowChoice::Device => vec![device],
        FlowChoice::Paste => vec![Way::Page {
            opens,
            is_pasted: true,
        }],
    }
}

/// Has the person sign in.
pub(crate) async fn sign_in(
    session: &Session,
    asking: &Asking,
    prompting: &Prompting,
    surroundings: &Surroundings,
) -> Result<Account, Error> {
    let mut outcome = None;
    for way in ways(prompting, surroundings) {
        let how = asking.by(way, prompting, surroundings);
        match Box::pin(session.sign_in(how)).await {
            // The issuer has no such sign-in.
            Err(error @ Error::Request(_)) => {
                outcome.get_or_insert(Err(error));
            }
            other => return other,
        }
    }
    outcome.unwrap_or_else(|| Ok(Account::default()))
}

/// Has the person resolve an error, and repeats the request.
pub(crate) async fn resolve(
    session: &Session,
    error: Error,
    prompting: &Prompting,
    surroundings: &Surroundings,
) -> Result<AccessToken, Error> {
    let mut refused = error.clone();
    for way in ways(prompting, surroundings) {
        let how = Asking::default().by(way, prompting, surroundings);
        match Box::pin(session.resolve(error.clone(), how)).await {
            Err(request @ Error::Request(_)) => refused = request,
            other => return other,
        }
    }
    Err(refused)
}

impl Asking {
    fn requests(&self) -> impl Iterator<Item = TokenRequest<'static>> {
        self.access
            .iter()
            .map(|(audience, scopes)| TokenRequest::new(audience.clone()).scopes(scopes))
    }

    fn by(&self, way: Way, prompting: &Prompting, surroundings: &Surroundings) -> SignIn {
        let has_person = surroundings.may_prompt();
        match way {
            Way::Page { opens, is_pasted } => {
                let page = self.on_page(opens, is_pasted, has_person);
                match prompting.timeout {
                    Some(limit) => page.time_limit(limit).into(),
                    None => page.into(),
                }
            }
            Way::Device { draws } => self.with_code(draws, has_person).into(),
        }
    }

    fn on_page(&self, opens: bool, is_pasted: bool, has_person: bool) -> AuthorizationCode {
        let mut login = AuthorizationCode::loopback().announce(move |url| {
            let pasted = if is_pasted {
                "\n\nIf that browser cannot come back here, paste the address that it ends at, and press Enter."
            } else {
                ""
            };
            let text = format!("To sign in, open this page in a browser:\n\n    {url}{pasted}\n");
            say_urgently(&text, has_person);
        });
        for request in self.requests() {
            login = login.request(request);
        }
        for scope in &self.identity {
            login = login.scope(scope);
        }
        if let Some(hint) = &self.hint {
            login = login.login_hint(hint);
        }
        if self.is_fresh {
            login = login.prompt(Prompt::Login);
        }
        if !opens {
            login = login.without_browser();
        }
        if is_pasted {
            login = login.paste_from_stdin();
        }
        login
    }

    fn with_code(&self, draws: bool, has_person: bool) -> DeviceCode {
        let show = move |prompt: &DevicePrompt| say_urgently(&shown(prompt, draws), has_person);
        let mut login = DeviceCode::new(show);
        for request in self.requests() {
            login = login.request(request);
        }
        for scope in &self.identity {
            login = login.scope(scope);
        }
        login
    }
}

fn shown(prompt: &DevicePrompt, draws: bool) -> String {
    let (page, code) = (prompt.verification_uri(), prompt.user_code());
    let mut text = format!(
        "To sign in, open this page on any device:\n\n    {page}\n\nand enter the code\n\n    {code}\n\n"
    );
    if let Some(complete) = prompt.verification_uri_complete() {
        let _ = write!(
            text,
            "or open this one, which shows the same code:\n\n    {complete}\n\n"
        );
    }
    if let Some(image) = prompt.qr_code().filter(|_| draws) {
        let _ = write!(text, "{image}\n\n");
    }
    let _ = writeln!(
        text,
        "The code is good for {}.",
        moment::spoken(prompt.expires_in())
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(no_browser: Option<&'static str>, stdin_is_terminal: bool) -> Surroundings {
        Surroundings {
            no_browser,
            stdin_is_terminal,
            has_terminal: true,
            is_unattended: false,
        }
    }

    fn page(opens: bool, is_pasted: bool) -> Way {
        Way::Page { opens, is_pasted }
    }

    #[test]
    fn without_a_browser_a_code_comes_first_and_the_page_where_the_issuer_has_none() {
        let device = Way::Device { draws: true };
        let prompting = Prompting::default();
        assert_eq!(ways(&prompting, &at(None, true)), [page(true, true)]);
        assert_eq!(
            ways(&prompting, &at(Some("CI is set"), false)),
            [device, page(false, false)]
        );
        let without = Prompting {
            no_browser: true,
            ..Prompting::default()
        };
        assert_eq!(ways(&without, &at(None, false)), [page(false, false)]);
    }

    #[test]
    fn stdin_is_read_from_a_terminal_or_where_a_person_says_so() {
        let paste = Prompting {
            flow: FlowChoice::Paste,
            ..Prompting::default()
        };
        assert_eq!(ways(&paste, &at(None, false)), [page(true, true)]);
        let browser = Prompting {
            flow: FlowChoice::Browser,
            ..Prompting::default()
        };
        assert_eq!(ways(&browser, &at(None, false)), [page(true, false)]);
    }
}
