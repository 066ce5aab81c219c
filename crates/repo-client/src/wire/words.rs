//! Plain words for what system and libraries say of a connection.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use crate::error::{LOGIN_WANTED, NO_LOGIN, UNREACHED};

const LOGIN_REFUSED: &str = "the login is refused";

/// Whether words are about the login at a proxy.
pub(crate) fn are_of_login(words: &str) -> bool {
    [NO_LOGIN, LOGIN_WANTED, LOGIN_REFUSED].contains(&words)
}

/// What the library says of a SOCKS proxy to which it has no connection; why, it keeps to its debug text.
const NO_SOCKS_CONNECTION: &str = "failed to create underlying connection";

/// What stands in that text.
const INSIDE: [(&str, &str); 5] = [
    ("ConnectionRefused", "connection refused"),
    ("ConnectionReset", "connection reset"),
    ("HostUnreachable", "no route to the host"),
    ("NetworkUnreachable", "no route to the network"),
    ("TimedOut", "no answer"),
];

/// What the texts of the HTTP library mean: the first that stands in the chain counts.
const MEANINGS: [(&str, &str); 25] = [
    ("proxy authorization required", LOGIN_WANTED),
    ("credentials not accepted", LOGIN_REFUSED),
    ("user/pass authentication", NO_LOGIN),
    (
        "tunnel error: unsuccessful",
        "the way to the server is refused",
    ),
    ("connection not allowed", "the way to the server is refused"),
    ("socks error: network unreachable", UNREACHED),
    ("socks error: host unreachable", UNREACHED),
    ("socks error: connection refused", UNREACHED),
    ("socks error: ttl expired", UNREACHED),
    ("socks error: general server failure", UNREACHED),
    ("socks error: server failed to execute command", UNREACHED),
    ("could not resolve", "the server's name has no address"),
    ("socks error", "the answer is not that of such a proxy"),
    ("tunnel error", "connection closed early"),
    ("before message completed", "connection closed early"),
    ("end of file", "connection closed early"),
    ("eof", "connection closed early"),
    ("head is too large", "the head of the answer is too large"),
    ("invalid http", "the answer is no HTTP"),
    ("content-length", "the answer is no HTTP"),
    ("transfer-encoding", "the answer is no HTTP"),
    ("chunk", "the answer is no HTTP"),
    ("refused_stream", "the HTTP/2 request was refused"),
    ("http2", "the HTTP/2 connection was broken off"),
    ("stream error", "the HTTP/2 connection was broken off"),
];

/// Says what an error means; `otherwise` what is said of one that nobody knows.
pub(crate) fn of(error: &(dyn StdError + 'static), otherwise: &str) -> String {
    let mut chain = String::new();
    let mut next = Some(error);
    while let Some(level) = next {
        if let Some(words) = level.downcast_ref::<io::Error>().and_then(of_io) {
            return words.to_owned();
        }
        chain.push_str(&level.to_string().to_ascii_lowercase());
        chain.push('\n');
        next = level.source();
    }
    if chain.contains(NO_SOCKS_CONNECTION) {
        let inside = format!("{error:?}");
        if let Some((_, rest)) = inside.split_once("LookupError(\"")
            && let Some((lookup, _)) = rest.split_once('"')
        {
            return lookup.to_owned();
        }
        let known = INSIDE.iter().find(|(text, _)| inside.contains(text));
        return known.map_or("no connection", |(_, words)| words).to_owned();
    }
    let known = MEANINGS.iter().find(|(text, _)| chain.contains(text));
    known.map_or(otherwise, |(_, words)| words).to_owned()
}

/// Of the system's own error, which others may carry.
fn of_io(error: &io::Error) -> Option<&'static str> {
    let kind = match error.kind() {
        ErrorKind::Other => error.get_ref()?.downcast_ref::<io::Error>()?.kind(),
        kind => kind,
    };
    Some(match kind {
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset => "connection reset",
        ErrorKind::ConnectionAborted => "connection aborted",
        ErrorKind::HostUnreachable => "no route to the host",
        ErrorKind::NetworkUnreachable => "no route to the network",
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof | ErrorKind::NotConnected => {
            "connection closed early"
        }
        ErrorKind::TimedOut => "no answer",
        ErrorKind::AddrNotAvailable => "no address here from which to connect",
        ErrorKind::PermissionDenied => "the system here does not permit the connection",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Level(&'static str, #[source] Option<io::Error>);

    #[test]
    fn the_words_are_ours() {
        let refused = io::Error::from_raw_os_error(111);
        let carried = io::Error::other(io::Error::from_raw_os_error(104));
        for (error, expected) in [
            (
                Level("tcp connect error", Some(refused)),
                "connection refused",
            ),
            (Level("client error", Some(carried)), "connection reset"),
            (
                Level("client error", Some(io::Error::from_raw_os_error(113))),
                "no route to the host",
            ),
            (
                Level("connection closed before message completed", None),
                "connection closed early",
            ),
            (
                Level("invalid HTTP version parsed", None),
                "the answer is no HTTP",
            ),
            (
                Level("tunnel error: proxy authorization required", None),
                "a login is wanted",
            ),
            (
                Level("SOCKS error: failed parsing server response", None),
                "the answer is not that of such a proxy",
            ),
            (
                Level("stream error received: unspecific", None),
                "the HTTP/2 connection was broken off",
            ),
            (Level("Query { name: x }", None), "the connection broke"),
        ] {
            assert_eq!(of(&error, "the connection broke"), expected);
        }
    }
}
