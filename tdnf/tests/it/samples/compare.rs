//! Whether two runs mean the same: tables cell by cell, JSON by value, errors by number and text.
//!
//! What may differ without meaning anything is taken out on both sides alike: dates, the order of
//! rows that the C program leaves to chance (repositories by readdir, the rows of one group of a
//! transaction, the order of solver problems), and what librpm itself says on its own.

use std::collections::BTreeMap;

use cli_kit::human_size;
use serde_json::Value;

use super::reference::Sample;
use testkit::program::Run;

use super::stage::Stage;

/// What differs, as lines to read; empty if both mean the same.
pub(super) fn differences(stage: &Stage, sample: &Sample, done: &Run) -> Vec<String> {
    let mut lines = Vec::new();
    if sample.code != done.code {
        lines.push(format!("exit {} instead of {}", done.code, sample.code));
    }
    let expected = stage
        .here(&sample.out)
        .replace("\n. Please check", ". Please check")
        .replace("Warning: ", "warning: ");
    let expected = match sample.command.contains("--version") {
        true => expected.replace("3.6.0", tdnf::VERSION),
        false => expected,
    };
    // tdnf-automatic says it as often as it happens.
    let twice = "RefreshCache success...\n".repeat(2);
    let expected = expected.replace(&twice, &twice[twice.len() / 2..]);
    let sets = sample.command.contains("updateinfo");
    let mut wanted = plan_table(canonical(&sizes_of_here(stage, &expected), sets));
    let out = without_severity(&unfolded(&done.out));
    let mut found = plan_table(canonical(&out, sets));
    if sample.command.contains("search") {
        // The C program shows a package for each version of it, in the order of the repository.
        for lines in [&mut wanted, &mut found] {
            each_once(lines);
        }
    }
    if wanted != found && !same_help(&wanted, &found) {
        lines.push("stdout:".to_owned());
        lines.extend(diff(&wanted, &found));
    }
    if !sample.terminal {
        let expected = stage
            .here(&sample.err)
            .replace("\n. Please check", ". Please check")
            .replace("depenfdencies", "dependencies")
            .replace("WARNING: ", "warning: ");
        lines.extend(talk(&without_internals(&expected), done));
    }
    lines
}

/// What the system's loader says about a missing file behind the file's name.
const LOADER: &str = " cannot open shared object file: No such file or directory";

/// What the C program says without meaning anything by it: names of its functions
/// (`Error: TDNFVerifySignature 2004`, the number stands in the error line), `(null)` where its
/// plugin has no words, `Unknown error 404` where a number has no text, the folder that its
/// plugins were built into, and the loader's words.
fn without_internals(text: &str) -> String {
    let is_function = |line: &&str| {
        let mut words = line.split(' ');
        line.starts_with("Error: TDNF")
            && words.nth(2).is_some_and(|word| word.parse::<u32>().is_ok())
    };
    let lines = text.lines().filter(|line| !is_function(line));
    let lines = lines.map(|line| {
        let line = line.replace("/tdnftest/build/plugins/lib/", "/usr/lib/tdnf-plugins/");
        let line = line.replace(LOADER, "");
        match line.split_once("Unknown error ") {
            Some((before, number)) if number.parse::<u32>().is_ok() => before.to_owned(),
            _ => line.replace("(null)", ""),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Lines of stderr that the C program says and we do not, and the other way round. We may explain
/// more than it does (`Error: ...`, `Hint: ...`), but only where the run is not an easy success.
fn talk(expected: &str, done: &Run) -> Vec<String> {
    let wanted: Vec<String> = sorted_problems(
        expected
            .lines()
            .filter(|line| !is_of_others(line))
            .map(cells)
            .filter(|l| !l.is_empty()),
    );
    // What a mirror lacks and another one gives is no error here (docs/differences.md).
    let as_error = |line: &str| match done.code {
        0 => line.replacen("warning: 404 when", "Error: 404 when", 1),
        _ => line.to_owned(),
    };
    let own: Vec<String> = done.err.lines().map(as_error).collect();
    let own = own.iter().map(String::as_str);
    let own = own.filter(|line| !is_of_others(line));
    let found = sorted_problems(own.map(cells).filter(|line| !line.is_empty()));
    // We may say more, also on the same line.
    let said = |line: &&String| found.iter().any(|other| other.starts_with(line.as_str()));
    // The C program asks a mirror that has failed once more for each file.
    let again = |line: &&String| {
        let mirror = |text: &str| {
            text.split_once("/repodata/")
                .map(|(mirror, _)| mirror.to_owned())
        };
        line.starts_with("Error: 404 when")
            && mirror(line).is_some()
            && found.iter().any(|other| mirror(other) == mirror(line))
    };
    let missing = wanted.iter().filter(|line| !said(line) && !again(line));
    let mut lines: Vec<String> = missing.map(|line| format!("stderr -{line}")).collect();
    if !lines.is_empty() {
        lines.extend(found.iter().map(|line| format!("stderr  {line}")));
    } else if done.code == 0 {
        let more = found
            .iter()
            .filter(|line| !wanted.contains(line) && !is_explanation(line));
        lines.extend(more.map(|line| format!("stderr +{line}")));
    }
    lines
}

/// What we may add to a success.
fn is_explanation(line: &str) -> bool {
    let words = ["warning: ", "Hint: ", "Error: ", "User id", "Fingerprint"];
    let known = [
        " package not found or not installed",
        " is excluded (--exclude",
        " names are excluded",
        // Why there is nothing to do, and what a removal leaves.
        "nothing provides ",
        "nothing newer ",
        "nothing older ",
        "what is installed is what the repositories offer",
        "all packages are as they would be afterwards",
        "what it takes to build this is installed",
        "every installed package was asked for or is needed by another one",
        "nothing needs these any more: ",
    ];
    words.iter().any(|word| line.starts_with(word)) || known.iter().any(|word| line.contains(word))
}

/// What librpm, sudo and the C program's own asserts print, which is nothing that we compare.
fn is_of_others(line: &str) -> bool {
    // The same of ours: what a signature that is not asked for would be worth.
    (line.starts_with("warning: ") && line.contains(".rpm: "))
        || line.starts_with("error: %pre")
        || (line.starts_with("error: ") && line.ends_with(": install failed"))
        || line.starts_with("sudo: ")
        || line.starts_with("check_")
        || line.starts_with("rpm: ")
}

/// The block that librpm prints on stdout while it verifies.
fn is_of_librpm(line: &str) -> bool {
    let checks = [
        "Header V4 ",
        "Header SHA",
        "Payload SHA",
        "MD5 digest",
        "V4 ",
    ];
    (line.starts_with("    ")
        && checks
            .iter()
            .any(|word| line.trim_start().starts_with(word)))
        || (line.starts_with("/var/cache/tdnf/") && line.ends_with(".rpm:"))
}

/// A line as its cells.
fn cells(line: &str) -> String {
    let words = line.split_whitespace().map(plain);
    let words = words.map(|word| without_cache(&key_of_anybody(&word)));
    words.collect::<Vec<_>>().join(" ")
}

/// Colours mean nothing.
fn plain(word: &str) -> String {
    let mut parts = word.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

/// Where a file lies in the cache is each program's own.
fn without_cache(word: &str) -> String {
    match word.split_once("/var/cache/tdnf/") {
        Some((before, path)) => format!("{before}{}", path.rsplit('/').next().unwrap_or(path)),
        None => word.to_owned(),
    }
}

/// Keys are made anew for each run.
fn key_of_anybody(word: &str) -> String {
    match word.split_once("gpg-pubkey-") {
        Some((before, rest)) => {
            let end = rest.find([',', '"']).unwrap_or(rest.len());
            format!("{before}gpg-pubkey{}", &rest[end..])
        }
        None => word.to_owned(),
    }
}

/// The lines that are compared.
fn canonical(text: &str, sets: bool) -> Vec<String> {
    if text.starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return vec![json(value).to_string()];
    }
    // What came over the network is said by us alone, also behind an answer that nobody ended with a line end.
    let told = text
        .split_inclusive('\n')
        .map(|line| match line.find("Fetched ") {
            Some(at) => &line[..at],
            None => line,
        });
    let text: String = told.collect();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !is_of_librpm(line))
        .map(cells)
        .collect();
    silent_first(&mut lines);
    for line in &mut lines {
        mask_date(line);
        mask_progress(line);
        sort_names(line);
        sort_pair(line);
    }
    // A line for each file, and an empty one behind them.
    let mut last = String::new();
    lines.retain(|line| {
        let of_progress = line == "PROGRESS" || (last == "PROGRESS" && line.is_empty());
        let note = line.starts_with("[using ") && *line == last;
        line.clone_into(&mut last);
        !of_progress && !note
    });
    if sets {
        return as_set(&lines);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    sort_rows(lines)
}

/// What a search finds, each package once.
fn each_once(lines: &mut Vec<String>) {
    lines.sort();
    lines.dedup();
    for line in lines {
        if let Ok(Value::Array(mut rows)) = serde_json::from_str(line) {
            rows.sort_by_key(Value::to_string);
            rows.dedup();
            *line = Value::Array(rows).to_string();
        }
    }
}

/// Advisories without what the C program does not tell: severity, CVEs and bugs.
fn without_severity(text: &str) -> String {
    let labels = ["Severity :", "CVEs :", "Bugs :"];
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        !labels.iter().any(|label| line.starts_with(label))
    });
    let lines = lines.map(|line| match line.starts_with("patch:") {
        true => line.split(' ').take(3).collect::<Vec<_>>().join(" "),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The groups of a plan as the C program heads them.
const GROUPS: [&str; 6] = [
    "Installing",
    "Upgrading",
    "Downgrading",
    "Removing",
    "Reinstalling",
    "Obsoleting",
];

/// The group that a line heads: ours parts what was asked for from what comes along.
fn group_of(line: &str) -> Option<&'static str> {
    let parts = [
        "",
        " dependencies",
        " weak dependencies",
        " dependent packages",
        " unused dependencies",
    ];
    let heads = |group: &&&str| {
        let part = line
            .strip_prefix(**group)
            .and_then(|rest| rest.strip_suffix(':'));
        part.is_some_and(|part| parts.contains(&part))
    };
    GROUPS.iter().find(heads).copied()
}

/// Rows of a plan that stand in two lines as one.
fn unfolded(text: &str) -> String {
    match text.contains("\nPackages: ") {
        true => text.replace("\n    ", " "),
        false => text.to_owned(),
    }
}

/// The table of a plan as its groups with their packages: name, architecture, version, repository and
/// sizes. The C program repeats its totals for each group and lists what is obsoleted under the
/// removals, too; ours has a head, one total and remarks behind the rows.
fn plan_table(lines: Vec<String>) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut rest = Vec::new();
    let mut group = None;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let is_total = [
            "Total installed size: ",
            "Total download size: ",
            "Total freed size: ",
            "Packages: ",
        ];
        if let Some(head) = group_of(&line) {
            group = Some(head);
        } else if let (Some(group), [_, _, _, _, own, size, ..]) = (group, words.as_slice())
            && is_size(own)
            && is_size(size)
        {
            groups.entry(group).or_default().push(words[..6].join(" "));
        } else if !is_total.iter().any(|total| line.starts_with(total))
            && line != "Package Arch Version Repo Size Download"
        {
            group = group.filter(|_| line.is_empty());
            rest.push(line);
        }
    }
    let obsoleted = groups.get("Obsoleting").cloned().unwrap_or_default();
    if let Some(removed) = groups.get_mut("Removing") {
        removed.retain(|row| !obsoleted.contains(row));
    }
    if !groups.is_empty() {
        rest.retain(|line| !line.is_empty());
    }
    for (group, mut rows) in groups.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        rows.sort();
        rest.push(group.to_owned());
        rest.append(&mut rows);
    }
    rest
}

/// Packages of the test repository whose scriptlets print.
const SPEAKING: &[&str] = &[
    "tdnf-verbose-scripts-",
    "tdnf-bad-pre-",
    "tdnf-dummy-pretrans-",
];

/// Where scriptlets print, lines of packages that say nothing stand before them: the place of one
/// among packages that do not need each other means nothing, what it prints and in which order does.
fn silent_first(lines: &mut [String]) {
    let Some(begin) = lines.iter().position(|line| line == "Running transaction") else {
        return;
    };
    let element = |line: &str| {
        let name = line.strip_prefix("Installing/Updating: ");
        name.or_else(|| line.strip_prefix("Removing: "))
            .map(str::to_owned)
    };
    let is_loud = |line: &String| match element(line) {
        Some(name) => SPEAKING.iter().any(|speaking| name.starts_with(speaking)),
        None => true,
    };
    let rest = &mut lines[begin + 1..];
    if rest
        .iter()
        .any(|line| element(line).is_none() && !line.is_empty())
    {
        rest.sort_by_key(is_loud);
    }
}

/// Advisories as a set: the C program repeats one for every installed package it is about.
fn as_set(lines: &[String]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in lines {
        match blocks
            .last_mut()
            .filter(|_| !line.starts_with("Name :") && !line.starts_with("patch:"))
        {
            Some(block) => {
                block.push('\n');
                block.push_str(line);
            }
            None => blocks.push(line.clone()),
        }
    }
    blocks.sort();
    blocks.dedup();
    blocks
}

/// `Fri Nov 20 2026 12:00` in the history table.
fn mask_date(line: &mut String) {
    let words: Vec<&str> = line.split(' ').collect();
    // tdnf-automatic says when it began and ended.
    if line.starts_with("tdnf-automatic - ") {
        line.truncate(line.find(" at ").unwrap_or(line.len()));
        return;
    }
    let is_time = |word: &str| word.len() == 5 && word.as_bytes().get(2) == Some(&b':');
    if let Some(at) = words.iter().position(|word| is_time(word))
        && at >= 4
    {
        let mut kept = words[..at - 4].to_vec();
        kept.push("DATE");
        kept.extend(&words[at + 1..]);
        *line = kept.join(" ");
    }
}

/// `photon-test 100% 4007`: bytes that differ, one line per file.
fn mask_progress(line: &mut String) {
    let words: Vec<&str> = line.split(' ').collect();
    let number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let repeated = line.matches(" 100%").count();
    if let [_, percent, bytes] = words.as_slice()
        && percent.ends_with('%')
        && number(bytes)
    {
        *line = "PROGRESS".to_owned();
    } else if repeated > 0 && words.len() == repeated * 3 {
        // A terminal: one line that is written again and again.
        *line = "PROGRESS".to_owned();
    } else if repeated == 1 && words.len() <= 4 {
        *line = "PROGRESS".to_owned();
    }
}

/// `added: a, b` is a set.
fn sort_names(line: &mut String) {
    for word in ["added: ", "removed: "] {
        if let Some(rest) = line.strip_prefix(word) {
            let mut names: Vec<&str> = rest.split(", ").collect();
            names.sort_unstable();
            *line = format!("{word}{}", names.join(", "));
        }
    }
}

/// Which of two packages is named first follows from the order of the transaction.
fn sort_pair(line: &mut String) {
    let Some((before, pair)) = line.split_once(" between attempted installs of ") else {
        return;
    };
    if let Some((first, second)) = pair.split_once(" and ")
        && first > second
    {
        *line = format!("{before} between attempted installs of {second} and {first}");
    }
}

/// Sorts blocks of rows whose order means nothing.
fn sort_rows(lines: Vec<String>) -> Vec<String> {
    let kind = |line: &str| -> u8 {
        let words: Vec<&str> = line.split(' ').collect();
        let is_status = |word: &&str| ["enabled", "disabled"].contains(word);
        if words.len() == 6 && is_size(words[4]) && is_size(words[5]) {
            1
        } else if words.len() > 2 && words.last().is_some_and(is_status) {
            2
        } else if line.starts_with("cleaning ") {
            3
        } else if line.starts_with("Installing/Updating: ") {
            4
        } else if line.starts_with("Removing: ") {
            5
        } else if line.starts_with("Loaded plugin: ") {
            6
        } else {
            0
        }
    };
    let mut sorted: Vec<String> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let own = kind(&lines[at]);
        let end = (at..lines.len())
            .find(|i| own == 0 || kind(&lines[*i]) != own)
            .unwrap_or(lines.len())
            .max(at + 1);
        let mut block = lines[at..end].to_vec();
        if own != 0 {
            block.sort();
        }
        sorted.extend(block);
        at = end;
    }
    sorted
}

fn is_size(word: &str) -> bool {
    let Some((number, unit)) = word.split_at_checked(word.len().saturating_sub(1)) else {
        return false;
    };
    ["b", "k", "M", "G"].contains(&unit) && number.parse::<f64>().is_ok()
}

/// Solver problems without their numbers, sorted among themselves.
fn sorted_problems(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = lines.collect();
    let plain = |line: &str| -> Option<String> {
        let (number, rest) = line.split_once(". ")?;
        number.parse::<u32>().ok().map(|_| rest.to_owned())
    };
    let places: Vec<usize> = (0..all.len())
        .filter(|at| plain(&all[*at]).is_some())
        .collect();
    let mut problems: Vec<String> = places.iter().filter_map(|at| plain(&all[*at])).collect();
    problems.sort();
    for (at, problem) in places.into_iter().zip(problems) {
        all[at] = problem;
    }
    all
}

/// JSON with its times taken out and its sets sorted.
fn json(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let each = map.into_iter().map(|(key, value)| {
                let value = match (key.as_str(), json(value)) {
                    ("TimeStamp", _) => Value::from(0),
                    ("Added" | "Removed" | "Packages", Value::Array(mut names)) => {
                        names.sort_by_key(Value::to_string);
                        Value::Array(names)
                    }
                    (_, Value::Array(mut rows))
                        if rows.iter().any(|row| row.get("InstallSize").is_some()) =>
                    {
                        rows.sort_by_key(Value::to_string);
                        Value::Array(rows)
                    }
                    (_, value) => value,
                };
                (key, value)
            });
            Value::Object(each.collect())
        }
        Value::Array(rows) => {
            let mut rows: Vec<Value> = rows.into_iter().map(json).collect();
            if rows.iter().any(|row| row.get("RepoName").is_some()) {
                rows.sort_by_key(Value::to_string);
            }
            if rows.iter().any(|row| row.get("UpdateID").is_some()) {
                rows.sort_by_key(Value::to_string);
                rows.dedup();
            }
            Value::Array(rows)
        }
        other => other,
    }
}

/// A help text says the same if ours names every option and command that it names.
fn same_help(wanted: &[String], found: &[String]) -> bool {
    let begins = |line: &String| line.starts_with("Usage: tdnf") || line == "tdnf-automatic help:";
    let Some(at) = wanted.iter().position(begins) else {
        return false;
    };
    if found.get(at) != wanted.get(at) || found[..at] != wanted[..at] {
        return false;
    }
    let all = found.join("\n");
    let has = |word: &str| all.contains(word);
    wanted[at..].iter().all(|line| {
        let options = line
            .split([' ', '[', ']', '=', ',', '<'])
            .filter(|word| word.starts_with("--"));
        let about = line
            .split_once(' ')
            .map(|(name, about)| (name, about.trim()));
        let is_command = about.is_some_and(|(name, about)| {
            !name.starts_with(['[', '<', 'P'])
                && !about.is_empty()
                && !line.ends_with(':')
                && !name.ends_with(':')
                && name != "List"
        });
        options.into_iter().all(has) && (!is_command || about.is_some_and(|(name, _)| has(name)))
    })
}

/// The sample with the sizes that the packages have here.
fn sizes_of_here(stage: &Stage, text: &str) -> String {
    if text.starts_with(['[', '{'])
        && let Ok(mut value) = serde_json::from_str::<Value>(text)
    {
        json_sizes(stage, &mut value);
        return value.to_string();
    }
    let (mut lines, mut total) = (Vec::new(), 0);
    let mut block: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, arch, evr, _, own, size] = words.as_slice()
            && is_size(own)
            && is_size(size)
        {
            let bytes = if *size == "0.00b" {
                0
            } else {
                size_of(stage, name, evr, arch)
            };
            total += bytes;
            let row = [&words[..5], &[human_size(bytes).trim()]]
                .concat()
                .join(" ");
            lines.push(row);
        } else if line.starts_with("Total download size: ") {
            lines.push(format!("Total download size: {}", human_size(total)));
            total = 0;
        } else if line.starts_with("Download Size ") {
            let get = |key: &str| block.get(key).cloned().unwrap_or_default();
            let evr = format!("{}-{}", get("Version"), get("Release"));
            let bytes = size_of(stage, &get("Name"), &evr, &get("Arch"));
            lines.push(format!("Download Size : {} ({bytes})", human_size(bytes)));
        } else if let Some((name, rest)) = line.split_once("|1.0.1-2|") {
            let bytes = size_of(stage, name, "1.0.1-2", "x86_64");
            let size = human_size(bytes);
            lines.push(format!("{name}|1.0.1-2|{}", rest.replace("  6.64k", &size)));
        } else {
            if let Some((key, value)) = line.split_once(" : ").or_else(|| line.split_once(": ")) {
                block.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

fn json_sizes(stage: &Stage, value: &mut Value) {
    let rows = value.as_array_mut().into_iter().flatten();
    for row in rows.filter(|row| row.get("DownloadSize").is_some()) {
        let text = |key: &str| {
            row.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let bytes = size_of(stage, &text("Name"), &text("Evr"), &text("Arch"));
        row["DownloadSize"] = Value::from(bytes);
    }
}

fn size_of(stage: &Stage, name: &str, evr: &str, arch: &str) -> u64 {
    let version = evr.split_once(':').map_or(evr, |(_, version)| version);
    let file = format!("{name}-{version}.{arch}");
    stage.sizes.get(&file).copied().unwrap_or(0)
}

/// Lines of both that are not in the other, in order.
fn diff(wanted: &[String], found: &[String]) -> Vec<String> {
    let only = |a: &[String], b: &[String], sign: char| -> Vec<String> {
        let mut left: Vec<&String> = b.iter().collect();
        let mut lines = Vec::new();
        for line in a {
            match left.iter().position(|other| *other == line) {
                Some(at) => drop(left.remove(at)),
                None => lines.push(format!("  {sign}{line}")),
            }
        }
        lines
    };
    let mut lines = only(wanted, found, '-');
    lines.extend(only(found, wanted, '+'));
    if lines.is_empty() {
        lines.push("  the same lines in another order".to_owned());
        lines.extend(found.iter().map(|line| format!("  {line}")));
    }
    lines
}
