//! What every page has around its content.

use maud::{DOCTYPE, Markup, html};

use crate::refusal::Refusal;
use crate::routes;

/// The tenant, and the proof that goes into every form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'v> {
    /// The path of the issuer, before every path of ours.
    pub(crate) prefix: &'v str,
    pub(crate) tenant: &'v str,
    pub(crate) csrf: &'v str,
}

impl Frame<'_> {
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// A whole page. `name` is what a driver of these pages knows it by.
    pub(super) fn page(&self, name: &str, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) " · " (self.tenant) }
                    link rel="stylesheet" href=(self.path(routes::STYLE));
                    link rel="icon" type="image/svg+xml" href=(self.path(routes::ICON));
                }
                body {
                    header.brand {
                        span.mark aria-hidden="true" { (initial(self.tenant)) }
                        span { (self.tenant) }
                    }
                    main data-page=(name) { (content) }
                    footer {
                        p { "Protected by IntelliAuth" span.emulator { "emulator" } }
                    }
                }
            }
        }
    }

    /// The hidden fields of a form.
    pub(super) fn hidden(&self, ticket: Option<&str>) -> Markup {
        html! {
            input type="hidden" name="csrf" value=(self.csrf);
            @if let Some(ticket) = ticket {
                input type="hidden" name="ticket" value=(ticket);
            }
        }
    }
}

/// What went wrong, above a form that can be sent again.
pub(super) fn alert(message: Option<&str>) -> Markup {
    html! {
        @if let Some(message) = message {
            p.alert role="alert" id="problem" { (message) }
        }
    }
}

/// The page on which a request ends that cannot be answered to its application.
pub(crate) fn stopped(
    frame: &Frame<'_>,
    title: &str,
    refusal: &Refusal,
    request_id: &str,
) -> Markup {
    let content = html! {
        div.icon.bad aria-hidden="true" { "!" }
        h1 { (title) }
        p { (sentence(&refusal.description)) }
        dl.details {
            div { dt { "Error" } dd { code { (refusal.code.as_str()) } } }
            div { dt { "Request" } dd { code { (request_id) } } }
        }
    };
    frame.page("stopped", title, &content)
}

/// A description as a person reads it.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let full_stop = if text.ends_with('.') { "" } else { "." };
    format!(
        "{}{}{full_stop}",
        first.unwrap_or_default(),
        letters.as_str()
    )
}

fn initial(name: &str) -> String {
    name.chars()
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default()
}
