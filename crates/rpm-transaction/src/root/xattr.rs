//! File capabilities: from rpm's text form to the kernel's extended attribute.

/// The extended attribute that holds file capabilities.
pub const CAPABILITY_XATTR: &str = "security.capability";

/// The extended attribute that holds an SELinux label.
pub(crate) const SELINUX_XATTR: &str = "security.selinux";

/// `VFS_CAP_REVISION_2` of linux/capability.h.
const REVISION_2: u32 = 0x0200_0000;
/// `VFS_CAP_FLAGS_EFFECTIVE`.
const EFFECTIVE: u32 = 1;

/// The names of linux/capability.h in the order of their numbers.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The three sets of libcap's text form.
#[derive(Default)]
struct Sets {
    effective: u64,
    permitted: u64,
    inheritable: u64,
}

/// The 20 bytes of a version 2 attribute for `text` (cap_from_text(3): clauses separated by
/// space, names separated by comma, then operators `=`, `+`, `-` with flags of `e`, `p`, `i`).
/// `None` when the text is not understood.
pub fn encode_capabilities(text: &str) -> Option<[u8; 20]> {
    let mut sets = Sets::default();
    for clause in text.split_ascii_whitespace() {
        apply_clause(&mut sets, clause)?;
    }
    let effective = if sets.effective != 0 { EFFECTIVE } else { 0 };
    let words = [
        REVISION_2 | effective,
        sets.permitted as u32,
        sets.inheritable as u32,
        (sets.permitted >> 32) as u32,
        (sets.inheritable >> 32) as u32,
    ];
    let mut bytes = [0; 20];
    for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    Some(bytes)
}

fn apply_clause(sets: &mut Sets, clause: &str) -> Option<()> {
    let at = clause.find(['=', '+', '-'])?;
    let (names, mut rest) = clause.split_at(at);
    let mask = mask_of(names, rest.starts_with('='))?;
    while let Some(operator) = rest.chars().next() {
        let flags = rest.get(1..)?;
        let end = flags.find(['=', '+', '-']).unwrap_or(flags.len());
        let (flags, next) = flags.split_at(end);
        apply(sets, mask, operator, flags)?;
        rest = next;
    }
    Some(())
}

fn apply(sets: &mut Sets, mask: u64, operator: char, flags: &str) -> Option<()> {
    if !flags.bytes().all(|b| b"epi".contains(&b)) {
        return None;
    }
    if operator == '=' {
        sets.effective &= !mask;
        sets.permitted &= !mask;
        sets.inheritable &= !mask;
    }
    for flag in flags.bytes() {
        let set = match flag {
            b'e' => &mut sets.effective,
            b'p' => &mut sets.permitted,
            _ => &mut sets.inheritable,
        };
        if operator == '-' {
            *set &= !mask
        } else {
            *set |= mask
        }
    }
    Some(())
}

/// The bits of a list of names; no name before `=` means all, as does `all`.
fn mask_of(names: &str, all_when_empty: bool) -> Option<u64> {
    let all = (1u64 << NAMES.len()) - 1;
    if names.is_empty() {
        return all_when_empty.then_some(all);
    }
    names.split(',').try_fold(0, |mask, name| {
        let name = name.to_ascii_lowercase();
        if name == "all" {
            return Some(all);
        }
        let bit = match name.strip_prefix("cap_") {
            Some(known) => NAMES.iter().position(|n| *n == known)?,
            None => name.parse().ok().filter(|bit| *bit < 64)?,
        };
        Some(mask | 1u64 << bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values were read back with getfattr after setcap(8) of libcap 2.66.
    #[test]
    fn capability_text_becomes_the_kernels_bytes() {
        let hex = |text: &str| {
            encode_capabilities(text)
                .map(|b| b.iter().map(|x| format!("{x:02x}")).collect::<String>())
        };
        let ping = "0100000200200000000000000000000000000000".to_owned();
        assert_eq!(hex("cap_net_raw=ep"), Some(ping.clone()));
        assert_eq!(hex("cap_net_raw+ep"), Some(ping.clone()));
        assert_eq!(hex("cap_net_raw=p cap_net_raw+e"), Some(ping));
        assert_eq!(
            hex("="),
            Some("0000000200000000000000000000000000000000".to_owned())
        );
        let two = "0100000200000000000400000000000000000000".to_owned();
        assert_eq!(hex("cap_net_bind_service=ei"), Some(two));
        assert_eq!(hex("cap_nonsense=ep"), None);
        assert_eq!(hex("cap_net_raw=x"), None);
        assert_eq!(hex("cap_net_raw"), None);
    }
}
