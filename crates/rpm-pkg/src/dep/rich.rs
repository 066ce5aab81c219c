//! Boolean dependencies such as `(a >= 1 if b else c)`.
//!
//! Grammar and rules: rpm 4.18 `rpmrichParse`; docs/reference/transactions.md, 5.4.

use super::{Dep, DepFlags};
use std::fmt;
use thiserror::Error;

/// Deepest nesting of parentheses; rpm has no limit, no real package comes near.
pub const MAX_DEPTH: usize = 64;
/// Longest expression in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;

crate::table! {
    /// What an expression combines two sides with.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum RichOp: &'static str {
        /// Both hold.
        And => "and",
        /// One holds.
        Or => "or",
        /// One package fulfils both.
        With => "with",
        /// A package fulfils the left side and not the right one.
        Without => "without",
        /// The left side holds if the right one does.
        If => "if",
        /// The left side holds unless the right one does.
        Unless => "unless",
        /// What holds otherwise.
        Else => "else",
    }
}

impl RichOp {
    fn parse(word: &str) -> Option<RichOp> {
        RichOp::ALL.into_iter().find(|op| op.word() == word)
    }

    /// The word in expressions.
    pub fn word(self) -> &'static str {
        self.row()
    }

    fn chains(self) -> bool {
        matches!(self, RichOp::And | RichOp::Or | RichOp::With)
    }
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rich {
    /// A plain dependency.
    Plain(Dep),
    /// `and`, `or`, `with` (two or more sides) or `without` (two sides).
    Chain(RichOp, Vec<Rich>),
    /// `then if condition [else otherwise]`, and the same with `unless`.
    Conditional {
        /// [`RichOp::If`] or [`RichOp::Unless`].
        op: RichOp,
        /// What is wanted.
        then: Box<Rich>,
        /// When it is wanted (`if`) or not wanted (`unless`).
        condition: Box<Rich>,
        /// What is wanted in the other case.
        otherwise: Option<Box<Rich>>,
    },
}

/// Why an expression is invalid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RichError {
    /// It does not begin with a parenthesis.
    #[error("rich dependency does not start with '('")]
    NoParenthesis,
    /// It ends too early.
    #[error("rich dependency is not closed")]
    Unclosed,
    /// Text follows the closing parenthesis.
    #[error("text after the rich dependency: \"{0}\"")]
    Trailing(String),
    /// An operand is missing.
    #[error("missing argument to a rich dependency")]
    MissingOperand,
    /// A relation without version.
    #[error("version required after \"{0}\"")]
    MissingVersion(String),
    /// Not one of the seven words.
    #[error("unknown rich dependency op \"{0}\"")]
    UnknownOp(String),
    /// Different words in one expression.
    #[error("cannot chain different ops")]
    MixedOps,
    /// Only and, or, with may be repeated.
    #[error("can only chain and/or/with ops")]
    Unchainable,
    /// `else` without `if` or `unless`.
    #[error("else without if or unless")]
    StrayElse,
    /// `with` and `without` take plain dependencies, `or`, `with` and `without` only.
    #[error("illegal ops in with/without")]
    InsideWith,
    /// `if` where `or` decides.
    #[error("illegal context for 'if', please use 'and' instead")]
    IfInOr,
    /// `unless` where `and` decides.
    #[error("illegal context for 'unless', please use 'or' instead")]
    UnlessInAnd,
    /// More than [`MAX_LENGTH`] bytes.
    #[error("rich dependency of {0} bytes")]
    TooLong(usize),
    /// More than [`MAX_DEPTH`] parentheses.
    #[error("rich dependency is nested too deeply")]
    TooDeep,
}

/// Which word joins an expression to its surroundings: `Requires`, `Recommends` and `Suggests`
/// begin as `And`; `Conflicts`, `Supplements` and `Enhances` as `Or`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RichContext {
    /// `unless` is not allowed.
    And,
    /// `if` is not allowed.
    Or,
}

/// Parses an expression without asking where it stands (as for installed packages).
pub fn parse(text: &str) -> Result<Rich, RichError> {
    if text.len() > MAX_LENGTH {
        return Err(RichError::TooLong(text.len()));
    }
    let mut parser = RichParser {
        rest: text,
        depth: 0,
    };
    let rich = parser.group()?;
    match parser.rest.trim_start() {
        "" => Ok(rich),
        rest => Err(RichError::Trailing(rest.to_owned())),
    }
}

/// Parses an expression and checks that `if` and `unless` are allowed where they stand.
pub fn parse_in(text: &str, context: RichContext) -> Result<Rich, RichError> {
    let rich = parse(text)?;
    rich.check_context(context)?;
    Ok(rich)
}

struct RichParser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> RichParser<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    }

    /// Takes text up to a blank, a comma, or a parenthesis that it did not open.
    fn word(&mut self) -> &'a str {
        let mut open = 0_usize;
        let end = self.rest.bytes().position(|c| match c {
            b'(' => {
                open += 1;
                false
            }
            b')' if open > 0 => {
                open -= 1;
                false
            }
            b')' | b',' => true,
            c => c.is_ascii_whitespace(),
        });
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn group(&mut self) -> Result<Rich, RichError> {
        self.rest = self
            .rest
            .strip_prefix('(')
            .ok_or(RichError::NoParenthesis)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RichError::TooDeep);
        }
        let mut operands = Vec::new();
        let mut ops: Vec<RichOp> = Vec::new();
        loop {
            operands.push(self.operand()?);
            self.skip_blanks();
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                break;
            }
            let op = self.op()?;
            check_op(op, &ops)?;
            ops.push(op);
        }
        self.depth -= 1;
        assemble(operands, &ops)
    }

    fn op(&mut self) -> Result<RichOp, RichError> {
        if self.rest.is_empty() {
            return Err(RichError::Unclosed);
        }
        // A comma is a blank between operands, but not after a word such as `and`.
        let is_end = |c: char| c.is_ascii_whitespace() || c == ')';
        let (word, rest) = self
            .rest
            .split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        RichOp::parse(word).ok_or_else(|| RichError::UnknownOp(word.to_owned()))
    }

    fn operand(&mut self) -> Result<Rich, RichError> {
        self.skip_blanks();
        if self.rest.starts_with('(') {
            return self.group();
        }
        let name = self.word();
        if name.is_empty() {
            let missing = !self.rest.is_empty();
            return Err(if missing {
                RichError::MissingOperand
            } else {
                RichError::Unclosed
            });
        }
        self.skip_blanks();
        let before = self.rest;
        let symbol = self.word();
        let Some(flags) = DepFlags::from_symbol(symbol) else {
            self.rest = before;
            return Ok(Rich::Plain(Dep::new(name, DepFlags::ANY, "")));
        };
        self.skip_blanks();
        let evr = self.word();
        if evr.is_empty() {
            return Err(RichError::MissingVersion(name.to_owned()));
        }
        Ok(Rich::Plain(Dep::new(name, flags, evr)))
    }
}

/// Whether `op` may follow the words before it.
fn check_op(op: RichOp, before: &[RichOp]) -> Result<(), RichError> {
    match (before, op) {
        ([], RichOp::Else) => Err(RichError::StrayElse),
        ([], _) => Ok(()),
        ([RichOp::If | RichOp::Unless], RichOp::Else) => Ok(()),
        ([.., last], op) if *last != op => Err(RichError::MixedOps),
        (_, op) if !op.chains() => Err(RichError::Unchainable),
        _ => Ok(()),
    }
}

/// Builds the tree of one pair of parentheses.
fn assemble(operands: Vec<Rich>, ops: &[RichOp]) -> Result<Rich, RichError> {
    let Some(op) = ops.first().copied() else {
        // "(a)" is a.
        return operands.into_iter().next().ok_or(RichError::MissingOperand);
    };
    if matches!(op, RichOp::With | RichOp::Without) && !operands.iter().all(Rich::fits_with) {
        return Err(RichError::InsideWith);
    }
    if !matches!(op, RichOp::If | RichOp::Unless) {
        return Ok(Rich::Chain(op, operands));
    }
    let mut sides = operands.into_iter().map(Box::new);
    match (sides.next(), sides.next(), sides.next()) {
        (Some(then), Some(condition), otherwise) => Ok(Rich::Conditional {
            op,
            then,
            condition,
            otherwise,
        }),
        _ => Err(RichError::MissingOperand),
    }
}

impl Rich {
    /// Whether only plain dependencies, `or`, `with` and `without` are inside, at any depth.
    fn fits_with(&self) -> bool {
        match self {
            Rich::Plain(_) => true,
            Rich::Chain(RichOp::Or | RichOp::With | RichOp::Without, sides) => {
                sides.iter().all(Rich::fits_with)
            }
            _ => false,
        }
    }

    /// Whether `if` and `unless` stand where rpm allows them.
    pub fn check_context(&self, context: RichContext) -> Result<(), RichError> {
        match self {
            Rich::Plain(_) => Ok(()),
            Rich::Chain(op, sides) => {
                let inner = if *op == RichOp::Or {
                    RichContext::Or
                } else {
                    RichContext::And
                };
                sides.iter().try_for_each(|side| side.check_context(inner))
            }
            Rich::Conditional {
                op,
                then,
                condition,
                otherwise,
            } => {
                match (op, context) {
                    (RichOp::If, RichContext::Or) => return Err(RichError::IfInOr),
                    (RichOp::Unless, RichContext::And) => return Err(RichError::UnlessInAnd),
                    _ => {}
                }
                then.check_context(context)?;
                // rpm looks at a condition by itself: it must be valid in one of both contexts.
                condition
                    .check_context(RichContext::And)
                    .or_else(|_| condition.check_context(RichContext::Or))?;
                otherwise
                    .iter()
                    .try_for_each(|side| side.check_context(context))
            }
        }
    }

    /// The names under which a database lists the expression: every distinct operand, with `!`
    /// in front where it is a condition; names beginning `rpmlib(` are left out (docs/reference/rpmdb.md, 2.3
    /// rule 5). The complete text is one more row, not given here.
    pub fn index_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_names(false, &mut names);
        names
    }

    fn collect_names(&self, negated: bool, names: &mut Vec<String>) {
        match self {
            Rich::Plain(dep) => {
                if dep.name.starts_with("rpmlib(") {
                    return;
                }
                let name = if negated {
                    format!("!{}", dep.name)
                } else {
                    dep.name.clone()
                };
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Rich::Chain(_, sides) => sides.iter().for_each(|s| s.collect_names(negated, names)),
            Rich::Conditional {
                then,
                condition,
                otherwise,
                ..
            } => {
                then.collect_names(negated, names);
                condition.collect_names(!negated, names);
                if let Some(otherwise) = otherwise {
                    condition.collect_names(negated, names);
                    otherwise.collect_names(negated, names);
                }
            }
        }
    }
}

impl fmt::Display for Rich {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rich::Plain(dep) => dep.fmt(f),
            Rich::Chain(op, sides) => {
                for (index, side) in sides.iter().enumerate() {
                    let lead = if index == 0 {
                        "(".to_owned()
                    } else {
                        format!(" {} ", op.word())
                    };
                    write!(f, "{lead}{side}")?;
                }
                f.write_str(")")
            }
            Rich::Conditional {
                op,
                then,
                condition,
                otherwise,
            } => {
                write!(f, "({then} {} {condition}", op.word())?;
                if let Some(otherwise) = otherwise {
                    write!(f, " else {otherwise}")?;
                }
                f.write_str(")")
            }
        }
    }
}

/// The names of [`Rich::index_names`] straight from text.
pub fn index_names(text: &str) -> Result<Vec<String>, RichError> {
    parse(text).map(|rich| rich.index_names())
}
