//! passwd, group and their shadows of a root: users and groups are added, nothing is changed.
//!
//! As systemd-sysusers does it: groups first, then users, then memberships; what exists stays as
//! it is. Each file is replaced as one, and keeps its owner, permissions and label.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use whole_file::{Access, Durability, WholeFile};

use super::super::error::TransactionError;
use super::super::root::RootDir;
use super::{Id, Line};

/// Numbers of system accounts when `/etc/login.defs` names none.
const SYSTEM_IDS: RangeInclusive<u32> = 101..=999;
/// How long others may keep the lock of the password files, as lckpwdf(3) has it.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);
/// The shell of an account that nobody logs in to.
const NO_LOGIN: &str = "/usr/sbin/nologin";

const PASSWD: usize = 0;
const GROUP: usize = 1;
const SHADOW: usize = 2;
const GSHADOW: usize = 3;
/// Base name, and permissions of a new one, by index.
const FILES: [(&str, u32); 4] = [
    ("passwd", 0o644),
    ("group", 0o644),
    ("shadow", 0),
    ("gshadow", 0),
];

/// Makes the users and groups of `lines` that are missing in the root. `day` is the day of the
/// last password change, counted from 1970.
pub(crate) fn create(root: &RootDir, lines: &[Line], day: u64) -> Result<(), TransactionError> {
    let failed = |e: io::Error| TransactionError::file("cannot add users in", b"/etc", e);
    let (etc, _) = root.create_dirs(b"/etc").map_err(|e| failed(e.into()))?;
    let _lock = lock(etc.as_fd()).map_err(failed)?;
    let mut accounts = Accounts::read(root, &etc, day).map_err(failed)?;
    for line in lines {
        accounts.add_group_of(line);
    }
    let is_member = |line: &&Line| matches!(line, Line::Member { .. });
    for line in lines.iter().filter(|line| !is_member(line)) {
        accounts.add_user_of(line);
    }
    for line in lines.iter().filter(is_member) {
        accounts.add_user_of(line);
        accounts.add_member_of(line);
    }
    accounts.write(etc.as_fd()).map_err(failed)
}

/// Other tools that change the password files wait meanwhile. Who holds it too long is passed
/// over: the renames keep the files whole.
fn lock(etc: BorrowedFd<'_>) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A pipe would have us wait for its reader.
    let flags = flags | OFlags::NONBLOCK;
    let file = fs::openat(etc, ".pwd.lock", flags, Mode::from_raw_mode(0o600))?;
    let start = Instant::now();
    loop {
        match fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN | Errno::ACCESS) if start.elapsed() < PATIENCE => sleep(PAUSE),
            Ok(()) | Err(Errno::AGAIN | Errno::ACCESS) => return Ok(file.into()),
            Err(e) => return Err(e.into()),
        }
    }
}

/// One of the files: its lines, and whether they were changed.
#[derive(Debug, Default)]
struct Table {
    lines: Vec<Vec<u8>>,
    changed: bool,
}

impl Table {
    fn of(text: &[u8]) -> Table {
        let lines = text.split(|b| *b == b'\n').map(<[u8]>::to_vec);
        let mut lines: Vec<Vec<u8>> = lines.collect();
        lines.retain(|line| !line.is_empty());
        Table {
            lines,
            changed: false,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let named = |line: &Vec<u8>| field(line, 0) == name.as_bytes();
        self.lines.iter().position(named)
    }

    /// The number in the third field of a name's line.
    fn id(&self, name: &str) -> Option<u32> {
        self.lines
            .get(self.position(name)?)
            .and_then(|l| number(field(l, 2)))
    }

    fn ids(&self) -> HashSet<u32> {
        let ids = self.lines.iter().filter_map(|line| number(field(line, 2)));
        ids.collect()
    }

    fn push(&mut self, line: String) {
        // NIS entries must stay at the end: names behind them are never found.
        let end = self.lines.iter().position(|line| line.starts_with(b"+"));
        let at = end.unwrap_or(self.lines.len());
        self.lines.insert(at, line.into_bytes());
        self.changed = true;
    }

    /// Adds a name to the list in the last field of a group's line.
    fn add_member(&mut self, group: &str, user: &str) {
        let position = self.position(group);
        let Some(line) = position.and_then(|at| self.lines.get_mut(at)) else {
            return;
        };
        let members = line.rsplit(|b| *b == b':').next().unwrap_or_default();
        if members
            .split(|b| *b == b',')
            .any(|name| name == user.as_bytes())
        {
            return;
        }
        if !members.is_empty() {
            line.push(b',');
        }
        line.extend_from_slice(user.as_bytes());
        self.changed = true;
    }
}

fn field(line: &[u8], index: usize) -> &[u8] {
    line.split(|b| *b == b':').nth(index).unwrap_or_default()
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The four files. The shadows are kept only where the root has them.
struct Accounts {
    tables: [Option<Table>; 4],
    users: RangeInclusive<u32>,
    groups: RangeInclusive<u32>,
    day: u64,
    no_login: &'static str,
}

impl Accounts {
    fn read(root: &RootDir, etc: &OwnedFd, day: u64) -> io::Result<Accounts> {
        let mut tables = [const { None }; 4];
        for (table, (name, _)) in tables.iter_mut().zip(FILES) {
            let text = root.read_small(format!("/etc/{name}").as_bytes())?;
            *table = text.map(|text| Table::of(&text));
        }
        for needed in [PASSWD, GROUP] {
            if let Some(table) = tables.get_mut(needed) {
                table.get_or_insert_default();
            }
        }
        let defs = root.read_small(b"/etc/login.defs")?.unwrap_or_default();
        let defs = String::from_utf8_lossy(&defs);
        let range = |low: &str, high: &str| {
            let low = defined(&defs, low).unwrap_or(*SYSTEM_IDS.start());
            low..=defined(&defs, high).unwrap_or(*SYSTEM_IDS.end())
        };
        let merged = fs::statat(etc, "../usr/sbin/nologin", AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let old = fs::statat(etc, "../sbin/nologin", AtFlags::SYMLINK_NOFOLLOW).is_ok();
        Ok(Accounts {
            tables,
            users: range("SYS_UID_MIN", "SYS_UID_MAX"),
            groups: range("SYS_GID_MIN", "SYS_GID_MAX"),
            day,
            no_login: if old && !merged {
                "/sbin/nologin"
            } else {
                NO_LOGIN
            },
        })
    }

    fn table(&self, which: usize) -> Option<&Table> {
        self.tables.get(which)?.as_ref()
    }

    fn push(&mut self, which: usize, line: String) {
        if let Some(Some(table)) = self.tables.get_mut(which) {
            table.push(line);
        }
    }

    fn has(&self, which: usize, name: &str) -> bool {
        self.table(which).is_some_and(|table| table.has(name))
    }

    fn ids(&self, which: usize) -> HashSet<u32> {
        self.table(which).map(Table::ids).unwrap_or_default()
    }

    /// The groups that a line needs.
    fn add_group_of(&mut self, line: &Line) {
        match line {
            Line::Group { name, gid } => self.add_group(name, gid),
            Line::Member { group, .. } => self.add_group(group, &Id::Any),
            Line::User {
                name, uid, group, ..
            } => match group {
                Id::Any => {
                    // A user's own group has its number, where that is free in both files.
                    let own = self.table(PASSWD).and_then(|users| users.id(name));
                    let wish = own.map_or_else(|| uid.clone(), Id::Number);
                    let wish = match wish {
                        Id::Any => self.free_in_both().map_or(Id::Any, Id::Number),
                        wish => wish,
                    };
                    self.add_group(name, &wish);
                }
                Id::Number(_) => {}
                Id::Group(group) => self.add_group(&group.clone(), &Id::Any),
            },
        }
    }

    fn add_group(&mut self, name: &str, gid: &Id) {
        if self.has(GROUP, name) {
            return;
        }
        let taken = self.ids(GROUP);
        let free = || self.groups.clone().rev().find(|id| !taken.contains(id));
        let Some(gid) = wished(gid, &taken).or_else(free) else {
            return;
        };
        self.push(GROUP, format!("{name}:x:{gid}:"));
        self.push(GSHADOW, format!("{name}:!*::"));
    }

    fn free_in_both(&self) -> Option<u32> {
        let (users, groups) = (self.ids(PASSWD), self.ids(GROUP));
        let free = |id: &u32| !users.contains(id) && !groups.contains(id);
        self.users.clone().rev().find(free)
    }

    fn add_user_of(&mut self, line: &Line) {
        match line {
            Line::User { .. } => self.add_user(line),
            // A user of its own, as if a `u` line had named it.
            Line::Member { user, .. } if !self.has(PASSWD, user) => {
                let line = Line::User {
                    name: user.clone(),
                    uid: Id::Any,
                    group: Id::Any,
                    gecos: String::new(),
                    home: None,
                    shell: None,
                    expired: false,
                };
                self.add_group_of(&line);
                self.add_user(&line);
            }
            _ => {}
        }
    }

    fn add_user(&mut self, line: &Line) {
        let Line::User {
            name,
            uid,
            group,
            gecos,
            home,
            shell,
            expired,
        } = line
        else {
            return;
        };
        if self.has(PASSWD, name) {
            return;
        }
        let groups = self.table(GROUP);
        let gid = match group {
            Id::Number(gid) => Some(*gid),
            Id::Group(group) => groups.and_then(|groups| groups.id(group)),
            Id::Any => groups.and_then(|groups| groups.id(name)),
        };
        let taken = self.ids(PASSWD);
        let same = gid.filter(|gid| *group == Id::Any && self.users.contains(gid));
        let same = same.filter(|id| !taken.contains(id));
        let free = || self.users.clone().rev().find(|id| !taken.contains(id));
        let uid = wished(uid, &taken).or(same).or_else(free);
        let (Some(uid), Some(gid)) = (uid, gid) else {
            return;
        };
        let home = home.as_deref().unwrap_or("/");
        let shell = shell.as_deref().unwrap_or(match uid {
            0 => "/bin/sh",
            _ => self.no_login,
        });
        let expires = if *expired { "1" } else { "" };
        let day = self.day;
        self.push(
            PASSWD,
            format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}"),
        );
        self.push(SHADOW, format!("{name}:!*:{day}:::::{expires}:"));
    }

    fn add_member_of(&mut self, line: &Line) {
        let Line::Member { user, group } = line else {
            return;
        };
        for which in [GROUP, GSHADOW] {
            if let Some(Some(table)) = self.tables.get_mut(which) {
                table.add_member(group, user);
            }
        }
    }

    /// Groups before users, so that no user is ever without its group.
    fn write(&self, etc: BorrowedFd<'_>) -> io::Result<()> {
        for which in [GROUP, GSHADOW, PASSWD, SHADOW] {
            if let (Some(table), Some((name, mode))) = (self.table(which), FILES.get(which))
                && table.changed
            {
                let text = table.lines.iter().flat_map(|line| line.iter().chain(b"\n"));
                let text: Vec<u8> = text.copied().collect();
                let mut new = WholeFile::below(etc, Path::new(name), Access::Kept(*mode))?;
                new.write_all(&text)?;
                new.place(Durability::Synced)?;
            }
        }
        Ok(())
    }
}

fn wished(id: &Id, taken: &HashSet<u32>) -> Option<u32> {
    match id {
        Id::Number(id) if !taken.contains(id) => Some(*id),
        _ => None,
    }
}

fn defined(defs: &str, key: &str) -> Option<u32> {
    let line = defs.lines().find(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some(key)
    })?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
