//! Where there is no ring to be had: one line that says why, and never another runtime.

use std::process::Command;

use crate::contract::one_line;
use crate::server::{Place, run};

/// strace answers `io_uring_setup` in the kernel's place.
fn denied(error: &str, words: &[&str]) {
    let place = Place::new("glommio");
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "trace=io_uring_setup"]);
    command.args(["-e", &format!("inject=io_uring_setup:error={error}")]);
    refused(command, &place, words);
}

/// Starts the server by this command.
fn refused(mut command: Command, place: &Place, words: &[&str]) {
    let server = place.localserve_command();
    command.arg(server.get_program()).args(server.get_args());
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"", "nothing is promised");
    one_line(&output.stderr, &["the glommio runtime cannot have io_uring: "]);
    one_line(&output.stderr, words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_filter_of_system_calls() {
    denied("EPERM", &["Operation not permitted", "seccomp", "io_uring_setup"]);
}

#[test]
fn a_kernel_without_it() {
    denied("ENOSYS", &["says it has none", "5.8"]);
}

#[test]
fn no_memory() {
    denied("ENOMEM", &["no memory for a ring", "ulimit -l"]);
}

#[test]
fn too_little_locked_memory() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -l 64 && exec \"$@\"", "sh"]);
    refused(command, &Place::new("glommio"), &["64 KiB may be locked", "needs 512"]);
}

#[test]
fn an_executor_that_fails_later_ends_the_start_all_the_same() {
    // The first call is the probe's; the next is glommio's own.
    let place = Place::new("glommio");
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "trace=io_uring_setup"]);
    command.args(["-e", "inject=io_uring_setup:error=ENOMEM:when=3+"]);
    let server = place.localserve_command();
    command.arg(server.get_program()).args(server.get_args());
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    one_line(&output.stderr, &["Cannot allocate memory"]);
}
