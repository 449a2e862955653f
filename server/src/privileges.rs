//! From root, which may bind ports and read keys, to a user who may do neither.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getegid, geteuid, getgid, getuid, initgroups, setgid, setuid};
use pillarbox_store::make_folder;
use rustix::fs::{Access, access};

/// Becomes `user` for good, and sees to it that the folder `data` is that user's. Where nothing is
/// to be given up, because the process is that user already, it only looks at the folder.
///
/// Without `user` it only warns of root: in a container root may be all that there is.
///
/// Call it while there is one thread only: its files must be made by the user, and though libc
/// changes every thread, what a thread has opened stays open.
///
/// # Errors
/// One clear line with what to do. The process may then be anybody: end it.
pub(crate) fn drop_root(user: Option<&str>, data: &Path) -> Result<(), String> {
    let Some(name) = user else {
        if geteuid().is_root() {
            log::warn!(
                "running as root: a mistake in the server would give away the machine; name \
                 another `user` in the configuration, or start it as one"
            );
        }
        return Ok(());
    };
    let user = find(name)?;
    if geteuid().is_root() {
        prepare(data, &user)?;
        become_user(&user)?;
        log::info!(user = name; "root is given up");
    } else if geteuid() != user.uid {
        return Err(format!(
            "`user = \"{name}\"` needs a start as root or as {name}: this is the user with number \
             {}",
            geteuid()
        ));
    }
    check(data, &user)
}

fn find(name: &str) -> Result<User, String> {
    let found = User::from_name(name)
        .map_err(|error| format!("cannot look up the user `{name}`: {}", error.desc()))?;
    let user = found.ok_or_else(|| {
        format!(
            "there is no user `{name}`: make one (`useradd --system --no-create-home {name}`), or \
             name another `user` in the configuration"
        )
    })?;
    if user.uid.is_root() {
        return Err(format!("`{name}` is root by another name: name another user"));
    }
    Ok(user)
}

/// The folder where it is missing. What is there already is not touched: it may be another's.
fn prepare(data: &Path, user: &User) -> Result<(), String> {
    if data.exists() {
        return Ok(());
    }
    if let Some(above) = data.parent()
        && !above.as_os_str().is_empty()
        && !above.is_dir()
    {
        return Err(format!(
            "there is no folder {}, in which `data` could be made: make it first, so that `{}` \
             can go through it",
            above.display(),
            user.name
        ));
    }
    make_folder(data).map_err(|error| error.to_string())?;
    chown(data, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .map_err(|error| format!("cannot give {} to `{}`: {error}", data.display(), user.name))
}

fn become_user(user: &User) -> Result<(), String> {
    let refused = |what: &str, error: nix::Error| {
        format!("cannot become the user `{}` ({what}): {}", user.name, error.desc())
    };
    let name = CString::new(user.name.as_str()).map_err(|error| error.to_string())?;
    // The groups first: afterwards we might not change them any more.
    initgroups(&name, user.gid).map_err(|error| refused("initgroups", error))?;
    setgid(user.gid).map_err(|error| refused("setgid", error))?;
    setuid(user.uid).map_err(|error| refused("setuid", error))?;
    // A process whose capabilities outlive the change (securebits) would get everything back.
    let back = setuid(Uid::from_raw(0)).is_ok() || setgid(Gid::from_raw(0)).is_ok();
    let uids = [getuid(), geteuid()] == [user.uid; 2];
    let gids = [getgid(), getegid()] == [user.gid; 2];
    if back || !uids || !gids {
        return Err(format!(
            "root could be had again after becoming `{}`: start without keeping capabilities",
            user.name
        ));
    }
    Ok(())
}

/// That the user can use the folder and what lies in it. Whose the folder is counts, and not only
/// who may write there: commands go by it, see `control/reach.rs`.
fn check(data: &Path, user: &User) -> Result<(), String> {
    let trouble = |what: String| {
        format!(
            "{what}: `chown -R {name}: {data}` gives it to that user",
            name = user.name,
            data = data.display()
        )
    };
    let found = match fs::metadata(data) {
        Ok(found) => found,
        // The store makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let (data, name) = (data.display(), &user.name);
            return Err(format!("`{name}` cannot reach the folder {data}: {error}"));
        }
    };
    if found.uid() != user.uid.as_raw() {
        return Err(trouble(format!("{} is not `{}`'s", data.display(), user.name)));
    }
    let entries = fs::read_dir(data).map_err(|error| format!("{}: {error}", data.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = OURS.iter().any(|ours| name.to_str().is_some_and(|name| name.starts_with(ours)));
        if ours && access(entry.path(), Access::READ_OK | Access::WRITE_OK).is_err() {
            let what = format!("{} cannot be written by `{}`", entry.path().display(), user.name);
            return Err(trouble(what));
        }
    }
    Ok(())
}

/// How the names begin of what a server makes in its folder and goes on with at the next start.
const OURS: [&str; 3] = ["pillarbox.db", "lock", "bodies"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let said = drop_root(Some("no-such-user-here"), dir.path()).unwrap_err();
        assert!(said.contains("there is no user `no-such-user-here`"), "{said}");
        assert!(find("root").unwrap_err().contains("root by another name"));
        drop_root(None, dir.path()).unwrap();
    }
}
