//! The command line as others may read it: in the history, in the lock's file, in hints.

use repo_client::redact;

/// Keys whose values are nobody else's business, as `--setopt` names them, with or without a repository.
const SECRETS: [&str; 5] = [
    "password",
    "username",
    "proxy_password",
    "proxy_username",
    "proxy_userpwd",
];

/// A command line with `***` in the place of logins, passwords and what stands behind a `?` of a URL.
pub(super) fn told(line: &str) -> String {
    let words: Vec<String> = line.split(' ').map(word).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    for (at, _) in word.match_indices('=') {
        let (head, value) = word.split_at(at + 1);
        let key = head.trim_end_matches('=').rsplit(['.', '=']).next();
        if !value.is_empty() && key.is_some_and(|key| SECRETS.contains(&key)) {
            return format!("{head}***");
        }
    }
    let pieces: Vec<String> = word.split(',').map(piece).collect();
    pieces.join(",")
}

fn piece(piece: &str) -> String {
    let Some(mark) = piece.find("://") else {
        return piece.to_owned();
    };
    let before = piece.get(..mark).unwrap_or_default();
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let start = before.trim_end_matches(scheme).len();
    let (head, url) = piece.split_at(start);
    let plain = !url.contains(['@', '?']);
    format!("{head}{}", if plain { url.to_owned() } else { redact(url) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_55_logins_and_passwords_are_not_told() {
        for (line, wanted) in [
            ("install a-1 b?", "install a-1 b?"),
            (
                "install http://bob:S@host/a.rpm http://host/b+c.rpm",
                "install http://***@host/a.rpm http://host/b+c.rpm",
            ),
            (
                "--setopt=r.password=P --setopt r.username=U makecache",
                "--setopt=r.password=*** --setopt r.username=*** makecache",
            ),
            (
                "--setopt=proxy_password=a=b list",
                "--setopt=proxy_password=*** list",
            ),
            (
                "--repofrompath=r,https://u:p@h/r?token=t --setopt=x.baseurl=http://u:p@a/,http://v:q@b/ list",
                "--repofrompath=r,https://***@h/r?*** --setopt=x.baseurl=http://***@a/,http://***@b/ list",
            ),
            ("install file:///r/a.rpm", "install file:///r/a.rpm"),
            ("install ftp://a:b@", "install ftp://***@"),
        ] {
            assert_eq!(told(line), wanted);
        }
    }
}
