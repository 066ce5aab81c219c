//! Plots in SVG: how much longer the peers take, and how work grows.

use std::fmt::Write as _;

use crate::growth::{SERIES, Series};
use crate::measure::Outcome;
use crate::report::Row;

const COLOURS: [&str; 6] = [
    "#1b6ca8", "#c8553d", "#588157", "#8e6c88", "#b08900", "#555555",
];
const WIDTH: f64 = 900.0;

/// Name of a file and its text: one of all ratios, and one for each series of which two sizes were run.
pub(crate) fn all(rows: &[Row]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if rows.iter().any(|row| !row.peers.is_empty()) {
        out.push(("ratios".to_owned(), ratios(rows)));
    }
    for series in SERIES {
        let found = points(rows, series);
        if found.iter().any(|(_, points)| points.len() > 1) {
            let name = series.0.replace([' ', ','], "-").replace("--", "-");
            out.push((name, growth(series.0, &found)));
        }
    }
    out
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

/// The beginning of a plot.
fn titled(words: &str) -> String {
    let mut out = String::new();
    text(&mut out, 10.0, 20.0, "start", words);
    out
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>"
    );
}

fn frame(height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// CPU time of each peer as a multiple of ours, on a logarithmic scale: right of the line at 1 we are faster.
fn ratios(rows: &[Row]) -> String {
    let bars: Vec<(&str, &Outcome, f64)> = rows
        .iter()
        .flat_map(|row| {
            let ratio =
                |peer: &Outcome| peer.cpu.median.max(0.0005) / row.ours.cpu.median.max(0.0005);
            row.peers
                .iter()
                .map(move |peer| (row.name, peer, ratio(peer)))
        })
        .collect();
    let most = bars.iter().map(|bar| bar.2).fold(10.0, f64::max);
    let least = bars.iter().map(|bar| bar.2).fold(0.5, f64::min);
    let (left, right) = (470.0, WIDTH - 60.0);
    let place = |value: f64| left + (value / least).ln() / (most / least).ln() * (right - left);
    let mut out =
        titled("CPU time of peers, ours is 1 (logarithmic): right of the line we need less");
    let mut names: Vec<&str> = Vec::new();
    let mut last = "";
    for (number, (case, peer, ratio)) in bars.iter().enumerate() {
        let y = 40.0 + number as f64 * 16.0;
        if *case != last {
            text(&mut out, 10.0, y + 10.0, "start", case);
            last = case;
        }
        let colour = colour(&mut names, &peer.program);
        let (from, to) = (place(1.0).min(place(*ratio)), place(1.0).max(place(*ratio)));
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>",
            to - from
        );
        text(
            &mut out,
            to + 4.0,
            y + 10.0,
            "start",
            &format!("{ratio:.1}"),
        );
    }
    let bottom = 44.0 + bars.len() as f64 * 16.0;
    line(
        &mut out,
        (place(1.0), 32.0),
        (place(1.0), bottom),
        "stroke=\"black\"",
    );
    legend(&mut out, &names, bottom + 16.0);
    frame(bottom + 30.0, &out)
}

fn colour<'n>(names: &mut Vec<&'n str>, name: &'n str) -> &'static str {
    let place = names
        .iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
    COLOURS[place % COLOURS.len()]
}

fn legend(out: &mut String, names: &[&str], y: f64) {
    let mut x = 10.0;
    for (number, name) in names.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>",
            y - 9.0
        );
        text(out, x + 14.0, y, "start", name);
        x += 30.0 + 7.0 * name.chars().count() as f64;
    }
}

/// The CPU seconds of each program by size.
fn points<'r>(rows: &'r [Row], series: &Series) -> Vec<(&'r str, Vec<(f64, f64)>)> {
    let mut found: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for (size, name) in series.1 {
        let Some(row) = rows.iter().find(|row| row.name == *name) else {
            continue;
        };
        for one in std::iter::once(&row.ours)
            .chain(&row.peers)
            .chain(&row.limit)
        {
            let point = (*size as f64, one.cpu.median.max(0.001));
            match found.iter_mut().find(|(known, _)| *known == one.program) {
                Some((_, points)) => points.push(point),
                None => found.push((&one.program, vec![point])),
            }
        }
    }
    found
}

/// Both axes are logarithmic: work in proportion to the size is a line of one slope, wherever it lies.
fn growth(what: &str, found: &[(&str, Vec<(f64, f64)>)]) -> String {
    let every = || found.iter().flat_map(|(_, points)| points);
    let least = |of: fn(&(f64, f64)) -> f64| every().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| every().map(of).fold(0.0, f64::max);
    let (x0, x1) = (least(|p| p.0), most(|p| p.0));
    let (y0, y1) = (least(|p| p.1) / 1.5, most(|p| p.1) * 1.5);
    let (left, right, top, bottom) = (70.0, WIDTH - 90.0, 40.0, 420.0);
    let x = |value: f64| left + (value / x0).ln() / (x1 / x0).ln().max(0.01) * (right - left);
    let y = |value: f64| bottom - (value / y0).ln() / (y1 / y0).ln() * (bottom - top);
    let mut out = titled(&format!("{what}: CPU seconds by size, both logarithmic"));
    for power in -3..4 {
        let value = 10_f64.powi(power);
        if (y0..y1).contains(&value) {
            line(
                &mut out,
                (left, y(value)),
                (right, y(value)),
                "stroke=\"#dddddd\"",
            );
            text(
                &mut out,
                left - 6.0,
                y(value) + 4.0,
                "end",
                &format!("{value}"),
            );
        }
    }
    let mut sizes: Vec<f64> = every().map(|point| point.0).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in sizes {
        text(
            &mut out,
            x(size),
            bottom + 18.0,
            "middle",
            &format!("{size}"),
        );
    }
    let mut names = Vec::new();
    for (name, points) in found {
        let colour = colour(&mut names, name);
        for pair in points.windows(2) {
            let ends = [pair[0], pair[1]].map(|(size, cpu)| (x(size), y(cpu)));
            line(
                &mut out,
                ends[0],
                ends[1],
                &format!("stroke=\"{colour}\" stroke-width=\"2\""),
            );
        }
        for (size, cpu) in points {
            let (x, y) = (x(*size), y(*cpu));
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>"
            );
            text(&mut out, x + 7.0, y - 5.0, "start", &format!("{cpu:.3}"));
        }
    }
    legend(&mut out, &names, bottom + 44.0);
    frame(bottom + 60.0, &out)
}
