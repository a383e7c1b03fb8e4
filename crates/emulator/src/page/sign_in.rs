//! Who is it? The sign-in page and the second factor.

use maud::{Markup, html};

use super::layout::{Frame, alert};
use crate::routes;

/// What the sign-in page shows.
#[derive(Debug)]
pub(crate) struct SignInView<'v> {
    pub(crate) application: &'v str,
    /// Name and address of the person who is signed in and may go on.
    pub(crate) current: Option<(&'v str, &'v str)>,
    pub(crate) email: &'v str,
    pub(crate) message: Option<&'v str>,
    pub(crate) ticket: &'v str,
}

/// What the page of the second factor shows.
#[derive(Debug)]
pub(crate) struct SecondFactorView<'v> {
    pub(crate) application: &'v str,
    pub(crate) email: &'v str,
    pub(crate) message: Option<&'v str>,
    pub(crate) ticket: &'v str,
}

pub(crate) fn sign_in(frame: &Frame<'_>, view: &SignInView<'_>) -> Markup {
    let action = frame.path(routes::SIGN_IN);
    let problem = view.message.map(|_| "problem");
    let content = html! {
        h1 { "Sign in" }
        p.lead { "to continue to " strong { (view.application) } }
        @if let Some((name, email)) = view.current {
            form method="post" action=(action) {
                (frame.hidden(Some(view.ticket)))
                button.account type="submit" name="action" value="continue" {
                    span.who { "Continue as " (name) }
                    span.address { (email) }
                }
            }
            p.or { span { "or use another account" } }
        }
        (alert(view.message))
        form method="post" action=(action) {
            (frame.hidden(Some(view.ticket)))
            label for="email" { "Email address" }
            input type="email" id="email" name="email" value=(view.email) required
                autocomplete="username" autocapitalize="none" spellcheck="false"
                autofocus[view.email.is_empty()] aria-describedby=[problem] aria-invalid=[problem.map(|_| "true")];
            label for="password" { "Password" }
            input type="password" id="password" name="password" required
                autocomplete="current-password" autofocus[!view.email.is_empty()]
                aria-describedby=[problem] aria-invalid=[problem.map(|_| "true")];
            button.primary type="submit" { "Sign in" }
        }
    };
    frame.page("sign-in", "Sign in", &content)
}

pub(crate) fn second_factor(frame: &Frame<'_>, view: &SecondFactorView<'_>) -> Markup {
    let problem = view.message.map(|_| "problem");
    let content = html! {
        h1 { "Confirm that it is you" }
        p.lead {
            strong { (view.application) } " asks for a second proof. Enter the code of your "
            "authenticator app."
        }
        p.person { "Signed in as " strong { (view.email) } }
        (alert(view.message))
        form method="post" action=(frame.path(routes::SECOND_FACTOR)) {
            (frame.hidden(Some(view.ticket)))
            label for="code" { "Six-digit code" }
            input.code type="text" id="code" name="code" inputmode="numeric" required autofocus
                autocomplete="one-time-code" maxlength="16"
                aria-describedby=[problem] aria-invalid=[problem.map(|_| "true")];
            button.primary type="submit" { "Confirm" }
        }
        form method="post" action=(frame.path(routes::SECOND_FACTOR)) {
            (frame.hidden(Some(view.ticket)))
            button.plain type="submit" name="action" value="cancel" { "Cancel" }
        }
    };
    frame.page("second-factor", "Confirm that it is you", &content)
}
