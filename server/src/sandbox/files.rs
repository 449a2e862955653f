//! Which files, ports and processes can be reached: Landlock.
//!
//! io_uring is held by it as well, whose calls pass seccomp by.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
};

use super::Layer;
use crate::notify;

/// `data` can be written, `read` be read, with all that is below them; a file among them can be read
/// for as long as it is not replaced by another.
pub(super) fn enter(data: &Path, read: &[PathBuf]) -> Result<Layer, String> {
    let data = PathFd::new(data).map_err(|error| error.to_string())?;
    restrict(data, read).map_err(|error| error.to_string())
}

fn restrict(data: PathFd, read: &[PathBuf]) -> Result<Layer, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::BindTcp)?
        .scope(scopes())?
        .create()?
        // A port that the kernel chooses is for connections of our own.
        .add_rule(NetPort::new(0, AccessNet::BindTcp))?
        .add_rule(PathBeneath::new(data, OWN))?;
    for path in read {
        // One that is not there any more is no reason to stop: it will be missed by who reads it.
        if let Ok(opened) = PathFd::new(path) {
            let access = if path.is_dir() { READ } else { AccessFs::ReadFile.into() };
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    // SQLite draws its random numbers there.
    if let Ok(random) = PathFd::new("/dev/urandom") {
        rules = rules.add_rule(PathBeneath::new(random, AccessFs::ReadFile))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Layer::Whole,
        RulesetStatus::PartiallyEnforced => Layer::Part,
        RulesetStatus::NotEnforced => Layer::Missing,
    })
}

/// Other processes are not signalled, and their abstract sockets not connected to, except where
/// the service manager listens on one.
fn scopes() -> BitFlags<Scope> {
    let manager = notify::socket();
    let abstract_manager = manager.is_some_and(|name| name.as_encoded_bytes().starts_with(b"@"));
    if abstract_manager { Scope::Signal.into() } else { Scope::from_all(KNOWN) }
}

/// Linux 6.15. What a later kernel could forbid in addition is not asked for before somebody has
/// tried it: Landlock's later versions take away paths of sockets, which the manager's is.
const KNOWN: ABI = ABI::V7;

/// In the data folder: no devices, pipes or links, and nothing is executed.
const OWN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir
        | MakeSock | Refer
});

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
