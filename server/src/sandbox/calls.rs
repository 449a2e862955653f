//! Which system calls are answered with EPERM: seccomp.
//!
//! A list of what is denied, not of what is allowed: the next version of libc, of SQLite or of the
//! kernel's own advice may use a call that nobody has thought of, and a mail server that fails then
//! is worse than one that can ask for the time in one more way. What is denied leads to more power
//! (other programs, users, namespaces, mounts, modules, the memory of others, new code in our own)
//! or to parts of the kernel that have often been wrong (bpf, perf, keys, userfaultfd, odd
//! families of sockets, and io_uring where the runtime does not use it).
//!
//! EPERM and not the end of the process: none of it is ever called, but a library that only asks
//! whether it may must not take the server with it.

use std::collections::BTreeMap;
use std::io;

use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::Layer;

/// For each call the rules by whose arguments it is meant; none: any arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// `rings`: the runtime uses io_uring.
pub(super) fn enter(rings: bool) -> Result<Layer, String> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Layer::Missing);
    };
    let compile = |rules, action| -> Result<BpfProgram, String> {
        SeccompFilter::new(rules, SeccompAction::Allow, action, processor)
            .and_then(TryInto::try_into)
            .map_err(|error| error.to_string())
    };
    // Its flags lie in memory, where no filter can look. libc takes `clone` where it is told that
    // there is no other.
    let mut absent = Rules::new();
    deny(&mut absent, &[libc::SYS_clone3]);
    let absent = compile(absent, errno(libc::ENOSYS))?;
    let denied = compile(denied(rings).map_err(|error| error.to_string())?, errno(libc::EPERM))?;
    for program in [absent, denied] {
        match apply_filter_all_threads(&program) {
            Ok(()) => {}
            Err(Error::Seccomp(error)) if is_missing(&error) => return Ok(Layer::Missing),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Layer::Whole)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
}

const fn errno(number: c_int) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn denied(rings: bool) -> Result<Rules, seccompiler::BackendError> {
    let mut rules = Rules::new();
    deny(&mut rules, ALWAYS);
    #[cfg(target_arch = "x86_64")]
    deny(&mut rules, x86::ALWAYS);
    if !rings {
        deny(&mut rules, RINGS);
    }
    let long = SeccompCmpArgLen::Qword;
    let int = SeccompCmpArgLen::Dword;
    let has = |index, bits: c_int| {
        let bits = u64::from(bits.cast_unsigned());
        SeccompRule::new(vec![SeccompCondition::new(
            index,
            long.clone(),
            SeccompCmpOp::MaskedEq(bits),
            bits,
        )?])
    };
    // Namespaces of one's own open most of the kernel to whoever has none of its rights.
    let namespaces: Result<_, _> = NAMESPACES.iter().map(|flag| has(0, *flag)).collect();
    when(&mut rules, libc::SYS_clone, namespaces?);
    // No new code: what there is has been loaded by now.
    for call in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        when(&mut rules, call, vec![has(2, libc::PROT_EXEC)?]);
    }
    let other = |family: c_int| {
        let family = u64::from(family.cast_unsigned());
        SeccompCondition::new(0, int.clone(), SeccompCmpOp::Ne, family)
    };
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let others: Result<_, _> = families.into_iter().map(other).collect();
    when(&mut rules, libc::SYS_socket, vec![SeccompRule::new(others?)?]);
    // Words put into the mouth of whoever sits at the terminal.
    let mut typing = Vec::new();
    for request in [TIOCSTI, TIOCLINUX] {
        let is = SeccompCondition::new(1, int.clone(), SeccompCmpOp::Eq, request)?;
        typing.push(SeccompRule::new(vec![is])?);
    }
    when(&mut rules, libc::SYS_ioctl, typing);
    Ok(rules)
}

fn deny(rules: &mut Rules, calls: &[c_long]) {
    for call in calls {
        when(rules, *call, Vec::new());
    }
}

/// Both ways to name a call: x86_64 knows each by a second number, with another width of pointers.
fn when(rules: &mut Rules, call: c_long, arguments: Vec<SeccompRule>) {
    #[cfg(target_arch = "x86_64")]
    rules.insert(call | x86::X32, arguments.clone());
    rules.insert(call, arguments);
}

const ALWAYS: &[c_long] = &[
    // Other programs, and the memory of other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Other users and rights.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
    // Namespaces, mounts, roots.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_mknodat,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Parts of the kernel that have often been wrong.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Memory that could be mapped a second time, as code.
    libc::SYS_memfd_create,
    libc::SYS_shmat,
];

const RINGS: &[c_long] =
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// The same on all processors that a filter can be made for; libc gives them several types.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;

const NAMESPACES: &[c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

#[cfg(target_arch = "x86_64")]
mod x86 {
    use nix::libc::{self, c_long};

    /// Set in the number of a call with pointers of 32 bits.
    pub(super) const X32: c_long = 0x4000_0000;

    pub(super) const ALWAYS: &[c_long] = &[
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
        libc::SYS_mknod,
        // Those of the other width that have numbers of their own: execve, ptrace, kexec_load,
        // process_vm_readv, process_vm_writev, execveat.
        520,
        521,
        528,
        539,
        540,
        545,
    ];
}
