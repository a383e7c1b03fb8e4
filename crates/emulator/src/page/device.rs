//! The pages around a device: its code, and how it ended.

use maud::{Markup, html};

use super::layout::{Frame, alert};
use crate::routes;

pub(crate) fn activate(frame: &Frame<'_>, code: &str, message: Option<&str>) -> Markup {
    let problem = message.map(|_| "problem");
    let content = html! {
        h1 { "Connect a device" }
        p.lead { "Enter the code that your device shows." }
        (alert(message))
        form method="post" action=(frame.path(routes::ACTIVATE)) {
            (frame.hidden(None))
            label for="user_code" { "Code" }
            input.code type="text" id="user_code" name="user_code" value=(code) required autofocus
                autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32"
                aria-describedby=[problem.or(Some("hint"))] aria-invalid=[problem.map(|_| "true")];
            p.hint id="hint" { "Eight letters. Capitals and the hyphen do not matter." }
            button.primary type="submit" { "Continue" }
        }
    };
    frame.page("activate", "Connect a device", &content)
}

pub(crate) fn device_allowed(frame: &Frame<'_>) -> Markup {
    let content = html! {
        div.icon.good aria-hidden="true" { "✓" }
        h1 { "Your device is connected" }
        p { "It goes on by itself within a few seconds. You can close this page." }
    };
    frame.page("device-allowed", "Your device is connected", &content)
}

pub(crate) fn device_denied(frame: &Frame<'_>) -> Markup {
    let content = html! {
        div.icon.bad aria-hidden="true" { "×" }
        h1 { "The device was not connected" }
        p { "It got nothing. You can close this page." }
    };
    frame.page("device-denied", "The device was not connected", &content)
}
