//! Wait times, drawn: for each platform, which share of its builds waited how long.

use buildhub_core::web::Page;
use maud::{Markup, html};

use super::parts::length;
use super::{Frame, framed};
use crate::reports::waits::{Platform, Waits};

/// The width of a bar that is all of a platform's builds, in units of its own: on the screen it is as wide as the page.
const WIDTH: u64 = 600;
/// The height of a bar, likewise.
const HEIGHT: u64 = 22;
/// Shades of the shortest waits to the longest: they differ without colour too.
const SHADES: [&str; 9] =
    ["#1a9850", "#66bd63", "#a6d96a", "#d9ef8b", "#fee08b", "#fdae61", "#f46d43", "#d73027", "#a50026"];

/// Waits by platform, as a plot and as a table.
pub(in crate::api) fn waits(frame: &Frame<'_>, pool: &str, waits: &Waits, is_cut: bool) -> Page {
    let body = html! {
        p { (waits.total) " builds of the last " (length(waits.endtime - waits.starttime)) ", by how long they waited; "
            (waits.pending.len()) " wait still. " (waits.no_changes) " that somebody asked for by hand are left out." }
        @if is_cut { p { "There were more builds than a report is made of: it is of a part of them." } }
        @if !waits.platforms.is_empty() {
        @for (name, platform) in &waits.platforms { (bar(name, platform, waits.mpb)) }
        p { @for &block in waits.wt.keys() { (key(block, waits.mpb)) } }
        table {
            thead { tr { th { "Platform" } th { "Builds" } @for block in waits.wt.keys() { th { (block) " min" } } } }
            tbody {
                @for (name, platform) in &waits.platforms {
                    tr {
                        th scope="row" { (name) }
                        td { (platform.total) }
                        @for block in waits.wt.keys() { td { (platform.wt.get(block).map_or(0, |known| known.total)) } }
                    }
                }
            }
        }
        }
    };
    framed(frame, &format!("Wait times of {pool}"), &body)
}

/// A platform's builds as one bar, cut by how long they waited.
fn bar(name: &str, platform: &Platform, minutes: u32) -> Markup {
    let pieces = pieces(platform, minutes);
    html! {
        figure {
            figcaption { (name) " (" (platform.total) ")" }
            svg role="img" aria-label={ "Waits of " (name) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                @for piece in pieces {
                    rect x=(piece.at) y="0" width=(piece.width) height=(HEIGHT) fill=(piece.shade) {
                        title { (piece.block) " minutes or more: " (piece.count) }
                    }
                }
            }
        }
    }
}

struct Piece {
    at: u64,
    width: u64,
    shade: &'static str,
    block: u32,
    count: u64,
}

/// The pieces of a bar, one beside the other.
fn pieces(platform: &Platform, minutes: u32) -> Vec<Piece> {
    let total = platform.total.max(1);
    let mut before = 0;
    let mut pieces = Vec::new();
    for (&block, known) in &platform.wt {
        let at = before * WIDTH / total;
        before += known.total;
        pieces.push(Piece {
            at,
            width: before * WIDTH / total - at,
            shade: shade(block, minutes),
            block,
            count: known.total,
        });
    }
    pieces
}

/// What a shade stands for.
fn key(block: u32, minutes: u32) -> Markup {
    html! {
        span.key {
            svg viewBox="0 0 5 4" aria-hidden="true" { rect width="5" height="4" fill=(shade(block, minutes)) {} }
            (block) " minutes or more"
        }
    }
}

fn shade(block: u32, minutes: u32) -> &'static str {
    let number = usize::try_from(block / minutes.max(1)).unwrap_or(usize::MAX).min(SHADES.len() - 1);
    SHADES.get(number).copied().unwrap_or("#000")
}
