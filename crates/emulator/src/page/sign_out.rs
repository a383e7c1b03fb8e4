//! The pages of signing out.

use maud::{Markup, html};

use super::layout::Frame;
use crate::routes;

pub(crate) fn sign_out(frame: &Frame<'_>, kept: &[(&str, &str)]) -> Markup {
    let content = html! {
        h1 { "Sign out?" }
        p.lead { "Applications that you signed in to here will ask you to sign in again." }
        form method="post" action=(frame.path(routes::LOGOUT)) {
            (frame.hidden(None))
            @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
            button.primary type="submit" { "Sign out" }
        }
    };
    frame.page("sign-out", "Sign out?", &content)
}

pub(crate) fn signed_out(frame: &Frame<'_>) -> Markup {
    let content = html! {
        div.icon.good aria-hidden="true" { "✓" }
        h1 { "You are signed out" }
        p { "You can close this page." }
    };
    frame.page("signed-out", "You are signed out", &content)
}
