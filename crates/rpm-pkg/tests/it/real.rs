//! Every real package: read or refused as rpm does, listed as rpm lists it, unpacked completely.

use crate::support::{have_rpm, real_rpms, run};
use rpm_pkg::dep::{DepGroup, Deps};
use rpm_pkg::header::{HeaderError, tag};
use rpm_pkg::package::{Covers, DigestChoice, Package, PackageError, payload_passes};
use rpm_pkg::payload::{PayloadError, PayloadLimits};
use std::fs::File;
use std::io::{BufReader, Read};
use testkit::fixtures::RealRpm;

fn open(rpm: &RealRpm) -> Result<Package<BufReader<File>>, PackageError> {
    Package::open(BufReader::new(File::open(&rpm.path).unwrap()))
}

fn is_v3(error: &PackageError) -> bool {
    let inner = match error {
        PackageError::Signature(inner) | PackageError::Header(inner) => inner,
        _ => return false,
    };
    matches!(inner, HeaderError::NoRegion { .. })
}

const FORMAT: &str = "%{NAME}\\n%{EPOCHNUM}\\n%{VERSION}\\n%{RELEASE}\\n%{ARCH}\\n\
    [P\\t%{PROVIDENAME}\\t%{PROVIDEFLAGS}\\t%{PROVIDEVERSION}\\n]\
    [R\\t%{REQUIRENAME}\\t%{REQUIREFLAGS}\\t%{REQUIREVERSION}\\n]\
    [C\\t%{CONFLICTNAME}\\t%{CONFLICTFLAGS}\\t%{CONFLICTVERSION}\\n]\
    [O\\t%{OBSOLETENAME}\\t%{OBSOLETEFLAGS}\\t%{OBSOLETEVERSION}\\n]\
    [F\\t%{FILENAMES}\\t%{LONGFILESIZES}\\t%{FILEMODES}\\t%{FILEFLAGS}\\t%{FILEUSERNAME}\\t%{FILELINKTOS}\\t%{FILEDIGESTS}\\n]";

/// What rpm would print for [`FORMAT`].
fn describe(package: &Package<BufReader<File>>) -> Vec<u8> {
    let header = &package.header;
    let string = |tag| header.string(tag).unwrap_or(b"(none)").to_vec();
    let epoch = header.u32(tag::EPOCH).unwrap_or(0).to_string().into_bytes();
    let mut lines = vec![
        string(tag::NAME),
        epoch,
        string(tag::VERSION),
        string(tag::RELEASE),
    ];
    lines.push(string(tag::ARCH));
    let groups = [
        ("P", DepGroup::Provides),
        ("R", DepGroup::Requires),
        ("C", DepGroup::Conflicts),
        ("O", DepGroup::Obsoletes),
    ];
    for (letter, group) in groups {
        for dep in Deps::of(header, group) {
            let flags = dep.flags.0.to_string();
            lines.push([letter.as_bytes(), dep.name, flags.as_bytes(), dep.evr].join(&b'\t'));
        }
    }
    for file in package.files().unwrap().iter() {
        let (size, mode) = (file.size.to_string(), file.mode.to_string());
        let flags = file.flags.0.to_string();
        let digest = header
            .strings(tag::FILEDIGESTS)
            .nth(file.index)
            .unwrap_or_default();
        let path = file.path();
        let fields = [
            b"F",
            path.as_slice(),
            size.as_bytes(),
            mode.as_bytes(),
            flags.as_bytes(),
            file.user.as_bytes(),
            file.linkto,
            digest,
        ];
        lines.push(fields.join(&b'\t'));
    }
    lines.push(Vec::new());
    lines.join(&b'\n')
}

#[test]
fn headers_read_as_real_rpm_reads_them() {
    let rpms = real_rpms();
    if rpms.is_empty() || !have_rpm() {
        return;
    }
    let (mut same, mut refused, mut v3) = (0, 0, 0);
    let mut wrong = Vec::new();
    for rpm in &rpms {
        let args = ["-qp", "--nosignature", "--nodigest", "--qf", FORMAT];
        let path = rpm.path.to_str().unwrap();
        let (accepted, theirs) = run("rpm", args.into_iter().chain([path]));
        match (open(rpm), accepted) {
            (Ok(package), true) => {
                let ours = describe(&package);
                same += 1;
                if ours != theirs {
                    let at = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
                    let show = |t: &[u8]| {
                        let end = t.len().min(at + 80);
                        String::from_utf8_lossy(&t[at.saturating_sub(60).min(end)..end])
                            .into_owned()
                    };
                    wrong.push(format!(
                        "{}: {:?} / {:?}",
                        rpm.name,
                        show(&ours),
                        show(&theirs)
                    ));
                }
            }
            (Err(_), false) => refused += 1,
            (Err(error), true) if is_v3(&error) => v3 += 1,
            (Err(error), true) => wrong.push(format!("{}: refused: {error}", rpm.name)),
            (Ok(_), false) => wrong.push(format!("{}: rpm refuses", rpm.name)),
        }
    }
    println!("{same} read alike, {refused} refused alike, {v3} are v3");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(same >= 300 && refused >= 30, "{same} {refused}");
}

/// Streams a payload completely; `Ok(true)` when all digests passed as well.
fn stream(rpm: &RealRpm) -> Result<bool, String> {
    let package = open(rpm).map_err(|e| format!("open: {e}"))?;
    let header = package
        .verify_header_digests()
        .map_err(|e| format!("header: {e}"))?;
    let covered = !header.is_empty()
        || package
            .digests()
            .unwrap()
            .iter()
            .any(|i| i.covers == Covers::HeaderAndPayload);
    let mut payload = package
        .into_payload(DigestChoice::All, PayloadLimits::default())
        .map_err(|e| format!("payload: {e}"))?;
    let mut buf = vec![0; 64 * 1024];
    loop {
        match payload.next_entry() {
            Ok(Some(entry)) => {
                let mut got = 0;
                loop {
                    match payload.read(&mut buf) {
                        Ok(0) => break,
                        Ok(n) => got += n as u64,
                        Err(e) => return Err(format!("data: {e}")),
                    }
                }
                assert_eq!(got, entry.size);
            }
            Ok(None) => break,
            Err(e) => return Err(format!("entry: {e}")),
        }
    }
    let summary = payload.finish().map_err(|e| format!("finish: {e}"))?;
    Ok(covered && payload_passes(&summary.digests))
}

#[test]
fn payloads_and_digests_agree_with_rpm() {
    let (mut good, mut bad) = (0, 0);
    let mut wrong = Vec::new();
    for rpm in real_rpms() {
        let result = stream(&rpm);
        match (rpm.digests.as_str(), &result) {
            ("OK", Ok(true)) => good += 1,
            ("" | "?", Err(_)) => bad += 1,
            (check, Err(_) | Ok(false)) if check.contains("BAD") => bad += 1,
            ("OK", Err(_)) if open(&rpm).is_err_and(|e| is_v3(&e)) => bad += 1,
            (check, _) => wrong.push(format!("{}: rpm {check:?}, we {result:?}", rpm.name)),
        }
    }
    println!("{good} good, {bad} bad");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn contents_equal_those_of_rpm2cpio() {
    if !have_rpm() {
        return;
    }
    let mut compared = 0;
    let rpms = real_rpms().into_iter().filter(|rpm| rpm.digests == "OK");
    for rpm in rpms.step_by(12) {
        let Ok(package) = open(&rpm) else { continue };
        let limits = PayloadLimits {
            verify_files: false,
            ..PayloadLimits::default()
        };
        let mut payload = package.into_payload(DigestChoice::All, limits).unwrap();
        let (ok, archive) = run("rpm2cpio", [&rpm.path]);
        if !ok {
            println!("rpm2cpio does not read {}", rpm.name);
            continue;
        }
        let mut at = 0;
        while let Some(entry) = payload.next_entry().unwrap() {
            let mut data = Vec::new();
            payload.read_to_end(&mut data).unwrap();
            assert_eq!(data.len() as u64, entry.size);
            // Each content must come in the archive, in the same order.
            if !data.is_empty() {
                let window = &archive[at..];
                let found = window.windows(data.len()).position(|w| w == data);
                at += found.unwrap_or_else(|| panic!("{}: {}", rpm.name, entry.index));
            }
        }
        let summary = payload.finish().unwrap();
        assert_eq!(summary.uncompressed, archive.len() as u64, "{}", rpm.name);
        compared += 1;
    }
    println!("{compared} archives compared");
    assert!(compared >= 20 || real_rpms().is_empty(), "{compared}");
}

#[test]
fn a_v3_package_has_its_own_error() {
    let v3 = real_rpms()
        .into_iter()
        .filter_map(|rpm| open(&rpm).err())
        .filter(is_v3)
        .count();
    println!("{v3} v3 packages");
    if !real_rpms().is_empty() {
        assert!(v3 > 0);
    }
}

#[test]
fn limits_of_the_caller_are_kept() {
    let Some(rpm) = real_rpms().into_iter().find(|rpm| rpm.digests == "OK") else {
        return;
    };
    let limits = PayloadLimits {
        max_uncompressed: 1000,
        verify_files: true,
    };
    let payload = open(&rpm)
        .unwrap()
        .into_payload(DigestChoice::Strongest, limits)
        .unwrap();
    assert!(matches!(
        payload.finish(),
        Err(PayloadError::TooLarge(1000))
    ));
}
