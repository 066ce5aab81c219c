//! Measures parsing: `measure (primary|filelists|other|inflate) FILE [ahead]`.
//! Prints packages, items, wall time and CPU time.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::Read;
use std::ops::ControlFlow;
use std::time::Instant;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::{Ahead, Expected, VerifiedReader};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other, primary};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let path = args[2].clone();
    let zero = Hasher::digest(DigestAlgo::Sha256, b"");
    // The checksums are made up: they cost what real ones cost, and the error at the end shows them.
    let expected = Expected {
        open_checksum: Some(zero),
        checksum: Some(zero),
        ..Expected::default()
    };
    let start = Instant::now();
    let open = move || VerifiedReader::new(std::fs::File::open(&path)?, &path, expected);
    let stream: Box<dyn Read> = match args.get(3).map(String::as_str) {
        Some("ahead") => Box::new(Ahead::spawn(open).unwrap()),
        Some("memory") => {
            let mut all = Vec::new();
            let mut decoder =
                rpm_repo::compress::Decoder::new(std::fs::File::open(&args[2]).unwrap(), &args[2])
                    .unwrap();
            decoder.read_to_end(&mut all).unwrap();
            println!("in memory: {:?}, cpu {}", start.elapsed(), cpu());
            Box::new(std::io::Cursor::new(all))
        }
        _ => Box::new(open().unwrap()),
    };
    let before = cpu();
    let (mut packages, mut items) = (0_u64, 0_usize);
    let limits = XmlLimits::default();
    let result = match args[1].as_str() {
        "primary" => primary::read("primary", stream, &limits, &mut |package| {
            packages += 1;
            items += rpm_pkg::dep::DepGroup::ALL
                .iter()
                .map(|&k| package.deps(k).len())
                .sum::<usize>();
            ControlFlow::Continue(())
        }),
        "filelists" => filelists::read("filelists", stream, &limits, &mut |package| {
            packages += 1;
            items += package.files().len();
            ControlFlow::Continue(())
        }),
        "other" => other::read("other", stream, &limits, &mut |package| {
            packages += 1;
            items += package.changelogs().len();
            ControlFlow::Continue(())
        }),
        _ => {
            let mut stream = stream;
            let error = std::io::copy(&mut stream, &mut std::io::sink());
            println!("{error:?}");
            Ok(primary::ParseSummary::default())
        }
    };
    println!("{result:?}");
    println!(
        "packages {packages}, items {items}, wall {:?}",
        start.elapsed()
    );
    println!("cpu {:.2} s, of it reading {:.2} s", cpu(), cpu() - before);
}

/// User and system seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
