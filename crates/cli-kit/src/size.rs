//! Sizes, rates, spans of time and counts for people.

/// One unit step.
const STEP: f64 = 1024.0;

/// The prefixes of IEC 80000-13.
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// A count with its word: `1 package`, `2 packages`.
pub fn counted(count: u64, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {word}{end}")
}

/// The unit in which a number of bytes is written: which of [`UNITS`], and what it divides by.
fn unit(bytes: u64) -> (&'static str, f64) {
    let (mut by, mut units) = (1.0, UNITS.iter());
    let mut name = units.next().copied().unwrap_or_default();
    // What would be rounded to 1024.0 is 1.0 of the next.
    while bytes as f64 / by >= STEP - 0.05
        && let Some(next) = units.next()
    {
        (name, by) = (next, by * STEP);
    }
    (name, by)
}

fn in_unit(bytes: u64, by: f64) -> String {
    match by > 1.0 {
        true => format!("{:.1}", bytes as f64 / by),
        false => bytes.to_string(),
    }
}

/// A number of bytes: `512 B`, `19.1 MiB`.
pub fn iec_size(bytes: u64) -> String {
    let (name, by) = unit(bytes);
    format!("{} {name}", in_unit(bytes, by))
}

/// So many bytes of all of them: `19.1 of 34.0 MiB`.
pub(crate) fn iec_part(bytes: u64, of: u64) -> String {
    let (name, by) = unit(of);
    format!("{} of {} {name}", in_unit(bytes, by), in_unit(of, by))
}

/// Bytes per second: `640.0 KiB/s`.
pub fn iec_rate(bps: u64) -> String {
    format!("{}/s", iec_size(bps))
}

/// A span of time: `24 s`, `5 min`, `1.5 h`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// Writes a number of bytes as C tdnf does in tables: `%6.2f` and one of `b k M G T`, dividing while the
/// value is above 1024 (so 1024 bytes are `1024.00b`).
pub fn human_size(bytes: u64) -> String {
    let units = ['b', 'k', 'M', 'G', 'T'];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value > STEP && unit + 1 < units.len() {
        value /= STEP;
        unit += 1;
    }
    format!("{value:6.2}{}", units[unit])
}
