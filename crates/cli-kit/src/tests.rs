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
fn verbose_runs_print_a_line_per_finished_transfer() {
    let printer = Printer::recording(OutputMode {
        verbose: true,
        ..OutputMode::default()
    });
    let progress = Progress::new(&printer);
    progress.start(1, "basic", Some(4007));
    progress.advance(1, 100);
    progress.finish(1, true);
    assert_eq!(printer.recorded().out, "basic 100% 4007\n");
}

#[test]
fn long_runs_show_that_they_go_on() {
    let printer = Printer::recording(OutputMode::default());
    let progress = Progress::with_heartbeat(&printer, std::time::Duration::ZERO);
    progress.start(1, "basic", Some(4096));
    progress.advance(1, 2048);
    assert_eq!(
        printer.recorded().out,
        "still transferring: 0 finished, 2.00k so far\n"
    );
    // Not every time: the next line comes after the pause.
    let printer = Printer::recording(OutputMode::default());
    let progress = Progress::new(&printer);
    progress.start(1, "basic", Some(4096));
    progress.advance(1, 2048);
    assert_eq!(printer.recorded().out, "");
    let quiet = Printer::recording(OutputMode {
        quiet: true,
        ..OutputMode::default()
    });
    let progress = Progress::with_heartbeat(&quiet, std::time::Duration::ZERO);
    progress.start(1, "basic", None);
    progress.advance(1, 1);
    assert_eq!(quiet.recorded().out, "");
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
