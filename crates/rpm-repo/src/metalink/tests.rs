use super::*;

fn metalink(verification: &str, resources: &str) -> Result<Metalink> {
    let text = format!(
        "<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
         <file name=\"other\"><resources><url preference=\"1\">http://no/repodata/repomd.xml</url>\
         </resources></file><file name=\"repomd.xml\"><size>10</size>\
         <verification>{verification}</verification><resources>{resources}</resources></file>\
         </files></metalink>"
    );
    parse("m", text.as_bytes())
}

#[test]
fn urls_are_sorted_by_preference_and_cut_to_the_base() {
    let got = metalink(
        "",
        "<url preference=\"5\">http://a/x/repodata/repomd.xml</url>\
         <url preference=\"99\">https://b/repodata/repomd.xml</url>\
         <url preference=\"99\">http://c/repodata/repomd.xml</url>\
         <url preference=\"100\">rsync://d/repodata/repomd.xml</url>\
         <url preference=\"100\">http://e/repomd.xml</url>",
    )
    .unwrap();
    assert_eq!(got.urls, ["https://b/", "http://c/", "http://a/x/"]);
    assert_eq!(got.size, Some(10));
    assert!(got.hashes.is_empty());
}

#[test]
fn the_strongest_type_counts_and_must_be_well_formed() {
    let md5 = "<hash type=\"md5\">20b6d77930574ae541108e8e7987ad3f</hash>";
    let sha = "<hash type=\"sha256\">0076c44aabd352da878d5c4d794901ac87f66afac869488f6a4ef166de018cdf</hash>";
    let got = metalink(&format!("{md5}{sha}"), "").unwrap();
    assert_eq!(got.hashes.len(), 1);
    assert_eq!(got.hashes[0].algo(), DigestAlgo::Sha256);
    let two = metalink(&format!("{md5}<hash type=\"sha256\">xx</hash>{sha}"), "").unwrap();
    assert_eq!(two.hashes.len(), 1);
    let error = metalink(&format!("{md5}<hash type=\"sha512\">xx</hash>"), "").unwrap_err();
    assert!(error.to_string().contains("malformed"), "{error}");
    // An unknown type is as good as absent.
    assert_eq!(
        metalink(&format!("{md5}<hash type=\"foo\"></hash>"), "")
            .unwrap()
            .hashes
            .len(),
        1
    );
}

#[test]
fn a_page_that_is_no_metalink_is_refused() {
    assert!(parse("m", b"<html><body>404</body></html>").is_err());
    assert!(parse("m", b"<metalink><files/></metalink>").is_err());
    assert!(parse("m", &vec![b' '; MAX_SIZE + 1]).is_err());
}
