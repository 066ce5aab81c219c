//! What a carrier can do to the parts of a bundle, which are tar files.

use fastrand::Rng;
use tar::{EntryType, Header};

/// Bytes of a block of a tar file.
const BLOCK: usize = 512;

/// One member: its header, and what it holds.
#[derive(Clone)]
struct Member {
    header: Header,
    data: Vec<u8>,
}

/// The members of a part.
fn members(part: &[u8]) -> Vec<Member> {
    let mut found = Vec::new();
    let mut rest = part;
    while let Some((head, after)) = rest.split_at_checked(BLOCK) {
        let header = Header::from_byte_slice(head).clone();
        if head.iter().all(|byte| *byte == 0) {
            break;
        }
        let size = usize::try_from(header.entry_size().unwrap()).unwrap();
        let data = after[..size].to_vec();
        rest = &after[size.next_multiple_of(BLOCK)..];
        found.push(Member { header, data });
    }
    found
}

/// A part of these members.
fn part(members: &[Member]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        out.extend(member.header.as_bytes());
        out.extend(&member.data);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

/// A member of this kind and name, as nobody makes one by accident.
fn planted(kind: EntryType, name: &str, link: &str, data: &[u8]) -> Member {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(data.len() as u64);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let data = data.to_vec();
    Member { header, data }
}

/// What is done to one member, or to all.
#[derive(Debug, Clone, Copy)]
pub(super) enum Carried {
    /// A bit of the part is another.
    Flip,
    /// The end is missing.
    Cut,
    /// More than there is.
    Extend,
    /// Two members have each other's content, with its size.
    Exchange,
    /// Two members have each other's names.
    Rename,
    Double,
    /// The members come in another order.
    Reorder,
    Drop,
    /// A member has noise of the right size.
    Noise,
    /// A member more: a link, a device, a folder, another name.
    Plant,
    /// A member has a name that leads out.
    Astray,
    /// A header lies about the size.
    Size,
    /// A name is longer than anything.
    LongName,
    /// The description says something else.
    Described,
    /// No tar file at all.
    Gibberish,
    Empty,
    /// A head that never ends.
    Bomb,
}

impl Carried {
    const ALL: [Carried; 17] = [
        Carried::Flip,
        Carried::Cut,
        Carried::Extend,
        Carried::Exchange,
        Carried::Rename,
        Carried::Double,
        Carried::Reorder,
        Carried::Drop,
        Carried::Noise,
        Carried::Plant,
        Carried::Astray,
        Carried::Size,
        Carried::LongName,
        Carried::Described,
        Carried::Gibberish,
        Carried::Empty,
        Carried::Bomb,
    ];

    pub(super) fn draw(random: &mut Rng) -> Carried {
        Self::ALL[random.usize(..Self::ALL.len())]
    }

    /// The part that arrives; `outside` is a file that is none of its business.
    pub(super) fn arrives(self, whole: &[u8], outside: &str, random: &mut Rng) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        let inside = random.usize(..bytes.len());
        match self {
            Carried::Flip => bytes[inside] ^= 1 << random.u8(..8),
            Carried::Cut => bytes.truncate(inside),
            Carried::Extend => bytes.extend(testkit::noise(random.usize(1..100_000), 3)),
            Carried::Gibberish => bytes = testkit::noise(inside, 5),
            Carried::Empty => bytes.clear(),
            _ => {
                let mut all = members(whole);
                self.change(&mut all, outside, random);
                bytes = part(&all);
            }
        }
        bytes
    }

    fn change(self, all: &mut Vec<Member>, outside: &str, random: &mut Rng) {
        let (one, other) = (random.usize(..all.len()), random.usize(..all.len()));
        match self {
            Carried::Exchange => {
                let kept = all[one].clone();
                let (data, size) = (all[other].data.clone(), all[other].data.len());
                set(&mut all[one], data, size);
                set(&mut all[other], kept.data.clone(), kept.data.len());
            }
            Carried::Rename => {
                let names = [one, other].map(|at| all[at].header.as_old().name);
                rename(&mut all[one], &names[1]);
                rename(&mut all[other], &names[0]);
            }
            Carried::Double => all.insert(other, all[one].clone()),
            Carried::Reorder => random.shuffle(all),
            Carried::Drop => drop(all.remove(one)),
            Carried::Noise => {
                let size = all[one].data.len();
                all[one].data = testkit::noise(size, random.u64(..));
            }
            Carried::Plant => all.insert(one, plant(all, outside, random)),
            Carried::Astray => {
                let up = format!(
                    "base/{}",
                    "../".repeat(20) + outside.trim_start_matches('/')
                );
                let names = [outside, up.as_str(), "..", "", "base/../../x", "lock"];
                let name = names[random.usize(..names.len())];
                let kind = EntryType::Regular;
                all[one].header = planted(kind, name, "", &all[one].data).header;
            }
            Carried::Size => {
                let size = [0, 1, u64::MAX, 1 << 40, random.u64(..1 << 20)];
                all[one].header.set_size(size[random.usize(..size.len())]);
                all[one].header.set_cksum();
            }
            Carried::LongName => {
                let long = vec![b'a'; [100, 4097, 3_000_000][random.usize(..3)]];
                let kind = [
                    EntryType::GNULongName,
                    EntryType::GNULongLink,
                    EntryType::XHeader,
                ];
                let kind = kind[random.usize(..3)];
                let many = [1, 2, 300][random.usize(..3)];
                let long = planted(kind, "././@LongLink", "", &long[..long.len() / many]);
                all.splice(one..one, std::iter::repeat_n(long, many));
            }
            Carried::Described => {
                let text = String::from_utf8(all[0].data.clone()).unwrap();
                let swaps = [
                    ("ship", "shop"),
                    ("\"number\":1", "\"number\":9"),
                    ("-1-1", "-9-1"),
                    ("}", ""),
                ];
                let (from, to) = swaps[random.usize(..swaps.len())];
                let text = text.replace(from, to).into_bytes();
                let size = text.len();
                set(&mut all[0], text, size);
            }
            // Bigger than the memory that a run may have.
            Carried::Bomb => {
                let at = random.usize(..2);
                set(&mut all[at], vec![0; 200 << 20], 200 << 20);
            }
            _ => unreachable!("done to the whole part"),
        }
    }
}

fn set(member: &mut Member, data: Vec<u8>, size: usize) {
    member.data = data;
    member.header.set_size(size as u64);
    member.header.set_cksum();
}

fn rename(member: &mut Member, name: &[u8; 100]) {
    member.header.as_old_mut().name = *name;
    member.header.set_cksum();
}

/// A member that does not belong there.
fn plant(all: &[Member], outside: &str, random: &mut Rng) -> Member {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::XGlobalHeader,
        EntryType::XHeader,
        EntryType::Regular,
        EntryType::new(b'Z'),
    ];
    let kind = kinds[random.usize(..kinds.len())];
    let last = all[all.len() - 1].header.path_bytes().into_owned();
    let last = String::from_utf8(last).unwrap();
    let names = [last.as_str(), "base/Packages", "base/new.rpm", outside];
    let data: &[u8] = match kind {
        EntryType::XHeader | EntryType::XGlobalHeader => b"19 path=/etc/passwd\n",
        EntryType::Regular => b"planted",
        _ => b"",
    };
    planted(kind, names[random.usize(..4)], outside, data)
}
