//! Yes/no questions.

use std::io::BufRead;

use crate::Printer;

/// What a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// `y` or `yes`.
    Yes,
    /// `n`, `no` or an empty line.
    No,
    /// The input ended, or could not be read, before an answer.
    EndOfInput,
}

impl Reply {
    /// Reads one line as an answer; `None` means that the question must be asked again.
    pub fn parse(line: &str) -> Option<Self> {
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Some(Self::Yes),
            "n" | "no" | "" => Some(Self::No),
            _ => None,
        }
    }
}

impl Printer {
    /// Asks `question` until it is answered; the question is printed at level crit, without a
    /// line break. Reads from `input`.
    pub fn ask_from(&self, question: &str, input: &mut dyn BufRead) -> Reply {
        loop {
            self.crit_part(question);
            let mut line = String::new();
            match input.read_line(&mut line) {
                Ok(0) | Err(_) => return Reply::EndOfInput,
                Ok(_) => {}
            }
            if let Some(answer) = Reply::parse(&line) {
                return answer;
            }
        }
    }

    /// Asks `question` on standard input.
    pub fn ask(&self, question: &str) -> Reply {
        self.ask_from(question, &mut std::io::stdin().lock())
    }
}
