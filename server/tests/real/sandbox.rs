//! The sandbox as it is from outside: on every thread, by default, and told of in the log. That
//! nothing is missing in it is what all the other tests show.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::on_each_runtime;
use crate::server::{Place, Server, run};
use crate::talk::{Talk, letter};

on_each_runtime!(is_entered_by_every_thread, is_not_entered_where_the_kernel_has_none);

/// The values of a line in each thread's status.
fn of_threads(server: &Server, name: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let value = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
    };
    let status = |path: std::path::PathBuf| fs::read_to_string(path.join("status")).unwrap();
    let values: Vec<_> = threads.map(|thread| value(status(thread.unwrap().path()))).collect();
    assert!(values.len() > 5, "{values:?}");
    values
}

fn is_entered_by_every_thread(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let said = server.stderr.wait_for(|line| line.contains(" sandbox ")).unwrap();
    // Debian 12's own kernel knows files, but not yet ports and signals.
    let landlock = ["landlock=on", "landlock=\"partly: an older kernel\""];
    let on = landlock.map(|it| format!("info sandbox sandboxed {it} seccomp=on"));
    assert!(on.iter().any(|on| said.ends_with(on)), "{said}");
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    // A file of its own.
    let reply = talk.deliver(&["user@localhost"], &letter("large", 600 << 10)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    for (name, value) in [("NoNewPrivs:", "1"), ("Seccomp:", "2")] {
        let values = of_threads(&server, name);
        assert!(values.iter().all(|found| found == value), "{name} {values:?}");
    }
    server.stop();

    let server = place.serve("sandbox = false", "");
    assert!(server.stderr.text().contains("no sandbox, as configured"));
    let _talk = Talk::smtp(place.smtp()).unwrap();
    assert!(of_threads(&server, "Seccomp:").iter().all(|found| found == "0"));
    server.stop();
}

/// strace answers in the kernel's place; what it is told comes before the program. The ports have
/// been free a moment before.
fn under_strace(place: &Place) -> Command {
    place.localserve().stop();
    let mut command = Command::new("strace");
    // strace as a grandchild, so that signals reach the server.
    command.args(["-D", "-f", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset,seccomp"]);
    command
}

fn is_not_entered_where_the_kernel_has_none(runtime: &'static str) {
    let place = Place::new(runtime);
    let mut command = under_strace(&place);
    command.args(["-e", "inject=landlock_create_ruleset:error=ENOSYS"]);
    command.args(["-e", "inject=seccomp:error=EINVAL"]);
    let given = place.localserve_command();
    command.arg(given.get_program()).args(given.get_args());
    let server = Server::spawn(&mut command);
    let said = server.stderr.wait_for(|line| line.contains(" sandbox ")).unwrap();
    let none = "landlock=\"not in this kernel\" seccomp=\"not in this kernel\"";
    assert!(said.contains(none) && said.contains(" info "), "{said}");
    assert!(server.stdout.wait_for(|line| line == "ready").is_some(), "{}", server.stderr.text());
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let reply = talk.deliver(&["user@localhost"], &letter("bare", 0)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    server.stop();
}

#[test]
fn an_old_kernel_gives_a_part() {
    let place = Place::new("smol");
    let mut command = under_strace(&place);
    // The first call asks for the version.
    command.args(["-e", "inject=landlock_create_ruleset:retval=1:when=1"]);
    let given = place.localserve_command();
    command.arg(given.get_program()).args(given.get_args());
    let server = Server::spawn(&mut command);
    let said = server.stderr.wait_for(|line| line.contains(" sandbox ")).unwrap();
    assert!(said.contains("landlock=\"partly: an older kernel\" seccomp=on"), "{said}");
    assert!(server.stdout.wait_for(|line| line == "ready").is_some(), "{}", server.stderr.text());
    server.stop();
}

#[test]
fn a_kernel_that_refuses_is_told() {
    let place = Place::new("smol");
    let mut command = under_strace(&place);
    command.args(["-e", "inject=seccomp:error=EACCES"]);
    let given = place.localserve_command();
    let output = run(command.arg(given.get_program()).args(given.get_args()));
    assert_eq!(output.status.code(), Some(1));
    crate::contract::one_line(&output.stderr, &["seccomp", "`sandbox = false` starts without it"]);
}

/// As certbot lays them.
#[test]
fn certificates_behind_links_are_in_reach() {
    let place = Place::new("smol");
    place.localserve().stop();
    let live = place.beside("live");
    let archive = place.beside("archive");
    fs::create_dir(&live).unwrap();
    fs::rename(place.dir().join("tls"), &archive).unwrap();
    for name in ["cert.pem", "key.pem"] {
        symlink(archive.join(name), live.join(name)).unwrap();
    }
    let text = fs::read_to_string(place.dir().join("pillarbox.toml")).unwrap();
    let text = text.replace("\"tls/", &format!("\"{}/", live.display()));
    fs::write(place.dir().join("pillarbox.toml"), text).unwrap();
    let config = pillarbox::config::Config::load(&place.dir().join("pillarbox.toml")).unwrap();
    assert_eq!(config.folders_read(), [archive, place.dir(), live]);
    place.serve("", "").stop();
}
