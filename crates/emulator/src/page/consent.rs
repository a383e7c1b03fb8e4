//! May it? The consent page, for an application or a device.

use maud::{Markup, html};

use super::layout::Frame;
use crate::routes;

/// What the consent page shows.
#[derive(Debug)]
pub(crate) struct ConsentView<'v> {
    pub(crate) application: &'v str,
    pub(crate) person: &'v str,
    pub(crate) email: &'v str,
    pub(crate) sections: Vec<Section<'v>>,
    pub(crate) target: Target,
    pub(crate) ticket: &'v str,
}

/// One API and what is asked there.
#[derive(Debug)]
pub(crate) struct Section<'v> {
    pub(crate) name: &'v str,
    pub(crate) audience: Option<&'v str>,
    pub(crate) items: Vec<Item<'v>>,
}

/// One scope in the tenant's words.
#[derive(Debug)]
pub(crate) struct Item<'v> {
    pub(crate) scope: &'v str,
    pub(crate) name: &'v str,
    pub(crate) description: &'v str,
    pub(crate) is_new: bool,
}

/// Where the answer goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// To this host, or this private scheme.
    Application(String),
    /// To the device that shows this code.
    Device(String),
}

pub(crate) fn consent(frame: &Frame<'_>, view: &ConsentView<'_>) -> Markup {
    let all = || view.sections.iter().flat_map(|section| &section.items);
    let (has_new, has_old) = (all().any(|it| it.is_new), all().any(|it| !it.is_new));
    let title = format!("Allow {}?", view.application);
    let content = html! {
        h1 { "Allow " span.application { (view.application) } "?" }
        p.lead {
            @match (has_new, has_old) {
                (false, _) => { "It asks for what you allowed before." }
                (true, false) => { "It wants to do this in your name:" }
                (true, true) => { "It asks for more than before. What is new is marked." }
            }
        }
        @if let Target::Device(code) = &view.target {
            div.device {
                p { "Only go on if your device shows this code:" }
                p.user-code { (code) }
            }
        }
        (person(frame, view))
        @for section in &view.sections { (self::section(section, has_old)) }
        (decision(frame, view))
    };
    frame.page("consent", &title, &content)
}

fn person(frame: &Frame<'_>, view: &ConsentView<'_>) -> Markup {
    html! {
        form.person method="post" action=(frame.path(routes::CONSENT)) {
            (frame.hidden(Some(view.ticket)))
            span { "Signed in as " strong { (view.person) } " (" (view.email) ")" }
            button.link type="submit" name="action" value="switch" { "Not you?" }
        }
    }
}

fn section(section: &Section<'_>, marks_new: bool) -> Markup {
    html! {
        section.api {
            h2 {
                (section.name)
                @if let Some(audience) = section.audience { span.audience { (audience) } }
            }
            ul {
                @for item in &section.items {
                    li.new[item.is_new && marks_new] data-scope=(item.scope) data-new=(item.is_new) {
                        div.scope {
                            span.name { (item.name) }
                            @if item.is_new && marks_new { span.badge { "New" } }
                            @if !item.is_new { span.before { "Allowed before" } }
                        }
                        p.description { (item.description) }
                    }
                }
            }
        }
    }
}

fn decision(frame: &Frame<'_>, view: &ConsentView<'_>) -> Markup {
    html! {
        form.decision method="post" action=(frame.path(routes::CONSENT)) {
            (frame.hidden(Some(view.ticket)))
            @match &view.target {
                Target::Application(place) => {
                    p.target { "After that you return to " strong { (place) } "." }
                }
                Target::Device(_) => {
                    p.target { "After that you return to your device." }
                }
            }
            div.choice {
                button.choose type="submit" name="action" value="deny" { "Deny" }
                button.choose type="submit" name="action" value="allow" { "Allow" }
            }
        }
    }
}
