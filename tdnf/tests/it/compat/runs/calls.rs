//! What stands in the body of a function: calls, what names are bound to, string literals.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Token};

use super::Words;
use super::scope::Scope;

/// A call of a function or method.
struct Call {
    name: String,
    receiver: Option<Expr>,
    args: Vec<Expr>,
}

/// How a pattern gets its value.
pub(super) enum Binding {
    /// The elements of an expression, one after the other.
    Each(syn::Pat, Expr),
    Value(syn::Pat, Expr),
}

#[derive(Default)]
pub(super) struct Body {
    calls: Vec<Call>,
    pub(super) bindings: Vec<Binding>,
    closures: Vec<(String, Self)>,
    pub(super) literals: Vec<String>,
    pub(super) numbers: Vec<String>,
}

impl Body {
    pub(super) fn of(block: &syn::Block) -> Self {
        let mut body = Self::default();
        body.visit_block(block);
        body
    }

    pub(super) fn calls(&self, name: &str) -> bool {
        self.calls.iter().any(|call| call.name == name)
    }

    /// Whether one of these functions is called for our program.
    pub(super) fn hands_on(&self, runners: &BTreeSet<String>) -> bool {
        let scope = Scope::new(self, &[]);
        self.calls
            .iter()
            .any(|call| runners.contains(&call.name) && call.is_ours(&scope))
    }

    /// The words of the runs: those of the first argument with arrays, else of the arguments that are words.
    pub(super) fn runs(&self, runners: &BTreeSet<String>, scope: &Scope<'_>) -> Vec<Words> {
        let closures = self.closures.iter();
        let closures = closures.filter(|(_, body)| body.hands_on(runners));
        let closures: BTreeSet<&String> = closures.map(|(name, _)| name).collect();
        let runs = |call: &&Call| runners.contains(&call.name) || closures.contains(&call.name);
        let calls = self.calls.iter().filter(runs);
        let words = |call: &Call| {
            let arrays = call.args.iter().map(|argument| scope.arrays(argument));
            let mut arrays = arrays.filter(|lists| !lists.is_empty());
            arrays.next().unwrap_or_else(|| {
                let lines = call.args.iter().map(|argument| scope.word(argument));
                lines.flatten().map(|line| line_of(&line)).collect()
            })
        };
        calls
            .filter(|call| call.is_ours(scope))
            .flat_map(words)
            .collect()
    }
}

impl Call {
    /// Whether it is not known to be about another program.
    fn is_ours(&self, scope: &Scope<'_>) -> bool {
        let receiver = self.receiver.as_ref();
        !receiver.is_some_and(|receiver| scope.is_other_program(receiver))
    }
}

/// The words of a command line.
fn line_of(text: &str) -> Words {
    let words = text.split_whitespace();
    words
        .map(|word| BTreeSet::from([word.to_owned()]))
        .collect()
}

/// The expressions in a macro that looks like a call, `vec!` and `assert!` for example.
pub(super) fn inside(item: &syn::Macro) -> Vec<Expr> {
    let all = item.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
    all.into_iter().flatten().collect()
}

impl Visit<'_> for Body {
    fn visit_expr_call(&mut self, call: &syn::ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some(last) = path.path.segments.last()
        {
            self.calls.push(Call {
                name: last.ident.to_string(),
                receiver: None,
                args: call.args.iter().cloned().collect(),
            });
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        self.calls.push(Call {
            name: call.method.to_string(),
            receiver: Some((*call.receiver).clone()),
            args: call.args.iter().cloned().collect(),
        });
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_for_loop(&mut self, item: &syn::ExprForLoop) {
        let (names, all) = ((*item.pat).clone(), (*item.expr).clone());
        self.bindings.push(Binding::Each(names, all));
        visit::visit_expr_for_loop(self, item);
    }

    fn visit_local(&mut self, local: &syn::Local) {
        if let Some(init) = &local.init {
            if let (syn::Pat::Ident(name), Expr::Closure(closure)) = (&local.pat, &*init.expr) {
                let mut body = Self::default();
                body.visit_expr(&closure.body);
                self.closures.push((name.ident.to_string(), body));
            }
            let value = (*init.expr).clone();
            self.bindings.push(Binding::Value(local.pat.clone(), value));
        }
        visit::visit_local(self, local);
    }

    fn visit_item_const(&mut self, item: &syn::ItemConst) {
        let name = syn::PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: item.ident.clone(),
            subpat: None,
        };
        let value = (*item.expr).clone();
        self.bindings
            .push(Binding::Value(syn::Pat::Ident(name), value));
        visit::visit_item_const(self, item);
    }

    fn visit_macro(&mut self, item: &syn::Macro) {
        for expression in inside(item) {
            self.visit_expr(&expression);
        }
    }

    fn visit_lit_int(&mut self, literal: &syn::LitInt) {
        self.numbers.push(literal.base10_digits().to_owned());
    }

    fn visit_lit_str(&mut self, literal: &syn::LitStr) {
        self.literals.push(literal.value());
    }
}
