//! Two pictures in one SVG: a hit of each, and what a refresh does to the callers.

use std::fmt::Write as _;

use crate::{
    hits::Hit,
    results::Results,
    subject::Group,
    window::{Situation, Window},
};

const WIDTH: f64 = 1160.0;
const LABELS: f64 = 300.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 74.0;
/// Left of the second picture.
const MIDDLE: f64 = 620.0;
const STRIP_LABELS: f64 = 210.0;

/// The whole picture, or one with a line that says why there is none.
pub(crate) fn of(results: &Results) -> String {
    let mut hits: Vec<&Hit> = results.hits.iter().collect();
    hits.sort_by(|one, other| one.alone.total_cmp(&other.alone));
    let is_refresh = |(situation, _): &&(Situation, Window)| *situation == Situation::Refresh;
    let strips: Vec<&Window> = results
        .windows
        .iter()
        .filter(is_refresh)
        .map(|(_, w)| w)
        .collect();
    let rows = hits.len().max(strips.len()).max(1) as f64;
    let height = HEAD + rows * ROW + 50.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <title>A cached call and a refresh: this SDK beside its limits and its peers</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    bars(&mut svg, &hits);
    refreshes(&mut svg, &strips);
    legend(&mut svg, height - 18.0);
    svg.push_str("</svg>\n");
    svg
}

const fn colour(group: Group) -> &'static str {
    match group {
        Group::Limit => "#9aa4ae",
        Group::Ours => "#0b7a53",
        Group::Peer => "#d0743c",
    }
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, fill: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"{fill}\">{words}</text>",
        at.0, at.1
    );
}

const INK: &str = "#1c2126";
const FAINT: &str = "#5b6670";

fn title(svg: &mut String, x: f64, words: &str, below: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"28\" font-size=\"17\" font-weight=\"600\" fill=\"{INK}\">{words}</text>"
    );
    text(svg, (x, 48.0), "start", FAINT, below);
}

fn bars(svg: &mut String, hits: &[&Hit]) {
    if hits.is_empty() {
        return;
    }
    title(svg, 20.0, "A cached call", "nanoseconds, one thread");
    let room = MIDDLE - LABELS - 80.0;
    let most = hits.iter().map(|hit| hit.alone).fold(10.0, f64::max);
    for (number, hit) in hits.iter().enumerate() {
        let y = HEAD + number as f64 * ROW;
        let length = (room * hit.alone / most).max(2.0);
        text(svg, (LABELS - 8.0, y + 14.0), "end", INK, hit.name);
        let _ = writeln!(
            svg,
            "<rect x=\"{LABELS}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"18\" rx=\"2\" fill=\"{}\"/>",
            colour(hit.group)
        );
        let figure = format!("{:.0}", hit.alone);
        text(
            svg,
            (LABELS + length + 6.0, y + 14.0),
            "start",
            INK,
            &figure,
        );
    }
}

/// A strip for each: the slowest call of every tenth of a second.
fn refreshes(svg: &mut String, strips: &[&Window]) {
    let Some(length) = strips.iter().map(|strip| strip.worst.len()).max() else {
        return;
    };
    let below = format!(
        "slowest call of each 100 ms over {:.1} s; the endpoint takes 300 ms",
        length as f64 / 10.0
    );
    title(svg, MIDDLE, "A refresh, seen by 20 callers", &below);
    let left = MIDDLE + STRIP_LABELS;
    let room = WIDTH - left - 80.0;
    let step = room / length as f64;
    for (number, strip) in strips.iter().enumerate() {
        let base = HEAD + number as f64 * ROW + 18.0;
        text(svg, (left - 8.0, base - 4.0), "end", INK, strip.name);
        let _ = writeln!(
            svg,
            "<line x1=\"{left:.1}\" y1=\"{base:.1}\" x2=\"{:.1}\" y2=\"{base:.1}\" stroke=\"{}\"/>",
            left + room,
            colour(strip.group)
        );
        for (tenth, worst) in strip.worst.iter().enumerate() {
            let height = (worst / FULL_STRIP * 20.0).min(20.0);
            if height < 0.6 {
                // Too low to be seen above the line.
                continue;
            }
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{}\"/>",
                left + tenth as f64 * step,
                base - height,
                (step - 0.6).max(0.5),
                colour(strip.group)
            );
        }
        let figure = format!("{:.0} ms", strip.slowest());
        text(svg, (left + room + 8.0, base - 4.0), "start", INK, &figure);
    }
}

/// A strip's height in milliseconds: a little over what the endpoint takes.
const FULL_STRIP: f64 = 350.0;

fn legend(svg: &mut String, y: f64) {
    let entries = [
        (Group::Ours, "this SDK"),
        (Group::Limit, "what the machine allows"),
        (Group::Peer, "others"),
    ];
    for (number, (group, words)) in entries.into_iter().enumerate() {
        let x = 20.0 + number as f64 * 210.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"2\" fill=\"{}\"/>",
            y - 11.0,
            colour(group)
        );
        text(svg, (x + 18.0, y), "start", FAINT, words);
    }
}
