//! The files in dist/: systemd understands them, finds the unit well confined, and what its filter
//! of system calls lets pass is all that the server uses. systemd's own tool says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::on_each_runtime;
use crate::server::{PASSWORD, Place, Server, pillarbox, run, succeed};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(uses_no_call_that_the_unit_denies);

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(name)
}

/// The values of a setting, in their order.
fn settings(name: &str, setting: &str) -> Vec<String> {
    let text = fs::read_to_string(dist(name)).unwrap();
    let values = text.lines().filter_map(|line| line.strip_prefix(&format!("{setting}=")));
    values.map(str::to_owned).collect()
}

/// The unit, with the program that was built just now in the place of the one that is installed.
fn unit(place: &Place) -> PathBuf {
    let text = fs::read_to_string(dist("pillarbox.service")).unwrap();
    let text = text.replace("/usr/bin/pillarbox", env!("CARGO_BIN_EXE_pillarbox"));
    fs::create_dir(place.beside("units")).unwrap();
    let file = place.beside("units/pillarbox.service");
    fs::write(&file, text).unwrap();
    fs::copy(dist("pillarbox.socket"), place.beside("units/pillarbox.socket")).unwrap();
    file
}

#[test]
fn systemd_understands_the_units() {
    let place = Place::new("smol");
    let service = unit(&place);
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).arg(&service);
    let output = run(command.arg(place.beside("units/pillarbox.socket")));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // What it has to say of other units on this machine is not about ours.
    assert!(output.status.success() && !said.contains("pillarbox"), "{said}");
}

#[test]
fn the_unit_is_well_confined() {
    let place = Place::new("smol");
    let mut command = Command::new("systemd-analyze");
    // In tenths: it fails above 2.0.
    command.args(["security", "--offline=true", "--threshold=20", "--no-pager"]);
    let output = run(command.arg(unit(&place)));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    println!("{}", said.lines().last().unwrap());
}

#[test]
fn the_configuration_is_good_and_its_addresses_are_the_sockets() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tls")).unwrap();
    pillarbox::certificates::ensure(&dir.path().join("tls")).unwrap();
    let file = dir.path().join("pillarbox.toml");
    fs::copy(dist("pillarbox.toml"), &file).unwrap();
    succeed(pillarbox().args(["config", "check"]).arg(&file));
    let config = pillarbox::config::Config::load(&file).unwrap();
    let configured: BTreeSet<_> =
        config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    let handed_over: BTreeSet<_> =
        settings("pillarbox.socket", "ListenStream").into_iter().collect();
    assert_eq!(configured, handed_over);
    // The unit's folder, and the server's time to stop.
    assert_eq!(settings("pillarbox.service", "StateDirectory"), ["pillarbox"]);
    assert_eq!(config.data, Path::new("/var/lib/pillarbox"));
    let stop: u64 = settings("pillarbox.service", "TimeoutStopSec")[0].parse().unwrap();
    assert!(config.limits.stop_within.as_secs() < stop);
}

/// What a list of the unit's form comes to: later lines add to it, those with `~` take away.
fn allowed() -> BTreeSet<String> {
    let listed = succeed(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"]));
    let listed = String::from_utf8(listed).unwrap();
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut set = "";
    for line in listed.lines() {
        if line.starts_with('@') {
            set = line.trim();
        } else if line.starts_with(' ') && !line.trim().starts_with('#') {
            sets.entry(set).or_default().push(line.trim());
        }
    }
    let mut allowed = BTreeSet::new();
    for line in settings("pillarbox.service", "SystemCallFilter") {
        let taken_away = line.strip_prefix('~');
        let mut names: Vec<&str> = taken_away.unwrap_or(&line).split(' ').collect();
        while let Some(name) = names.pop() {
            if let Some(inside) = sets.get(name) {
                names.extend(inside);
            } else if taken_away.is_some() {
                allowed.remove(name);
            } else {
                allowed.insert(name.to_owned());
            }
        }
    }
    assert!(allowed.contains("accept4") && !allowed.contains("setuid"), "{allowed:?}");
    allowed
}

/// From the first instruction to the end, with mail in memory and as a file, TLS and commands.
fn uses_no_call_that_the_unit_denies(runtime: &'static str) {
    let place = Place::new(runtime);
    place.localserve().stop();
    let log = place.beside("calls");
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-e", "signal=none", "-o"]).arg(&log);
    let given = place.localserve_command();
    let server = Server::spawn(command.arg(given.get_program()).args(given.get_args()));
    assert!(server.stdout.wait_for(|line| line == "ready").is_some(), "{}", server.stderr.text());
    for size in [0, 600 << 10] {
        let mut talk = Talk::smtp(place.smtp()).unwrap();
        let reply = talk.deliver(&["user@localhost"], &letter("traced", size)).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    assert_eq!(Imap::login(place.imap(), "user").inbox().len(), 2);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--cacert"]).arg(place.ca()).args(["-u", &format!("user:{PASSWORD}")]);
    succeed(curl.arg(format!("imaps://localhost:{}/INBOX;MAILINDEX=1", place.imaps())));
    succeed(pillarbox().args(["domain", "add", "example.org", "--dir"]).arg(place.dir()));
    server.stop();

    let allowed = allowed();
    let log = fs::read_to_string(log).unwrap();
    let called: BTreeSet<&str> = log
        .lines()
        .filter_map(|line| line.split_once(' '))
        // `PID name(…` or `PID <... name resumed>…`.
        .filter_map(|(_, call)| call.trim_start().split_once('('))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'))
        .collect();
    assert!(called.len() > 40 && called.contains("fdatasync"), "{called:?}");
    // SQLite gives its files to their folder's owner where it runs as root, which the unit does not.
    let ours = called.iter().filter(|name| **name != "fchown");
    let denied: Vec<_> = ours.filter(|name| !allowed.contains(**name)).collect();
    assert!(denied.is_empty(), "the unit denies {denied:?}");
}
