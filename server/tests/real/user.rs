//! Started as root with `user`: root is given up, and what stands in the way is told.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contract::one_line;
use crate::on_each_runtime;
use crate::server::{Place, Server, pillarbox, run, succeed};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(serves_as_the_user_and_as_nobody_else);

/// In every Debian; its mail is where nobody else has any.
const USER: &str = "news";

fn id(option: &str) -> u32 {
    let said = succeed(Command::new("id").args([option, USER]));
    String::from_utf8(said).unwrap().trim().parse().unwrap()
}

/// A configuration beside a data folder that is not there yet. `None` where this is not root.
fn configured(place: &Place, data: &Path, first: &str) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing to give up");
        return None;
    }
    // The user must get there.
    fs::set_permissions(place.beside("."), fs::Permissions::from_mode(0o755)).unwrap();
    place.localserve().stop();
    let text = fs::read_to_string(place.dir().join("pillarbox.toml")).unwrap();
    let text = text.replace("data = \".\"", &format!("data = \"{}\"", data.display()));
    let file = place.dir().join("own.toml");
    fs::write(&file, format!("{first}\n{text}")).unwrap();
    Some(file)
}

fn serve(file: &Path) -> Command {
    let mut command = pillarbox();
    command.args(["serve", "--config"]).arg(file);
    command
}

fn serves_as_the_user_and_as_nobody_else(runtime: &'static str) {
    let place = Place::new(runtime);
    let data = place.beside("mail");
    let Some(file) = configured(&place, &data, &format!("user = \"{USER}\"")) else { return };
    // Root may be in further groups, and those are to go as well.
    let mut command = Command::new("setpriv");
    command.args(["--groups=0,4", "--", env!("CARGO_BIN_EXE_pillarbox"), "serve", "--config"]);
    let server = Server::spawn(command.arg(&file));
    assert!(server.stderr.wait_for(|line| line.contains(" ready ")).is_some());
    assert!(!server.stderr.text().contains("running as root"), "{}", server.stderr.text());

    // The accounts, by root through the control socket.
    for args in [
        &["domain", "add", "localhost"][..],
        &["account", "add", "user@localhost", "--password-stdin"],
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", "echo pillarbox | \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_pillarbox"));
        succeed(command.args(args).arg("--dir").arg(&data));
    }
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let reply = talk.deliver(&["user@localhost"], &letter("large", 600 << 10)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(Imap::login(place.imap(), "user").inbox().len(), 1);

    // Every thread, in all four ids, and all groups.
    let (uid, gid) = (id("-u"), id("-g"));
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
        };
        assert_eq!(value("Uid:"), vec![uid.to_string(); 4].join("\t"));
        assert_eq!(value("Gid:"), vec![gid.to_string(); 4].join("\t"));
        assert_eq!(value("Groups:"), gid.to_string());
        for set in ["CapPrm:", "CapEff:", "CapInh:", "CapAmb:"] {
            assert_eq!(value(set), "0000000000000000", "{set}");
        }
        threads += 1;
    }
    assert!(threads > 5, "{threads} threads only");
    server.stop();

    // All that was made is the user's, and nobody else reads it.
    let mut folders = vec![data];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let known = fs::metadata(&folder).unwrap();
        assert_eq!((known.uid(), known.mode() & 0o077), (uid, 0), "{}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let known = fs::metadata(&path).unwrap();
            assert_eq!((known.uid(), known.mode() & 0o077), (uid, 0), "{}", path.display());
            files += 1;
            if known.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(files >= 4, "{files} files only");
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let place = Place::new("smol");
    let data = place.dir();
    let Some(file) = configured(&place, &data, &format!("user = \"{USER}\"")) else { return };
    let output = run(&mut serve(&file));
    assert_eq!(output.status.code(), Some(1));
    let remedy = format!("chown -R {USER}: {}", data.display());
    one_line(&output.stderr, &["is not `news`'s", &remedy]);

    // The folder alone is not enough: root's own server has been there.
    chown(&data, Some(id("-u")), Some(id("-g"))).unwrap();
    let output = run(&mut serve(&file));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["cannot be written by `news`", &remedy]);

    // What it says helps.
    succeed(Command::new("chown").args(["-R", &format!("{USER}:")]).arg(&data));
    let server = Server::spawn(&mut serve(&file));
    assert!(server.stderr.wait_for(|line| line.contains(" ready ")).is_some());
    server.stop();
}

#[test]
fn a_user_that_cannot_be_had_is_refused() {
    let place = Place::new("smol");
    let data = place.beside("mail");
    let Some(file) = configured(&place, &data, "user = \"no-such-user\"") else { return };
    let output = run(&mut serve(&file));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["there is no user `no-such-user`", "useradd"]);
    assert!(!data.exists(), "nothing is made for nobody");

    // Not root, and not the user either.
    let text = fs::read_to_string(&file).unwrap().replace("no-such-user", USER);
    fs::write(&file, text).unwrap();
    succeed(Command::new("chmod").args(["-R", "a+rX"]).arg(place.dir()));
    // The program's folder may be root's alone: a copy lies where games may run it.
    let program = place.beside("pillarbox");
    fs::copy(env!("CARGO_BIN_EXE_pillarbox"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=games", "--regid=games", "--clear-groups"]).arg(&program);
    let output = run(command.args(["serve", "--config"]).arg(&file));
    assert_eq!(output.status.code(), Some(1));
    one_line(&output.stderr, &["needs a start as root or as news"]);
}

#[test]
fn root_without_a_user_is_warned_of() {
    let place = Place::new("smol");
    let Some(file) = configured(&place, &place.dir(), "") else { return };
    let server = Server::spawn(&mut serve(&file));
    assert!(server.stderr.wait_for(|line| line.contains(" ready ")).is_some());
    assert!(server.stderr.text().contains("running as root"), "{}", server.stderr.text());
    server.stop();
}
