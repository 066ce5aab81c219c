//! The pages: those of commands from the parser's own tables, those of files from [`formats`].

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use tdnf::commands::help;
use tdnf::{commands, programs};

use super::formats;

/// The text of a page by its file name (`tdnf-install.8`).
pub(crate) type Page = (String, Vec<u8>);

/// Writes every page into a directory, which is made; returns the files.
pub(crate) fn write(dir: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir)?;
    let mut files = Vec::new();
    for (name, text) in all()? {
        let path = dir.join(name);
        std::fs::write(&path, text)?;
        files.push(path);
    }
    Ok(files)
}

/// Every page.
pub(crate) fn all() -> io::Result<Vec<Page>> {
    let mut pages = vec![overview()?];
    for command in commands::ALL {
        pages.push(of_command(command)?);
        // `man tdnf-upgrade` finds the page of `update`.
        let to = format!(".so man8/tdnf-{}.8\n", command.name);
        let names = command.aliases.iter();
        pages.extend(names.map(|alias| (format!("tdnf-{alias}.8"), to.clone().into_bytes())));
    }
    for program in programs::ALL {
        pages.push(of_program(program)?);
    }
    pages.extend(formats::ALL.iter().map(of_format));
    Ok(pages)
}

fn man(parser: clap::Command, title: &str) -> Man {
    Man::new(parser)
        .title(title.to_uppercase())
        .section("8")
        .source(format!("tdnf {}", tdnf::VERSION))
        .manual("tdnf")
        .date(testkit::words::page_date())
}

/// Everything but the options, which come after it.
fn front(man: &Man, text: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)
}

fn overview() -> io::Result<Page> {
    let man = man(help::tool(), "tdnf");
    let mut text = Vec::new();
    front(&man, &mut text)?;
    let mut list = Roff::new();
    list.control("SH", ["COMMANDS"]);
    for command in commands::ALL {
        list.control("TP", []);
        list.text([
            bold(format!("tdnf {}", command.name)),
            roman(format!(" {}", command.usage)),
        ]);
        list.text([roman(format!(
            "{}; see tdnf-{}(8)",
            command.about, command.name
        ))]);
    }
    list.control("SH", ["PROGRAMS"]);
    for program in programs::ALL {
        list.control("TP", []);
        list.text([bold(program.name)]);
        list.text([roman(program.about)]);
    }
    list.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    environment(&mut text)?;
    let names = formats::ALL
        .iter()
        .map(|format| format!("{}(5)", format.name));
    see_also(&names.collect::<Vec<_>>(), &mut text)?;
    Ok(("tdnf.8".to_owned(), text))
}

fn environment(text: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    roff.control("TP", []);
    roff.text([bold(cli_kit::LOG_VARIABLE)]);
    roff.text([roman(
        "What is logged on standard error: off, error, warn, info, debug or trace; CRATE=LEVEL for one \
         crate (mirror_sync, repo_client, repo_tools, rpm_solv, rpm_transaction, tdnf); several with \
         commas. Without it nothing is logged.",
    )]);
    roff.to_writer(text)
}

fn of_command(command: &'static commands::Command) -> io::Result<Page> {
    let name = format!("tdnf-{}", command.name);
    let man = man(help::with_options(command), &name);
    let mut text = Vec::new();
    front(&man, &mut text)?;
    if !command.aliases.is_empty() {
        let mut also = Roff::new();
        also.control("PP", []);
        also.text([roman(format!(
            "Also called: {}.",
            command.aliases.join(", ")
        ))]);
        also.to_writer(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    let mut example = Roff::new();
    example.control("SH", ["EXAMPLE"]);
    example.text([bold(format!("tdnf {}", command.example))]);
    example.control("PP", []);
    example.text([roman("The options of all commands are in tdnf(8).")]);
    example.to_writer(&mut text)?;
    see_also(
        &["tdnf(8)".to_owned(), "tdnf.conf(5)".to_owned()],
        &mut text,
    )?;
    Ok((format!("{name}.8"), text))
}

/// A companion program: its help text as it is.
fn of_program(program: &programs::Program) -> io::Result<Page> {
    let mut roff = Roff::new();
    let source = format!("tdnf {}", tdnf::VERSION);
    let (title, date) = (program.name.to_uppercase(), testkit::words::page_date());
    roff.control("TH", [title.as_str(), "8", &date, &source, "tdnf"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - {}", program.name, program.about))]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.control("nf", []);
    for line in program.usage.trim().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    let mut text = Vec::new();
    roff.to_writer(&mut text)?;
    let mut others = vec!["tdnf(8)".to_owned()];
    let format = format!("{}.conf", program.name);
    if formats::ALL.iter().any(|known| known.name == format) {
        others.push(format!("{format}(5)"));
    }
    see_also(&others, &mut text)?;
    Ok((format!("{}.8", program.name), text))
}

fn see_also(names: &[String], text: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(names.join(", "))]);
    roff.to_writer(text)
}

fn of_format(format: &formats::Format) -> Page {
    let mut roff = Roff::new();
    let source = format!("tdnf {}", tdnf::VERSION);
    let (title, date) = (format.name.to_uppercase(), testkit::words::page_date());
    roff.control("TH", [title.as_str(), "5", &date, &source, "tdnf"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - {}", format.name, format.about))]);
    roff.control("SH", ["DESCRIPTION"]);
    for (number, paragraph) in format.text.iter().enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*paragraph)]);
    }
    roff.control("SH", ["KEYS"]);
    for key in format.keys {
        roff.control("TP", []);
        let default = format!(" (default: {})", key.default);
        roff.text([bold(key.name), roman(default)]);
        roff.text([roman(key.about)]);
    }
    roff.control("SH", ["SEE ALSO"]);
    let others = formats::ALL
        .iter()
        .filter(|other| other.name != format.name);
    let others: Vec<String> = others.map(|other| format!("{}(5)", other.name)).collect();
    roff.text([roman(format!("tdnf(8), {}", others.join(", ")))]);
    (format!("{}.5", format.name), roff.render().into_bytes())
}
