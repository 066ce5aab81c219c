//! Scriptlets and triggers as a header holds them, the macros in Lua ones, and what they read.
//!
//! Input: texts, separated by NUL; the first byte chooses what they are.

use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};
use rpm_pkg::script::{ScriptletKind, Scriptlets, TriggerClass, triggers};

// Taken in by path: the whole program would bring its network and solver into this build.
#[path = "../../crates/rpm-transaction/src/sysusers/line.rs"]
mod line;

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let texts: Vec<Vec<u8>> = rest.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
    match form % 4 {
        0 => scriptlets(*form, texts),
        1 => package_triggers(*form, &texts),
        2 => {
            let text = String::from_utf8_lossy(rest);
            let _ = rpm_pkg::macros::expand(&text, &|name| {
                rpm_pkg::macros::directory(name).map(str::to_owned)
            });
            let half = texts.first().map(Vec::as_slice).unwrap_or_default();
            let _ = rpm_pkg::glob::glob_matches(half, texts.last().unwrap_or(&texts[0]));
        }
        _ => {
            let provides = texts
                .chunks(2)
                .map(|pair| (pair[0].as_slice(), pair.last()));
            for (name, version) in provides {
                let version = version.map(Vec::as_slice).unwrap_or_default();
                let _ = line::Line::of_provide(name, version);
            }
        }
    }
}

fn scriptlets(form: u8, texts: Vec<Vec<u8>>) {
    let kind = ScriptletKind::ALL[usize::from(form / 4) % ScriptletKind::ALL.len()];
    let (body, program, flags) = kind.tags();
    let mut header = HeaderBuilder::new();
    header.add(body, TagValue::String(texts[0].clone()));
    header.add(program, TagValue::StringArray(texts));
    header.add(flags, TagValue::int32(u32::from(form)));
    let Ok(header) = header.build(HeaderKind::Main) else {
        return;
    };
    let all = Scriptlets::from_header(&header);
    assert!(
        all.get(kind)
            .is_some_and(|script| !script.program.is_empty())
    );
}

/// The numbers are the bytes of the last text.
fn package_triggers(form: u8, texts: &[Vec<u8>]) {
    let numbers: Vec<u32> = texts
        .last()
        .into_iter()
        .flatten()
        .map(|b| u32::from(*b))
        .collect();
    if numbers.is_empty() {
        return;
    }
    let half = texts.len().div_ceil(2);
    let (scripts, names) = (
        TagValue::strings(&texts[..half]),
        TagValue::strings(&texts[half - 1..]),
    );
    let mut header = HeaderBuilder::new();
    let (class, tags) = match form & 4 {
        0 => (
            TriggerClass::Package,
            [tag::TRIGGERSCRIPTS, tag::TRIGGERNAME, tag::TRIGGERVERSION],
        ),
        _ => (
            TriggerClass::File,
            [
                tag::FILETRIGGERSCRIPTS,
                tag::FILETRIGGERNAME,
                tag::FILETRIGGERVERSION,
            ],
        ),
    };
    header
        .add(tags[0], scripts)
        .add(tags[1], names.clone())
        .add(tags[2], names);
    header.add(tag::TRIGGERINDEX, TagValue::Int32(numbers.clone()));
    header.add(tag::FILETRIGGERINDEX, TagValue::Int32(numbers.clone()));
    header.add(tag::FILETRIGGERFLAGS, TagValue::Int32(numbers.clone()));
    header.add(tag::FILETRIGGERPRIORITIES, TagValue::Int32(numbers));
    if let Ok(header) = header.build(HeaderKind::Main) {
        for trigger in triggers(&header, class) {
            assert!(!trigger.program.is_empty() || header.has(tag::TRIGGERSCRIPTPROG));
        }
    }
}
