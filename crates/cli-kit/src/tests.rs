use std::time::{Duration, Instant};

use super::*;

#[test]
fn sizes_are_written_as_tdnf_does() {
    assert_eq!(human_size(0), "  0.00b");
    assert_eq!(human_size(65), " 65.00b");
    assert_eq!(human_size(1024), "1024.00b");
    assert_eq!(human_size(6649), "  6.49k");
    assert_eq!(human_size(3 << 30), "  3.00G");
}

#[test]
fn exit_codes_never_read_as_success() {
    assert_eq!(exit_code(0), 0);
    assert_eq!(exit_code(1011), 243);
    assert_eq!(exit_code(1525), 245);
    assert_eq!(exit_code(1280), 1);
}

#[test]
fn levels_follow_the_mode() {
    let quiet = Printer::recording(OutputMode {
        quiet: true,
        ..OutputMode::default()
    });
    quiet.info("progress");
    quiet.crit("result");
    quiet.err("problem");
    assert_eq!(
        quiet.recorded(),
        Recorded {
            out: "result\n".into(),
            err: "problem\n".into()
        }
    );

    let json = Printer::recording(OutputMode {
        json: true,
        ..OutputMode::default()
    });
    json.info("progress");
    json.crit("result");
    json.json(&["a", "b\n"]);
    assert_eq!(json.recorded().out, r#"["a","b\n"]"#);
}

#[test]
fn a_question_is_asked_again_until_it_is_answered() {
    let printer = Printer::recording(OutputMode::default());
    let mut input = &b"maybe\nYES\n"[..];
    assert_eq!(printer.ask_from("ok? ", &mut input), Reply::Yes);
    assert_eq!(printer.recorded().out, "ok? ok? ");
    assert_eq!(printer.ask_from("", &mut &b"\n"[..]), Reply::No);
    assert_eq!(printer.ask_from("", &mut &b""[..]), Reply::EndOfInput);
}

#[test]
fn sizes_of_transfers_have_one_decimal_and_a_prefix_of_iec() {
    let sizes = [0, 1023, 1024, 655_360, 1_048_500, 35_651_584, 3 << 40].map(iec_size);
    assert_eq!(
        sizes,
        [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "640.0 KiB",
            "1023.9 KiB",
            "34.0 MiB",
            "3.0 TiB"
        ]
    );
    assert_eq!(iec_size(1_048_570), "1.0 MiB");
    assert_eq!(iec_rate(655_360), "640.0 KiB/s");
    assert_eq!(span(119), "119 s");
    assert_eq!(span(5400), "90 min");
}

fn verbose() -> Printer {
    Printer::recording(OutputMode {
        verbose: true,
        ..OutputMode::default()
    })
}

#[test]
fn verbose_runs_print_a_line_per_finished_transfer() {
    let printer = verbose();
    let progress = Progress::new(&printer);
    progress.start(1, "basic", Some(4007), 0);
    progress.advance(1, 100);
    progress.finish(1, Some(4007));
    progress.start(2, "cut", Some(400), 0);
    progress.advance(2, 100);
    progress.finish(2, None);
    assert_eq!(printer.recorded().out, "basic 100% 4007\ncut 25% 100\n");
}

/// Waits for a line of a long run.
fn beaten(printer: &Printer) -> String {
    loop {
        let out = printer.recorded().out;
        if !out.is_empty() {
            return out.lines().next().unwrap_or_default().to_owned();
        }
        std::thread::yield_now();
    }
}

#[test]
fn long_runs_show_that_they_go_on_also_where_nothing_comes() {
    let printer = Printer::recording(OutputMode::default());
    let progress = Progress::with_heartbeat(&printer, Duration::from_millis(1));
    progress.start(1, "basic", Some(4096), 2048);
    progress.begin_run(2, 8192, 0);
    let line = beaten(&printer);
    assert!(line.starts_with("0 of 2 files, "), "{line}");
    progress.end_run();
    let said = printer.recorded();
    // The next line would come after the pause, and quiet runs have none.
    let quiet = Printer::recording(OutputMode {
        quiet: true,
        ..OutputMode::default()
    });
    for (printer, pause) in [(&printer, 3_600_000), (&quiet, 0)] {
        let before = printer.recorded();
        let progress = Progress::with_heartbeat(printer, Duration::from_millis(pause));
        progress.begin_run(1, 1, 0);
        progress.start(1, "basic", None, 0);
        progress.advance(1, 1);
        drop(progress);
        assert_eq!(printer.recorded(), before);
    }
    assert_eq!(printer.recorded(), said);
}

/// A download of 17 files after ten seconds, the rate that of the last ones.
fn long_download() -> (tally::Tally, Instant) {
    let (mut tally, began) = (tally::Tally::default(), Instant::now());
    tally.begin_run(17, 34 << 20, 0);
    for id in 0..4 {
        tally.start(id, "done", Some(4 << 20), 4 << 20);
        tally.finish(id, Some(4 << 20));
    }
    tally.mark(began);
    tally.start(4, "a-short-one-1.0-1.x86_64", Some(4 << 20), 1 << 20);
    let long = "a-package-with-a-name-that-is-longer-than-anybody-would-like-it-to-be-20261130-1.ph5.x86_64";
    tally.start(5, long, Some(4 << 20), 0);
    tally.start(6, "\u{1b}[2Jodd-\u{fc}", None, 0);
    tally.advance(4, (1 << 20) + 3_276_800 / 2);
    tally.advance(5, 3_276_800 / 2);
    let now = began + Duration::from_secs(5);
    tally.mark(now);
    (tally, now)
}

#[test]
fn a_terminal_shows_everything_in_one_line_above_the_files_under_way() {
    let (tally, now) = long_download();
    assert_eq!(
        tally.lines(now, 80, 24),
        [
            "4 of 17 files, 20.1 of 34.0 MiB, 640.0 KiB/s, 23 s left",
            "  a-short-one-1.0-1.x86_64                            64%  2.6 of 4.0 MiB",
            "  a-package-with-a-name-th..be-20261130-1.ph5.x86_64  39%  1.6 of 4.0 MiB",
            "  \\u{1b}[2Jodd-?                                           0 B",
        ]
    );
    assert_eq!(
        tally.lines(now, 200, 24),
        [
            "4 of 17 files, 20.1 of 34.0 MiB, 640.0 KiB/s, 23 s left",
            "  a-short-one-1.0-1.x86_64                                      64%  2.6 of 4.0 MiB        [=========================               ]",
            "  a-package-with-a-name-that-is..t-to-be-20261130-1.ph5.x86_64  39%  1.6 of 4.0 MiB        [===============                         ]",
            "  \\u{1b}[2Jodd-?                                                     0 B",
        ]
    );
}

#[test]
fn lines_never_wrap_and_leave_room_on_the_terminal() {
    let (mut tally, now) = long_download();
    // At the narrowest even the numbers have no room.
    for columns in 40..300 {
        assert_eq!(tally.lines(now, columns, 24).len(), 4, "{columns}");
    }
    for columns in 0..300 {
        for rows in 0..30 {
            let lines = tally.lines(now, columns, rows);
            assert!(lines.len() < rows.max(3), "{rows}: {lines:#?}");
            assert!(
                lines
                    .iter()
                    .all(|line| line.len() <= columns.saturating_sub(1)),
                "{columns}: {lines:#?}"
            );
        }
    }
    tally.finish(5, None);
    for columns in 40..300 {
        assert_eq!(tally.lines(now, columns, 24).len(), 3, "{columns}");
    }
    let (tally, now) = long_download();
    assert_eq!(
        tally.lines(now, 50, 5),
        [
            "4 of 17 files, 20.1 of 34.0 MiB, 640.0 KiB/s",
            "  a-short-o..-1.x86_64  64%  2.6 of 4.0 MiB",
            "  and 2 more"
        ]
    );
}

/// Where sizes are not known nothing is said of the rest, and what was there before is no rate.
#[test]
fn nothing_is_invented_of_a_transfer() {
    let (mut tally, began) = (tally::Tally::default(), Instant::now());
    tally.begin_run(2, 4 << 20, 1);
    tally.mark(began);
    tally.start(1, "kept", Some(4 << 20), 3 << 20);
    tally.start(2, "unsized", None, 0);
    let now = began + Duration::from_secs(2);
    tally.mark(now);
    assert_eq!(tally.head(now, 80), "0 of 2 files, 3.0 MiB, 0 B/s");
    tally.advance(2, 2 << 20);
    tally.finish(2, Some(2 << 20));
    assert_eq!(
        tally.head(now, 80),
        "1 of 2 files, 5.0 of 6.0 MiB, 1.0 MiB/s, 1 s left"
    );
    tally.finish(1, None);
    assert_eq!(
        tally.head(now, 80),
        "1 of 2 files, 1 failed, 2.0 of 2.0 MiB, 1.0 MiB/s"
    );
}

#[test]
fn what_was_fetched_is_told_with_its_servers() {
    let traffic = Traffic::default();
    assert_eq!(traffic.sum(), None);
    traffic.begin();
    traffic.begin();
    let at = |name: &str, bytes| (name.to_owned(), bytes);
    traffic.end([at("b.example", 1 << 20), at("a.example", 1)]);
    traffic.end([at("a.example:8080", 1 << 20), at("b.example", 1)]);
    let sum = traffic.sum().unwrap();
    assert_eq!((sum.bytes, sum.servers.len()), ((2 << 20) + 2, 3));
    let line = TrafficSum {
        seconds: 53.24,
        bytes_per_second: 655_360,
        ..sum
    }
    .line();
    let expected =
        "Fetched 2.0 MiB in 53.2 s (640.0 KiB/s) from a.example, a.example:8080, b.example";
    assert_eq!(line, expected);
}

#[test]
fn the_terminal_is_as_the_variables_say() {
    let mode = |set: &[(&str, &str)]| {
        OutputMode::default().on_terminal(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let width = |columns| Printer::recording(mode(&[("COLUMNS", columns)])).width();
    assert_eq!([width("200"), width("0"), width("x")], [200, 80, 80]);
    assert!(mode(&[("TERM", "xterm")]).color);
    assert!(mode(&[("TERM", "xterm"), ("NO_COLOR", "")]).color);
    for set in [
        &[("TERM", "xterm"), ("NO_COLOR", "1")][..],
        &[("TERM", "dumb")],
        &[],
    ] {
        assert!(!mode(set).color, "{set:?}");
    }
}

#[test]
fn the_first_word_of_talk_has_a_colour() {
    use printer::painted;
    assert_eq!(painted("warning: a: b"), "\u{1b}[33mwarning:\u{1b}[0m a: b");
    assert_eq!(
        painted("Error(1011) : none"),
        "\u{1b}[31mError(1011) :\u{1b}[0m none"
    );
    assert_eq!(painted("Hints: none"), "Hints: none");
    assert_eq!(painted("hello: you"), "hello: you");
}

/// Row 128: a name of a file or package with a line break makes no line of its own.
#[test]
fn a_line_of_talk_stays_one_line() {
    let printer = Printer::recording(OutputMode::default());
    printer.err("warning: x\nError(1) : forged\r\n.rpm: bad");
    printer.err_lines("usage\n\nmore");
    let said = printer.recorded().err;
    assert_eq!(
        said,
        "warning: x\\nError(1) : forged\\n.rpm: bad\nusage\n\nmore\n"
    );
}

/// Row 57: what a stranger wrote into names, texts and answers, as people and scripts see it.
#[test]
fn row_57_nothing_steers_a_terminal() {
    let evil = "a\x1b]0;x\x07\u{9b}2J\u{7f}\u{202e}\u{2066}\u{61c}\u{2028}\rb\tc\r\nd";
    let printer = Printer::recording(OutputMode::default());
    printer.crit(evil);
    printer.info(evil);
    printer.row(evil);
    printer.help(evil);
    printer.err(evil);
    printer.err_part(evil);
    printer.ask_from(evil, &mut &b""[..]);
    let recorded = printer.recorded();
    let shown = r"a\u{1b}]0;x\u{7}\u{9b}2J\u{7f}\u{202e}\u{2066}\u{61c}\u{2028}\rb";
    assert_eq!(recorded.err.matches(shown).count(), 2, "{}", recorded.err);
    assert_eq!(recorded.out.matches(shown).count(), 5, "{}", recorded.out);
    let line = format!("{shown}\tc\\nd\n");
    assert_eq!(recorded.err.matches(&line).count(), 1, "{}", recorded.err);
    for text in [recorded.out, recorded.err] {
        let plain = text.replace("\r\n", "\n").replace('\t', " ");
        assert!(
            !plain.contains(|c: char| c != '\n' && c.is_control()),
            "{text:?}"
        );
    }

    let json = Printer::recording(OutputMode {
        json: true,
        ..OutputMode::default()
    });
    json.json(&[evil, "\u{fc}"]);
    let out = json.recorded().out;
    assert!(
        !out.contains(char::is_control) && !out.contains('\u{202e}'),
        "{out:?}"
    );
    let read: Vec<String> = serde_json::from_str(&out).unwrap();
    assert_eq!(read, [evil, "\u{fc}"]);
}

/// Row 128: what has no shape hides nothing, in text or in JSON, and comes back from JSON as it was.
#[test]
fn row_128_characters_without_a_shape_are_written_out() {
    let unseen = "a\u{ad}\u{200b}\u{2060}\u{2029}\u{feff}\u{e0001}\u{e0041}b";
    let printer = Printer::recording(OutputMode::default());
    printer.row(unseen);
    let shown = r"a\u{ad}\u{200b}\u{2060}\u{2029}\u{feff}\u{e0001}\u{e0041}b";
    assert_eq!(printer.recorded().out.trim_end(), shown);
    let json = Printer::recording(OutputMode {
        json: true,
        ..OutputMode::default()
    });
    json.json(&[unseen]);
    let out = json.recorded().out;
    assert!(out.contains(r"\ufeff\udb40\udc01\udb40\udc41b"), "{out:?}");
    let read: Vec<String> = serde_json::from_str(&out).unwrap();
    assert_eq!(read, [unseen]);
}
