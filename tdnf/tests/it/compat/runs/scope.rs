//! What expressions of a function may stand for.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{Expr, ExprPath, Lit, Pat};

use super::Words;
use super::calls::{Binding, Body, inside};

/// How many names are followed, one to the next: `let words = words.concat()` would go on for ever.
const DEPTH: usize = 4;

/// The names of a function and the constants of its file.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    body: &'a Body,
    constants: &'a [(String, Expr)],
    depth: usize,
}

impl<'a> Scope<'a> {
    pub(super) const fn new(body: &'a Body, constants: &'a [(String, Expr)]) -> Self {
        Self {
            body,
            constants,
            depth: DEPTH,
        }
    }

    /// What a name is bound to, anywhere in the function.
    fn bound(self, name: &str) -> Vec<&'a Expr> {
        let mut found = Vec::new();
        let constants = self.constants.iter();
        found.extend(
            constants
                .filter(|(own, _)| own == name)
                .map(|(_, value)| value),
        );
        for binding in &self.body.bindings {
            match binding {
                Binding::Value(pattern, value) => found.extend(component(pattern, value, name)),
                Binding::Each(pattern, all) => {
                    let elements = self.elements(all).into_iter();
                    found.extend(elements.filter_map(|one| component(pattern, one, name)));
                }
            }
        }
        found
    }

    /// What the names in an expression are bound to, seen one step deeper.
    fn followed(self, path: &ExprPath) -> (Self, Vec<&'a Expr>) {
        let deeper = Self {
            depth: self.depth.saturating_sub(1),
            ..self
        };
        let name = path.path.get_ident().filter(|_| self.depth > 0);
        let bound = name.map(|name| deeper.bound(&name.to_string()));
        (deeper, bound.unwrap_or_default())
    }

    /// The elements of an array, or of one that a name stands for.
    fn elements(self, expression: &'a Expr) -> Vec<&'a Expr> {
        match peeled(expression) {
            Expr::Array(array) => array.elems.iter().collect(),
            Expr::Path(path) => {
                let (deeper, bound) = self.followed(path);
                let all = bound.into_iter();
                all.flat_map(|bound| deeper.elements(bound)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The word lists of an expression: its innermost arrays.
    pub(super) fn arrays(self, expression: &Expr) -> Vec<Words> {
        let mut arrays = Arrays {
            scope: self,
            found: Vec::new(),
        };
        arrays.visit_expr(expression);
        arrays.found
    }

    /// What a single word may be.
    pub(super) fn word(self, expression: &Expr) -> BTreeSet<String> {
        match peeled(expression) {
            Expr::Lit(literal) => text(&literal.lit).into_iter().collect(),
            // What stands before the first placeholder is enough to know an option with its value.
            Expr::Macro(call) if call.mac.path.is_ident("format") => {
                let template = inside(&call.mac).into_iter().next();
                template.map_or_else(BTreeSet::new, |template| self.word(&template))
            }
            Expr::Path(path) => {
                let (deeper, bound) = self.followed(path);
                bound
                    .into_iter()
                    .flat_map(|bound| deeper.word(bound))
                    .collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The keys that a line sets: `key=value`, `--setopt=repo.key=value`, `{key}=value` in a loop over keys.
    pub(super) fn keys(self, line: &str) -> BTreeSet<String> {
        let line = line.trim_start();
        let setting = line.strip_prefix("--setopt=").unwrap_or(line);
        let Some((name, _)) = setting.split_once('=') else {
            return BTreeSet::new();
        };
        let name = name.trim_end();
        if let Some((_, name)) = name
            .strip_suffix('}')
            .and_then(|name| name.rsplit_once('{'))
        {
            let bound = self.bound(name).into_iter();
            return bound.flat_map(|bound| self.word(bound)).collect();
        }
        let name = name.rsplit(['}', '.']).next().unwrap_or(name);
        BTreeSet::from([name.to_owned()])
    }

    /// Whether a command is that of a program which a literal names, such as `Command::new("rpm")`.
    pub(super) fn is_other_program(self, command: &Expr) -> bool {
        let named = |first: Option<&Expr>| matches!(first.map(peeled), Some(Expr::Lit(_)));
        match command {
            Expr::MethodCall(call) => {
                (call.method == "command" && named(call.args.first()))
                    || self.is_other_program(&call.receiver)
            }
            Expr::Call(call) => named(call.args.first()),
            Expr::Path(path) => {
                let (deeper, bound) = self.followed(path);
                bound
                    .into_iter()
                    .any(|bound| deeper.is_other_program(bound))
            }
            _ => false,
        }
    }
}

/// Finds the arrays of words in an expression and in what its names are bound to.
struct Arrays<'a> {
    scope: Scope<'a>,
    found: Vec<Words>,
}

impl Arrays<'_> {
    fn array<'b>(&mut self, elements: impl Iterator<Item = &'b Expr> + Clone) {
        let is_array = |element: &Expr| matches!(peeled(element), Expr::Array(_));
        if elements.clone().any(is_array) {
            elements.for_each(|element| self.visit_expr(element));
        } else {
            let words = elements.map(|element| self.scope.word(element)).collect();
            self.found.push(words);
        }
    }
}

impl Visit<'_> for Arrays<'_> {
    fn visit_expr_array(&mut self, array: &syn::ExprArray) {
        self.array(array.elems.iter());
    }

    fn visit_macro(&mut self, item: &syn::Macro) {
        if item.path.is_ident("vec") {
            self.array(inside(item).iter());
        }
    }

    fn visit_expr_path(&mut self, path: &ExprPath) {
        let (deeper, bound) = self.scope.followed(path);
        let bound = bound.into_iter();
        self.found
            .extend(bound.flat_map(|bound| deeper.arrays(bound)));
    }

    /// What a closure returns is made from what it gets.
    fn visit_expr_closure(&mut self, _: &syn::ExprClosure) {}

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        match call.method == "map" || call.method == "filter" {
            true => self.visit_expr(&call.receiver),
            false => visit::visit_expr_method_call(self, call),
        }
    }
}

/// The part of a value that a name of a pattern gets.
fn component<'a>(pattern: &Pat, value: &'a Expr, name: &str) -> Option<&'a Expr> {
    match pattern {
        Pat::Ident(own) => (own.ident == name).then_some(value),
        Pat::Reference(inner) => component(&inner.pat, value, name),
        Pat::Type(inner) => component(&inner.pat, value, name),
        Pat::Tuple(parts) => {
            let Expr::Tuple(values) = peeled(value) else {
                return None;
            };
            let mut both = parts.elems.iter().zip(&values.elems);
            both.find_map(|(part, value)| component(part, value, name))
        }
        _ => None,
    }
}

/// An expression without references, slices and methods that only change its type.
fn peeled(expression: &Expr) -> &Expr {
    match expression {
        Expr::Reference(inner) => peeled(&inner.expr),
        Expr::Paren(inner) => peeled(&inner.expr),
        Expr::Group(inner) => peeled(&inner.expr),
        Expr::Index(inner) => peeled(&inner.expr),
        Expr::MethodCall(call) if call.args.is_empty() => peeled(&call.receiver),
        _ => expression,
    }
}

fn text(literal: &Lit) -> Option<String> {
    match literal {
        Lit::Str(literal) => Some(literal.value()),
        _ => None,
    }
}
