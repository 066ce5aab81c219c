//! Names of a rich dependency as rpm indexes them (reference 2.3 rule 5): operands of a condition carry a `!`; when
//! there is an `else` they stand both with and without it.

/// Parentheses inside each other; rpm's parser has no limit, real packages stay below five.
const MAX_DEPTH: usize = 32;

/// The distinct operand names of `text`, which begins with `(`. Text that is no rich dependency has none.
pub(crate) fn index_names(text: &[u8]) -> Vec<Vec<u8>> {
    let mut parser = Parser {
        rest: text,
        negated: false,
        names: Vec::new(),
    };
    if parser.group(0).is_none() {
        return Vec::new();
    }
    let mut distinct: Vec<Vec<u8>> = Vec::new();
    for name in parser.names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

struct Parser<'a> {
    rest: &'a [u8],
    negated: bool,
    names: Vec<Vec<u8>>,
}

impl<'a> Parser<'a> {
    /// `(operand [word operand]...)`
    fn group(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.rest = self.rest.strip_prefix(b"(")?;
        let mut in_condition = false;
        let mut condition_start = 0;
        loop {
            self.space();
            if self.rest.starts_with(b"(") {
                self.group(depth + 1)?;
            } else {
                self.simple()?;
            }
            self.space();
            if let Some(rest) = self.rest.strip_prefix(b")") {
                self.rest = rest;
                self.negated ^= in_condition;
                return Some(());
            }
            match self.word()? {
                b"if" | b"unless" if !in_condition => {
                    in_condition = true;
                    condition_start = self.names.len();
                    self.negated ^= true;
                }
                b"else" if in_condition => {
                    in_condition = false;
                    self.negated ^= true;
                    self.invert(condition_start);
                }
                b"and" | b"or" | b"with" | b"without" => {}
                _ => return None,
            }
        }
    }

    /// Adds the opposite of each name since `start`.
    fn invert(&mut self, start: usize) {
        let copies: Vec<Vec<u8>> = self.names.iter().skip(start).map(|n| opposite(n)).collect();
        self.names.extend(copies);
    }

    /// `name` or `name operator version`
    fn simple(&mut self) -> Option<()> {
        let name = self.word()?;
        if !name.starts_with(b"rpmlib(") {
            let mut key = Vec::with_capacity(name.len() + 1);
            if self.negated {
                key.push(b'!');
            }
            key.extend_from_slice(name);
            self.names.push(key);
        }
        self.space();
        let operator = self
            .rest
            .iter()
            .take_while(|b| matches!(b, b'<' | b'>' | b'='))
            .count();
        if operator > 0 {
            self.rest = self.rest.get(operator..)?;
            self.space();
            self.word()?;
        }
        Some(())
    }

    /// Up to a blank, a comma or a parenthesis that was not opened in the word.
    fn word(&mut self) -> Option<&'a [u8]> {
        let mut open = 0usize;
        let mut end = 0;
        for byte in self.rest {
            match byte {
                b'(' => open += 1,
                b')' if open == 0 => break,
                b')' => open -= 1,
                b',' => break,
                b if b.is_ascii_whitespace() => break,
                _ => {}
            }
            end += 1;
        }
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

fn opposite(name: &[u8]) -> Vec<u8> {
    match name.strip_prefix(b"!") {
        Some(plain) => plain.to_vec(),
        None => [b"!", name].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::index_names;

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<String> = index_names(text.as_bytes())
            .into_iter()
            .map(|n| String::from_utf8(n).expect("names of this test are text"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn operands_of_each_kind() {
        assert_eq!(names("(foo or (bar and baz))"), ["bar", "baz", "foo"]);
        assert_eq!(names("(a >= 1:2-3 if b)"), ["!b", "a"]);
        assert_eq!(
            names("(needA if condB else altC)"),
            ["!condB", "altC", "condB", "needA"]
        );
        assert_eq!(
            names("(config(x) or lib.so()(64bit) or config(x))"),
            ["config(x)", "lib.so()(64bit)"]
        );
        assert_eq!(names("(a or rpmlib(RichDependencies) <= 4.12.0-1)"), ["a"]);
    }

    #[test]
    fn bad_text_has_no_names() {
        for text in [
            "",
            "(",
            "(a",
            "(a b)",
            "(a or)",
            "a or b",
            "(a,b)",
            &"(".repeat(100_000),
        ] {
            assert!(index_names(text.as_bytes()).is_empty(), "{text:.20}");
        }
    }
}
