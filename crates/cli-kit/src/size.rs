//! Sizes and counts for people.

/// One unit step.
const STEP: f64 = 1024.0;

/// A count with its word: `1 package`, `2 packages`.
pub fn counted(count: u64, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {word}{end}")
}

/// Writes a number of bytes as tdnf does: `%6.2f` and one of `b k M G T`, dividing while the
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
