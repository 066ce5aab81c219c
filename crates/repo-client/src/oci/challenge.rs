//! What a server wants to be told: `WWW-Authenticate` (RFC 9110, 11.6.1), and bearer tokens of registries.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Most challenges looked at.
const MAX_CHALLENGES: usize = 16;

/// A way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, to be had at a URL.
    Bearer {
        /// Where.
        realm: String,
        /// For whom.
        service: Option<String>,
    },
}

/// The strongest of the challenges that we know: a token before a password.
pub(crate) fn of(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let all: Vec<Challenge> = texts.flat_map(parse).take(MAX_CHALLENGES).collect();
    let bearer = all.iter().find(|one| **one != Challenge::Basic);
    bearer.or(all.first()).cloned()
}

/// `Scheme name=value, name="value", Scheme ...`
fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in split(text) {
        // A part that begins another challenge has its scheme in front.
        let (head, rest) = match part.split_once(char::is_whitespace) {
            Some((head, rest)) if !head.contains('=') => (Some(head), rest.trim()),
            None if !part.contains('=') => (Some(part), ""),
            _ => (None, part),
        };
        if let Some(scheme) = head {
            found.push((scheme.to_ascii_lowercase(), Vec::new()));
        }
        if let (Some((name, value)), Some((_, last))) = (rest.split_once('='), found.last_mut()) {
            let value = unquoted(value.trim());
            last.push((name.trim().to_ascii_lowercase(), value));
        }
    }
    let known = found.into_iter().filter_map(|(scheme, values)| {
        let value = |name: &str| {
            let named = values.iter().find(|(key, _)| key == name);
            named.map(|(_, value)| value.clone())
        };
        match scheme.as_str() {
            "basic" => Some(Challenge::Basic),
            "bearer" => Some(Challenge::Bearer {
                realm: value("realm")?,
                service: value("service"),
            }),
            _ => None,
        }
    });
    known.collect()
}

/// At the commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn unquoted(value: &str) -> String {
    let Some(inside) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, text.parse().unwrap());
        of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn challenges_are_read() {
        let docker =
            r#"Bearer realm="https://a/token?x=1,2",service="r, \"s\"",scope="repository:a:pull""#;
        assert_eq!(
            of_text(docker),
            bearer("https://a/token?x=1,2", Some("r, \"s\""))
        );
        assert_eq!(of_text("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(of_text("basic"), Some(Challenge::Basic));
        let both = r#"Basic realm="Harbor", Bearer service=r, realm=http://b/t"#;
        assert_eq!(of_text(both), bearer("http://b/t", Some("r")));
    }

    #[test]
    fn what_we_do_not_know_is_none() {
        for text in [
            "",
            ",,,",
            "Negotiate",
            "Bearer scope=x",
            "Bearer realm",
            "realm=\"x\"",
            "\"",
            "=,=",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
    }
}
