//! Tried from inside, by a process of its own for each: what is given up stays so.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::unistd::{Uid, User, setuid};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{getppid, test_kill_process};

use super::*;

/// Runs the one test of this name in another process, which is told the folder.
fn inside(test: &str, dir: &Path) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("sandbox::tests::{test}"), "--exact", "--nocapture"]);
    let output = command.env(FOLDER, dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let ran = output.status.success() && said.contains("1 passed");
    assert!(ran, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

const FOLDER: &str = "PILLARBOX_TEST_SANDBOX";

#[test]
fn only_its_own_folders_are_left() {
    let Some(dir) = folder() else {
        let dir = tempfile::tempdir().unwrap();
        for name in ["data", "settings", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("file"), "x").unwrap();
        }
        return inside("only_its_own_folders_are_left", dir.path());
    };
    let [data, settings, other] = ["data", "settings", "other"].map(|name| dir.join(name));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(other.join("named"), "n").unwrap();
    let read = [settings.clone(), dir.join("gone"), other.join("named")];
    let layer = files::enter(&data, &read).unwrap();
    assert_ne!(layer, Layer::Missing, "this test needs a kernel with Landlock");

    fs::write(data.join("new"), "y").unwrap();
    fs::create_dir(data.join("folder")).unwrap();
    fs::rename(data.join("new"), data.join("folder/new")).unwrap();
    fs::remove_dir_all(data.join("folder")).unwrap();
    let _control = std::os::unix::net::UnixListener::bind(data.join("socket")).unwrap();
    assert_eq!(fs::read_to_string(settings.join("file")).unwrap(), "x");
    assert_eq!(fs::read_dir(&settings).unwrap().count(), 1);
    File::open("/dev/urandom").unwrap();
    assert_eq!(fs::read_to_string(other.join("named")).unwrap(), "n");

    let denied = |what: &str, result: Result<(), std::io::Error>| {
        assert_eq!(
            result.map_err(|error| error.kind()),
            Err(ErrorKind::PermissionDenied),
            "{what}"
        );
    };
    denied("another's file", fs::read(other.join("file")).map(drop));
    denied("another's folder", fs::read_dir(&other).map(drop));
    denied("the users", fs::read("/etc/passwd").map(drop));
    denied("the kernel's", fs::read("/proc/self/maps").map(drop));
    denied("a setting", fs::write(settings.join("file"), "z"));
    denied("a link", std::os::unix::fs::symlink("/etc/passwd", data.join("link")));
    denied("out of the folder", fs::rename(data.join("file"), other.join("moved")));
    fs::write(data.join("program"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(data.join("program"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    denied("a program of its own", Command::new(data.join("program")).status().map(drop));
    denied("a program", Command::new("/bin/true").status().map(drop));
    denied("a thread's", thread::spawn(|| fs::read("/etc/passwd").map(drop)).join().unwrap());
    TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(taken.local_addr().unwrap()).unwrap();
    assert_eq!(User::from_name("root").ok().flatten(), None);
    // Linux 6.7 and 6.12 brought these.
    if layer == Layer::Whole {
        denied("a port", TcpListener::bind(free).map(drop));
        assert_eq!(test_kill_process(getppid().unwrap()), Err(rustix::io::Errno::PERM));
    }
}

#[test]
fn calls_that_lead_to_more_are_refused() {
    let Some(_) = folder() else {
        return inside("calls_that_lead_to_more_are_refused", Path::new("/"));
    };
    pillarbox_runtime_glommio::probe().unwrap();
    // Others are bound by it as well, though they were there before.
    let (go, told) = std::sync::mpsc::channel::<()>();
    let earlier = thread::spawn(move || {
        let _gone = told.recv();
        Command::new("/bin/true").status().map(drop).unwrap_err().kind()
    });
    assert_eq!(calls::enter(true).unwrap(), Layer::Whole);
    // Where a runtime needs them, rings are let be.
    pillarbox_runtime_glommio::probe().unwrap();
    assert_eq!(calls::enter(false).unwrap(), Layer::Whole);
    let said = pillarbox_runtime_glommio::probe().unwrap_err().to_string();
    assert!(said.contains("seccomp"), "{said}");
    drop(go);
    assert_eq!(earlier.join().unwrap(), ErrorKind::PermissionDenied);
    let program = Command::new("/bin/true").status().map(drop);
    assert_eq!(program.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(setuid(Uid::current()), Err(Errno::EPERM));
    for family in [AddressFamily::NETLINK, AddressFamily::PACKET, AddressFamily::VSOCK] {
        let made = socket(family, SocketType::DGRAM, None).map(drop);
        assert_eq!(made, Err(rustix::io::Errno::PERM), "{family:?}");
    }
    // What a server does goes on.
    TcpStream::connect(TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap()).unwrap();
    thread::spawn(|| fs::read("/etc/passwd").unwrap()).join().unwrap();
    assert!(std::panic::catch_unwind(|| panic!("as expected")).is_err());
    pillarbox_store::Store::open(
        tempfile::tempdir().unwrap().path(),
        &pillarbox_store::Options::default(),
    )
    .unwrap();
}
