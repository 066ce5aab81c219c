//! What leads to a repository: metalink, mirror list, `repomd.xml`.
//!
//! Input: the first byte chooses which of the three the rest is.

use rpm_repo::{metalink, mirrorlist, repomd};

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    match form % 3 {
        0 => {
            if let Ok(read) = metalink::parse("metalink", rest) {
                assert!(read.urls.len() <= metalink::MAX_MIRRORS);
                assert!(read.urls.iter().all(|url| is_plain(url)));
            }
        }
        1 => {
            if let Ok(urls) = mirrorlist::parse("mirrorlist", rest) {
                assert!(urls.iter().all(|url| is_plain(url)));
            }
        }
        _ => super::settles(rest, |document| {
            let read = repomd::parse("repomd.xml", document).ok()?;
            let _ = (read.max_timestamp(), read.revision_number());
            let mut out = Vec::new();
            repomd::write(&read, &mut out).expect("memory");
            Some(String::from_utf8(out).expect("a document is text"))
        }),
    }
}

/// Nothing in a URL ends a line of a request.
fn is_plain(url: &str) -> bool {
    !url.contains(['\r', '\n', '\0'])
}
