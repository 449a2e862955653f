//! Whether rings can be made here, and if not, why.
//!
//! glommio itself answers a ring that it is refused by a panic without the system's error, and an
//! old kernel by ending the process. So we ask before it does, and know what to say.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};

use io_uring::{IoUring, Probe, opcode};
use rustix::process::{Resource, getrlimit};

/// Makes a ring and throws it away.
///
/// # Errors
/// The reason in one line, with what to do.
pub fn probe() -> Result<(), NoRing> {
    if let Some(limit) = getrlimit(Resource::Memlock).current.filter(|limit| *limit < LOCKED_MIN) {
        return Err(NoRing::LockedMemory(limit));
    }
    let ring = IoUring::new(ENTRIES).map_err(|error| refused(error, setting()))?;
    let mut probe = Probe::new();
    // Linux 5.6 began to tell what it can do.
    if ring.submitter().register_probe(&mut probe).is_err() {
        return Err(NoRing::Old(kernel()));
    }
    if NEEDED.iter().all(|code| probe.is_supported(*code)) {
        Ok(())
    } else {
        Err(NoRing::Old(kernel()))
    }
}

/// Why no ring can be made. Shown, each is one line that says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoRing {
    /// `/proc/sys/kernel/io_uring_disabled` forbids it; its value.
    Disabled(String),
    /// It is forbidden although that setting allows it.
    Filtered(io::Error),
    /// There is no such system call, or it seems so. The kernel's version.
    Missing(String),
    /// The kernel can too little. Its version.
    Old(String),
    /// Too little memory may be locked: the limit in bytes.
    LockedMemory(u64),
    /// There is no memory for it: the limit of locked memory in bytes, where there is one.
    Memory(Option<u64>),
    /// Anything else.
    Other(io::Error),
}

fn refused(error: io::Error, setting: Option<String>) -> NoRing {
    match error.kind() {
        ErrorKind::PermissionDenied => match setting {
            Some(setting) if setting != "0" => NoRing::Disabled(setting),
            _ => NoRing::Filtered(error),
        },
        ErrorKind::Unsupported => NoRing::Missing(kernel()),
        ErrorKind::OutOfMemory => NoRing::Memory(getrlimit(Resource::Memlock).current),
        _ => NoRing::Other(error),
    }
}

/// `None` where the kernel has no such setting: it came with Linux 6.6.
fn setting() -> Option<String> {
    fs::read_to_string(SETTING).ok().map(|value| value.trim().to_owned())
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

impl fmt::Display for NoRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the glommio runtime cannot have io_uring: ")?;
        match self {
            Self::Disabled(value) => {
                let whom = if value == "1" {
                    "only for root and the group in kernel.io_uring_group"
                } else {
                    "for nobody"
                };
                write!(
                    f,
                    "{SETTING} is {value} ({whom}); `sysctl kernel.io_uring_disabled=0` allows it"
                )?;
            }
            Self::Filtered(error) => write!(
                f,
                "{error}, although {SETTING} allows it; a container's or a unit's filter of system \
                 calls (seccomp) or a security module forbids io_uring_setup, and must let it pass"
            )?,
            Self::Missing(kernel) => write!(
                f,
                "Linux {kernel} says it has none; it is older than 5.8, built without io_uring, or \
                 a filter of system calls (seccomp) hides it"
            )?,
            Self::Old(kernel) => write!(f, "it needs Linux 5.8 or later, and this is {kernel}")?,
            Self::LockedMemory(limit) => write!(
                f,
                "{} KiB may be locked in memory, and it needs {} (`ulimit -l`; LimitMEMLOCK= in a \
                 unit)",
                limit / 1024,
                LOCKED_MIN / 1024
            )?,
            Self::Memory(limit) => {
                f.write_str("there is no memory for a ring; ")?;
                if let Some(limit) = limit {
                    write!(f, "raise the limit of {} KiB (`ulimit -l`) or ", limit / 1024)?;
                }
                f.write_str("give the control group more")?;
            }
            Self::Other(error) => write!(f, "{error}")?,
        }
        f.write_str("; or choose the runtime smol or std")
    }
}

impl std::error::Error for NoRing {}

const SETTING: &str = "/proc/sys/kernel/io_uring_disabled";

/// glommio begins with no less, in bytes, although a kernel from 5.12 on counts rings elsewhere.
const LOCKED_MIN: u64 = 512 * 1024;

/// Of the ring that is thrown away.
const ENTRIES: u32 = 4;

/// Whatever of glommio's operations came last: Linux 5.5 and 5.6.
const NEEDED: &[u8] = &[
    opcode::Accept::CODE,
    opcode::Close::CODE,
    opcode::Connect::CODE,
    opcode::Fallocate::CODE,
    opcode::LinkTimeout::CODE,
    opcode::OpenAt::CODE,
    opcode::Read::CODE,
    opcode::Recv::CODE,
    opcode::Send::CODE,
    opcode::Statx::CODE,
    opcode::TimeoutRemove::CODE,
    opcode::Write::CODE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_reason() {
        let denied = || io::Error::from_raw_os_error(rustix::io::Errno::PERM.raw_os_error());
        let absent = io::Error::from_raw_os_error(rustix::io::Errno::NOSYS.raw_os_error());
        let memory = io::Error::from_raw_os_error(rustix::io::Errno::NOMEM.raw_os_error());
        for (why, words) in [
            (refused(denied(), Some("2".into())), "io_uring_disabled is 2 (for nobody)"),
            (refused(denied(), Some("1".into())), "io_uring_disabled is 1 (only for root"),
            (refused(denied(), Some("0".into())), "seccomp"),
            (refused(denied(), None), "seccomp"),
            (refused(absent, None), "says it has none"),
            (refused(memory, None), "no memory for a ring"),
            (NoRing::LockedMemory(64 << 10), "64 KiB may be locked in memory, and it needs 512"),
            (NoRing::Old("5.4.0".into()), "5.8 or later, and this is 5.4.0"),
            (refused(io::Error::from(ErrorKind::Interrupted), None), "interrupted"),
        ] {
            let line = why.to_string();
            assert!(line.contains(words), "{line}");
            assert!(line.ends_with("or choose the runtime smol or std"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
