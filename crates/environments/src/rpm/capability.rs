//! Capabilities of files: from rpm's words to what the kernel keeps.

/// Names in the order of their bits, without `cap_` (`linux/capability.h`).
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
/// `VFS_CAP_REVISION_2`.
const REVISION: u32 = 0x0200_0000;
/// `VFS_CAP_FLAGS_EFFECTIVE`.
const EFFECTIVE: u32 = 1;

/// The three sets of a file, a bit for each capability.
#[derive(Debug, Clone, Copy, Default)]
struct Sets {
    effective: u64,
    inheritable: u64,
    permitted: u64,
}

/// The extended attribute `security.capability` for a text such as `cap_net_raw,cap_net_admin+ep`, as `cap_from_text(3)`
/// reads it. None where the text is no such text, or where no file can have those sets.
pub fn attribute(text: &str) -> Option<Box<[u8]>> {
    let mut sets = Sets::default();
    for clause in text.split_ascii_whitespace() {
        apply(&mut sets, clause)?;
    }
    let able = sets.permitted | sets.inheritable;
    // A file has one bit for "effective", so it holds for all or none.
    let effective = match sets.effective {
        0 => 0,
        effective if effective == able => EFFECTIVE,
        _ => return None,
    };
    // Both sets' lower halves come before their higher ones; all numbers are little-endian.
    let (permitted, inheritable) = (sets.permitted.to_le_bytes(), sets.inheritable.to_le_bytes());
    let (permitted, permitted_high) = permitted.split_at(4);
    let (inheritable, inheritable_high) = inheritable.split_at(4);
    let first = (REVISION | effective).to_le_bytes();
    Some([&first[..], permitted, inheritable, permitted_high, inheritable_high].concat().into())
}

/// A clause: names, then one or more actions, each an operator and the sets it is for.
fn apply(sets: &mut Sets, clause: &str) -> Option<()> {
    let split = clause.find(['=', '+', '-'])?;
    let (names, mut actions) = clause.split_at_checked(split)?;
    let bits = match names {
        "" if actions.starts_with('=') => all(),
        "" => return None,
        names => names.split(',').try_fold(0, |bits, name| Some(bits | bit(name)?))?,
    };
    while let Some(operator) = actions.chars().next() {
        let rest = actions.get(1..)?;
        let end = rest.find(['=', '+', '-']).unwrap_or(rest.len());
        let (flags, next) = rest.split_at_checked(end)?;
        if operator == '=' {
            set(sets, "eip", bits, false)?;
        }
        set(sets, flags, bits, operator != '-')?;
        actions = next;
    }
    Some(())
}

fn set(sets: &mut Sets, flags: &str, bits: u64, on: bool) -> Option<()> {
    for flag in flags.chars() {
        let set = match flag {
            'e' => &mut sets.effective,
            'i' => &mut sets.inheritable,
            'p' => &mut sets.permitted,
            _ => return None,
        };
        *set = if on { *set | bits } else { *set & !bits };
    }
    Some(())
}

fn bit(name: &str) -> Option<u64> {
    let name = name.to_ascii_lowercase();
    if name == "all" {
        return Some(all());
    }
    let name = name.strip_prefix("cap_")?;
    NAMES.iter().position(|known| *known == name).map(|at| 1 << at)
}

fn all() -> u64 {
    (1 << NAMES.len()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::hex;

    fn words(text: &str) -> Option<String> {
        attribute(text).map(|bytes| hex(&bytes))
    }

    #[test]
    fn a_text_becomes_what_the_kernel_keeps() {
        // As `setcap` writes them and `getfattr -e hex` shows them.
        let raw = "0100000200200000000000000000000000000000";
        assert_eq!(words("cap_net_raw=ep").as_deref(), Some(raw));
        assert_eq!(words("cap_net_raw+ep").as_deref(), Some(raw));
        assert_eq!(words("CAP_NET_RAW+p cap_net_raw+e").as_deref(), Some(raw));
        let two = "0100000200300000000000000000000000000000";
        assert_eq!(words("cap_net_admin,cap_net_raw=ep").as_deref(), Some(two));
        let bpf = "0000000200000000000000008000000000000000";
        assert_eq!(words("cap_bpf=p").as_deref(), Some(bpf));
        assert_eq!(words("=ep cap_sys_admin-ep").as_deref(), Some("01000002ffffdfff00000000ff01000000000000"));
    }

    #[test]
    fn what_is_no_such_text_and_what_no_file_can_have_is_refused() {
        for text in ["net_raw=ep", "cap_unknown=ep", "cap_net_raw", "cap_net_raw=x", "+ep", "cap_kill=ep cap_chown=p"] {
            assert_eq!(words(text), None, "{text}");
        }
    }
}
