use super::*;
use crate::error::Error;

fn all(text: &str) -> Result<Vec<Advisory>> {
    let mut out = Vec::new();
    let summary = read(
        "u",
        text.as_bytes(),
        &XmlLimits::default(),
        &mut |advisory| {
            out.push(advisory);
            ControlFlow::Continue(())
        },
    )?;
    match summary.left_out {
        None => Ok(out),
        Some(left_out) => Err(Error::document("u", 0, left_out.to_string())),
    }
}

#[test]
fn every_field_of_an_advisory() {
    let got = all(
        "<updates><update from=\"a@b\" status=\"final\" type=\"security\" version=\"2\"><id>X-1</id>\
         <title>T &amp; t</title><issued date=\"2020-01-02 03:04:05\"/><updated date=\"2021-01-01\"/>\
         <severity>Important</severity><description>D</description><solution/><references>\
         <reference href=\"http://h\" id=\"CVE-1\" type=\"cve\" title=\"CVE-1\"/></references>\
         <pkglist><collection short=\"s\"><name>C</name><package name=\"n\" version=\"1\" release=\"2\" \
         epoch=\"3\" arch=\"noarch\" src=\"n.src.rpm\"><filename>n.rpm</filename>\
         <reboot_suggested>True</reboot_suggested></package></collection></pkglist></update></updates>",
    )
    .unwrap();
    let advisory = &got[0];
    assert_eq!(
        (advisory.id.as_str(), advisory.kind.as_str()),
        ("X-1", "security")
    );
    assert_eq!(advisory.title, "T & t");
    assert_eq!(advisory.severity, "Important");
    assert_eq!(advisory.issued, "2020-01-02 03:04:05");
    assert_eq!(advisory.references[0].id, "CVE-1");
    let package = &advisory.packages[0];
    assert_eq!((package.name.as_str(), package.epoch), ("n", 3));
    assert_eq!(
        (package.filename.as_str(), package.collection.as_str()),
        ("n.rpm", "C")
    );
    assert!(package.reboot_suggested && advisory.reboot_suggested);
}

#[test]
fn an_advisory_without_id_is_refused_a_package_without_name_left_out() {
    assert!(all("<updates><update><title>x</title></update></updates>").is_err());
    let text = "<updates><update><id>x</id><pkglist><collection><package version=\"1\"/>\
                </collection></pkglist></update></updates>";
    assert!(all(text).unwrap()[0].packages.is_empty());
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let text = "<updates><update from=\"a@b\" status=\"final\" type=\"security\" version=\"2\"><id>X-1</id>\
         <title>T &amp; t</title><issued date=\"2020-01-02\"/><severity>Low</severity><description>D\n\
         d</description><reboot_suggested/><references><reference href=\"http://h?a&amp;b\" id=\"CVE-1\" \
         type=\"cve\" title=\"&quot;\"/></references><pkglist><collection><name>C</name>\
         <package name=\"n\" version=\"1\" release=\"2\" epoch=\"3\" arch=\"noarch\" src=\"n.src.rpm\">\
         <filename>n.rpm</filename><restart_suggested>True</restart_suggested></package></collection>\
         <collection><name>D</name><package name=\"m\" version=\"1\" release=\"2\" arch=\"noarch\" src=\"\">\
         <filename>m.rpm</filename></package></collection></pkglist></update></updates>";
    let first = all(text).unwrap();
    let mut out = BEGIN.to_owned();
    first.iter().for_each(|one| write_advisory(one, &mut out));
    out.push_str(END);
    assert_eq!(all(&out).unwrap(), first);
}
