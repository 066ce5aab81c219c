//! The command line as others may read it: in the history, in the lock's file, and in hints, which are made to be
//! pasted: a command in one is about the system and the repositories that the run is about.

use cli_kit::shell_words;
use repo_client::{redact, redact_in};

/// Keys whose values are nobody else's business, as `--setopt` names them, with or without a repository.
const SECRETS: [&str; 5] = [
    "password",
    "username",
    "proxy_password",
    "proxy_username",
    "proxy_userpwd",
];

/// What an option says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// Which system and which repositories the run is about, and how they are read.
    System,
    /// How the command does its work.
    Work,
    /// How much is told, or what a question is answered: never repeated.
    Talk,
}

/// What was typed, as hints repeat it: `***` is in the place of secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The command and its words.
    pub words: Vec<String>,
    /// The options that say how it does its work.
    pub options: Vec<String>,
}

impl Typed {
    /// What was typed, with the options of `kind` among `given`.
    pub(crate) fn new(words: &[String], given: &[(OptionKind, String)], kind: OptionKind) -> Self {
        let of_kind = given.iter().filter(|(own, _)| *own == kind);
        Self {
            words: words.iter().map(|word| told_word(word)).collect(),
            options: of_kind.map(|(_, option)| told_word(option)).collect(),
        }
    }

    /// The same command with one more option, to be pasted.
    pub(crate) fn again(&self, option: &str) -> String {
        let options = shell_words(&self.options);
        let words = [option, &options, &shell_words(&self.words)];
        let words = words.into_iter().filter(|words| !words.is_empty());
        format!("`tdnf {}`", words.collect::<Vec<_>>().join(" "))
    }
}

/// A line with `***` in the place of logins, passwords and what stands behind a `?` of a URL.
pub(crate) fn told(line: &str) -> String {
    line.split_inclusive(' ').map(told_word).collect()
}

/// A word of a command line in the same way; it may have blanks in it.
pub(crate) fn told_word(word: &str) -> String {
    for (at, _) in word.match_indices('=') {
        let (head, value) = word.split_at(at + 1);
        let key = word.get(..at).unwrap_or_default().trim_end();
        let mut names = key.rsplit(|c: char| c.is_whitespace() || ".=".contains(c));
        let key = names.next().unwrap_or_default().to_ascii_lowercase();
        let end = word.get(word.trim_end().len()..).unwrap_or_default();
        match value.trim() {
            "" => {}
            _ if SECRETS.contains(&key.as_str()) => return format!("{head}***{end}"),
            proxy if key == "proxy" => {
                let blank = value.len() - value.trim_start().len();
                let blank = value.get(..blank).unwrap_or_default();
                return format!("{head}{blank}{}{end}", redact(proxy));
            }
            _ => {}
        }
    }
    redact_in(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_again_has_options_and_no_secrets() {
        let given = [
            (OptionKind::System, "--installroot=/a b".to_owned()),
            (OptionKind::System, "--setopt=r.password=P".to_owned()),
            (OptionKind::Work, "--best".to_owned()),
            (OptionKind::Talk, "--assumeyes".to_owned()),
        ];
        let words = ["install", "http://u:p@h/x.rpm", "a>1"].map(str::to_owned);
        let typed = Typed::new(&words, &given, OptionKind::Work);
        let again = typed.again("--skip-broken");
        assert_eq!(
            again,
            "`tdnf --skip-broken --best install 'http://***@h/x.rpm' 'a>1'`"
        );
        let system = Typed::new(&[], &given, OptionKind::System);
        let options = shell_words(&system.options);
        assert_eq!(options, "'--installroot=/a b' '--setopt=r.password=***'");
    }

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
            (
                "--setopt=proxy=u:P@h:1 --setopt=r.proxy=token@h:1 --setopt=R.PASSWORD=P list",
                "--setopt=proxy=***@h:1 --setopt=r.proxy=***@h:1 --setopt=R.PASSWORD=*** list",
            ),
        ] {
            assert_eq!(told(line), wanted);
        }
        for (word, wanted) in [
            ("--setopt=r. password = a b", "--setopt=r. password =***"),
            ("proxy = u:P@h", "proxy = ***@h"),
            (
                "r.baseurl = http://u:P@h/?t",
                "r.baseurl = http://***@h/?***",
            ),
        ] {
            assert_eq!(told_word(word), wanted);
        }
    }
}
