//! The solver's cache, as somebody who may write to a cache leaves it.
//!
//! Input: a first byte of 0: the file; of anything else: edits of a good one. The sums are made right: what a stranger
//! changes has sums of his own.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use rpm_pkg::dep::{DepFlags, DepGroup};
use rpm_solv::{
    CacheFile, CacheWriter, DepInput, EarlierCache, EvrInput, JobAction, JobTarget, PackageFacts,
    PackageInput, Pool, SelectFlags, SolverJob, SolverOptions,
};
use xxhash_rust::xxh3::xxh3_64;

const KEY: &[u8] = b"key";
/// Numbers of 8 bytes in the table of sections, and sections.
const PLACE: usize = 24;
const SECTIONS: usize = 12;
/// The number of the section with which pages begin.
const FIRST_PAGED: usize = 2;
/// Bytes of a page.
const PAGE: usize = 4096;
/// A footer: magic, length of the key and key, table, sum.
const FOOTER: usize = 8 + 8 + 96 + SECTIONS * PLACE + 8;

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let mut file = match form {
        0 => rest.to_vec(),
        _ => super::edited(good().clone(), rest),
    };
    sums(&mut file);
    let mut stored = tempfile::NamedTempFile::new().expect("there is room");
    stored.write_all(&file).expect("there is room");
    if let Ok(cache) = CacheFile::open(stored.path(), KEY) {
        let _ = cache.checksum_hashes();
        let _ = load(cache);
    }
    if let Ok(cache) = CacheFile::open(stored.path(), KEY) {
        let _ = pick(cache);
    }
    if let Ok(cache) = CacheFile::open(stored.path(), KEY) {
        let _ = copy(cache);
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(number)
}

fn sums(file: &mut [u8]) {
    let Some(end) = file.len().checked_sub(FOOTER) else {
        return;
    };
    let (body, footer) = file.split_at_mut(end);
    page_sums(body, footer);
    for section in 0..SECTIONS {
        let at = FOOTER - 8 - (SECTIONS - section) * PLACE;
        let (from, length) = (word(footer, at), word(footer, at + 8));
        let stored = usize::try_from(from).ok().zip(from.checked_add(length));
        let stored = stored.and_then(|(from, to)| body.get(from..usize::try_from(to).ok()?));
        if let Some(stored) = stored {
            footer[at + 16..at + PLACE].copy_from_slice(&xxh3_64(stored).to_ne_bytes());
        }
    }
    let sum = xxh3_64(&footer[..FOOTER - 8]);
    footer[FOOTER - 8..].copy_from_slice(&sum.to_ne_bytes());
}

/// The last section has a sum of each page of those before it.
fn page_sums(body: &mut [u8], footer: &[u8]) {
    let start = |section: usize| {
        let from = word(footer, FOOTER - 8 - (SECTIONS - section) * PLACE);
        usize::try_from(from)
            .ok()
            .filter(|from| *from <= body.len())
    };
    let (Some(first), Some(last)) = (start(FIRST_PAGED), start(SECTIONS - 1)) else {
        return;
    };
    if first <= last {
        let (paged, sums) = body.split_at_mut(last);
        for (page, sum) in paged[first..].chunks(PAGE).zip(sums.as_chunks_mut().0) {
            *sum = (xxh3_64(page) as u32).to_ne_bytes();
        }
    }
}

/// What a query asks that names its packages.
fn pick(cache: CacheFile) -> Result<(), rpm_solv::SolvError> {
    let mut pool = Pool::new("x86_64")?;
    let repo = pool.add_repo("r", 50)?;
    pool.load_named(repo, cache, &["a", "b", "c"].map(str::to_owned))?;
    for word in ["a", "b.noarch", "c-1"] {
        for id in pool
            .select(word, SelectFlags::USUAL, false)?
            .solvables()
            .to_vec()
        {
            let _ = (pool.nevra(id), pool.facts(id));
            for group in DepGroup::ALL {
                let _ = pool.deps(id, group);
            }
        }
    }
    Ok(())
}

/// All that a command asks of a pool.
fn load(cache: CacheFile) -> Result<(), rpm_solv::SolvError> {
    let mut pool = Pool::new("x86_64")?;
    let repo = pool.add_repo("r", 50)?;
    pool.load_cache(repo, cache)?;
    let ids: Vec<_> = pool.solvables().collect();
    for id in ids {
        let _ = (
            pool.nevra(id),
            pool.vendor(id),
            pool.evr_parts(id),
            pool.facts(id),
        );
        for group in DepGroup::ALL {
            let _ = pool.deps(id, group);
        }
    }
    let _ = pool.search(&["b"]);
    let _ = pool.whatprovides("/usr/bin/c");
    let _ = pool.file_owners(b"/etc/other");
    let job = SolverJob::new(JobAction::Install, JobTarget::Name("a".to_owned()));
    pool.solve(&[job], &SolverOptions::default()).map(drop)
}

/// An older cache helps to make a newer one.
fn copy(cache: CacheFile) -> Result<(), rpm_solv::SolvError> {
    let mut earlier = EarlierCache::read(cache)?;
    let count = earlier.identities().count();
    let out: File = tempfile::tempfile().expect("there is room");
    let mut writer = CacheWriter::with_file(out, Path::new("new"), KEY)?;
    for index in 0..count {
        writer.copy(&mut earlier, index)?;
    }
    writer.copy_paths(earlier)?;
    writer.finish()
}

fn dep<'a>(name: &'a str, symbol: &str, version: &'a str) -> DepInput<'a> {
    DepInput {
        name,
        flags: DepFlags::from_symbol(symbol).unwrap_or_default(),
        evr: EvrInput::new(None, version, ""),
        pre: false,
    }
}

fn package<'a>(name: &'a str, version: &'a str) -> PackageInput<'a> {
    PackageInput {
        name,
        arch: "noarch",
        evr: EvrInput {
            epoch: 0,
            version,
            release: "1",
        },
        facts: PackageFacts {
            summary: "A Package",
            ..PackageFacts::default()
        },
        ..PackageInput::default()
    }
}

fn good() -> &'static Vec<u8> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().expect("there is room");
        let mut writer = CacheWriter::create(file.path(), KEY).expect("a cache");
        let requires = [
            dep("b", ">=", "2"),
            dep("/usr/bin/c", "", ""),
            dep("(d if b)", "", ""),
        ];
        let mut a = package("a", "1.0");
        a.requires = &requires;
        let mut c = package("c", "1");
        c.files = &[b"/usr/bin/c", b"/bin/sh", b"/etc/other"];
        for one in [
            &a,
            &package("b", "2.0~rc1"),
            &package("b", "2.0"),
            &c,
            &package("d", "1"),
        ] {
            writer.add(one).expect("a cache");
        }
        writer.finish().expect("a cache");
        std::fs::read(file.path()).expect("a cache")
    })
}
