//! What is shown: view models as text or JSON.

pub mod advisories;
pub mod history;
pub mod notes;
pub mod packages;
pub mod plan;
pub mod progress;
pub mod repos;
pub mod transcript;

use cli_kit::Printer;
use serde::Serialize;

use crate::error::Failure;

#[derive(Serialize)]
struct ErrorView<'a> {
    #[serde(rename = "Error")]
    number: u32,
    #[serde(rename = "ErrorMessage")]
    message: &'a str,
}

/// The error of the document of version 2.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorDetail<'a> {
    number: u32,
    message: &'a str,
    details: &'a [String],
    hints: &'a [String],
}

impl<'a> ErrorDetail<'a> {
    fn of(failure: &'a Failure, message: &'a str) -> Self {
        Self {
            number: failure.code.0,
            message,
            details: &failure.details,
            hints: &failure.hints,
        }
    }
}

/// The version of the JSON document (docs/json.md).
const DOCUMENT_VERSION: u32 = 2;

/// Ends the output of a run: prints the document where one was asked for.
pub fn close(printer: &Printer, command: Option<&str>, code: u8) {
    printer.field("Version", &DOCUMENT_VERSION);
    printer.field("Command", &command);
    printer.field("ExitCode", &code);
    printer.close();
}

/// Shows why a run stops: remarks on stdout, details, error line and hints on stderr; in JSON
/// mode the error object on stdout and the details on stderr. Benign ends show their bare text.
pub fn failure(printer: &Printer, failure: &Failure) {
    for line in &failure.remarks {
        printer.crit(line);
    }
    for line in &failure.details {
        printer.err(line);
    }
    let text = failure.code.text();
    if failure.code.is_benign() {
        if !printer.mode().json {
            printer.err(&text);
        }
    } else if printer.mode().document {
        printer.field("Error", &ErrorDetail::of(failure, &text));
    } else if printer.mode().json {
        printer.json(&ErrorView {
            number: failure.code.0,
            message: &text,
        });
    } else {
        printer.err(&format!("Error({}) : {text}", failure.code.0));
    }
    for line in &failure.hints {
        printer.err(&format!("Hint: {line}"));
    }
}
