//! What is shown: view models as text or JSON.

pub mod advisories;
pub mod history;
pub mod packages;
pub mod plan;
pub mod progress;
pub mod repos;

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
