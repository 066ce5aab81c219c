//! Boolean dependencies: `(a and b)`, `(a if b else c)`, nested (rpm's boolean dependencies document).

use crate::deps;
use crate::ffi::{self, Id};
use crate::input::{DepInput, EvrInput, Relation};

/// Most operands, nested ones among them, in one dependency.
const MAX_OPERANDS: usize = 500;

struct RichReader<'a> {
    pool: *mut ffi::Pool,
    rest: &'a str,
    operands: usize,
}

/// The id of a boolean dependency; `None` if the text is not one.
///
/// # Safety
/// `pool` must be a live pool.
pub(crate) unsafe fn rich_id(pool: *mut ffi::Pool, text: &str) -> Option<Id> {
    let mut parser = RichReader {
        pool,
        rest: text,
        operands: 0,
    };
    // SAFETY: the pool is live (caller).
    let id = unsafe { parser.group() }?;
    parser.rest.trim().is_empty().then_some(id)
}

impl<'a> RichReader<'a> {
    /// # Safety
    /// The pool must be live: so for all functions here.
    unsafe fn group(&mut self) -> Option<Id> {
        self.rest = self.rest.strip_prefix('(')?;
        // SAFETY: the pool is live (caller).
        unsafe { self.chain(0) }
    }

    /// Operand, then either the closing parenthesis or an operator and the rest.
    ///
    /// # Safety
    /// As [`Self::group`].
    unsafe fn chain(&mut self, before: u32) -> Option<Id> {
        self.operands += 1;
        if self.operands > MAX_OPERANDS {
            return None;
        }
        self.rest = self.rest.trim_start_matches(' ');
        // SAFETY: the pool is live (caller).
        let left = unsafe {
            if self.rest.starts_with('(') {
                self.group()?
            } else {
                self.simple()?
            }
        };
        self.rest = self.rest.trim_start_matches(' ');
        if let Some(rest) = self.rest.strip_prefix(')') {
            self.rest = rest;
            return Some(left);
        }
        let (word, rest) = self.rest.split_once(' ')?;
        let operator = operator(word)?;
        let after_condition = before == ffi::REL_COND || before == ffi::REL_UNLESS;
        let fits = before == 0
            || (after_condition && operator == ffi::REL_ELSE)
            || (operator == before && chains(operator));
        if !fits || (operator == ffi::REL_ELSE && !after_condition) {
            return None;
        }
        self.rest = rest;
        // SAFETY: the pool is live (caller), and both ids come from it.
        unsafe {
            let right = self.chain(operator)?;
            Some(ffi::pool_rel2id(self.pool, left, right, operator as i32, 1))
        }
    }

    /// A name with a version or without.
    ///
    /// # Safety
    /// As [`Self::group`].
    unsafe fn simple(&mut self) -> Option<Id> {
        let name = self.word()?;
        self.rest = self.rest.trim_start_matches(' ');
        let sign = self.rest.len() - self.rest.trim_start_matches(['<', '=', '>']).len();
        let relation = match &self.rest[..sign] {
            "" => Relation::ANY,
            "=" => Relation::EQUAL,
            "<" => Relation::LESS,
            "<=" => Relation::LESS_EQUAL,
            ">" => Relation::GREATER,
            ">=" => Relation::GREATER_EQUAL,
            _ => return None,
        };
        self.rest = self.rest[sign..].trim_start_matches(' ');
        let version = if relation == Relation::ANY {
            ""
        } else {
            self.word()?
        };
        let dep = DepInput {
            name,
            relation,
            evr: EvrInput {
                version,
                ..EvrInput::default()
            },
            pre: false,
        };
        // SAFETY: the pool is live (caller).
        Some(unsafe { deps::plain_id(self.pool, &dep, &mut String::new()) })
    }

    /// Text up to a blank or a parenthesis that was not opened in it.
    fn word(&mut self) -> Option<&'a str> {
        let mut open = 0_u32;
        let end = self
            .rest
            .bytes()
            .position(|byte| {
                match byte {
                    b' ' => return true,
                    b'(' => open += 1,
                    b')' if open == 0 => return true,
                    b')' => open -= 1,
                    _ => {}
                }
                false
            })
            .filter(|end| *end > 0)?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

fn operator(word: &str) -> Option<u32> {
    Some(match word {
        "and" => ffi::REL_AND,
        "or" => ffi::REL_OR,
        "with" => ffi::REL_WITH,
        "without" => ffi::REL_WITHOUT,
        "if" => ffi::REL_COND,
        "unless" => ffi::REL_UNLESS,
        "else" => ffi::REL_ELSE,
        _ => return None,
    })
}

/// Operators that may follow themselves without parentheses.
fn chains(operator: u32) -> bool {
    matches!(operator, ffi::REL_AND | ffi::REL_OR | ffi::REL_WITH)
}
