//! strace beside a running server: what it asks of the kernel, and lies in the kernel's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Lines, PATIENCE, Server};

/// strace attached to a server; its end leaves the server as it was.
#[derive(Debug)]
pub(crate) struct Strace {
    child: Child,
    log: PathBuf,
    _said: Arc<Lines>,
}

/// Which threads are watched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Threads<'a> {
    All,
    /// Those of this name.
    Named(&'a str),
}

impl Strace {
    /// Attaches with these options, and returns once that is done.
    pub(crate) fn attach(
        server: &Server,
        threads: Threads<'_>,
        log: PathBuf,
        options: &[&str],
    ) -> Self {
        let mut command = Command::new("strace");
        command.args(["-y", "-s", "64", "-o"]).arg(&log).args(options);
        let expected = match threads {
            Threads::All => {
                command.args(["-f", "-p", &server.pid().to_string()]);
                1
            }
            Threads::Named(name) => {
                let named = threads_named(server.pid(), name);
                assert!(!named.is_empty(), "no thread is named {name}");
                for thread in &named {
                    command.args(["-p", thread]);
                }
                named.len()
            }
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("strace: {error}; install the Debian package `strace`"));
        let said = Lines::gather(child.stderr.take().unwrap());
        // It says so of each thread or, with -f, once of all.
        let until = Instant::now() + PATIENCE;
        while said.text().matches(" attached").count() < expected {
            assert!(
                child.try_wait().unwrap().is_none() && Instant::now() < until,
                "strace cannot attach: {}\nrun the tests as root, or allow it: \
                 sysctl kernel.yama.ptrace_scope=0",
                said.text()
            );
            thread::sleep(Duration::from_millis(5));
        }
        Self { child, log, _said: said }
    }

    /// Lets go of the server; what was seen.
    pub(crate) fn detach(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn threads_named(pid: u32, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    // Threads of connections may end while we look.
    let named = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    tasks.filter(named).map(|task| task.file_name().into_string().unwrap()).collect()
}

/// A system call in a log of strace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// As strace shows them, with the path or the socket behind each descriptor.
    pub(crate) args: String,
    /// Where it begins and ends in the order of the log.
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) result: i64,
}

impl Call {
    /// What stands behind the first argument, a descriptor.
    pub(crate) fn file(&self) -> &str {
        let Some((_, rest)) = self.args.split_once('<') else { return "" };
        rest.split_once('>').map_or("", |(file, _)| file)
    }

    pub(crate) fn is_sync_of(&self, path: &Path) -> bool {
        matches!(&*self.name, "fsync" | "fdatasync") && Path::new(self.file()) == path
    }
}

/// The calls of a log that have ended, in the order of their ends.
pub(crate) fn calls(log: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut open: Vec<(&str, Call)> = Vec::new();
    for (at, line) in log.lines().enumerate() {
        // `-f -o`: each line begins with the thread.
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        let call = if let Some(rest) = text.strip_prefix("<... ") {
            let Some(index) = open.iter().position(|(who, _)| *who == thread) else { continue };
            let (_, mut call) = open.remove(index);
            let Some((_, more)) = rest.split_once("resumed>") else { continue };
            call.args.push_str(more);
            call.end = at;
            call
        } else {
            let Some((name, args)) = text.split_once('(') else { continue };
            let (name, args) = (name.to_owned(), args.to_owned());
            Call { name, args, begin: at, end: at, result: -1 }
        };
        if let Some(args) = call.args.strip_suffix(" <unfinished ...>") {
            let args = args.to_owned();
            open.push((thread, Call { args, ..call }));
            continue;
        }
        let Some((args, result)) = call.args.rsplit_once(" = ") else { continue };
        let result = result.split(' ').next().unwrap_or_default().parse().unwrap_or(-1);
        calls.push(Call { args: args.trim_end().to_owned(), result, ..call });
    }
    calls
}

#[test]
fn a_log_is_read_as_it_is_meant() {
    let log = "\
7 recvfrom(9<socket:[5]>, \"x = 1\\r\\n.\\r\\n\", 65536, 0, NULL, NULL) = 120\n\
8 fdatasync(4</d/pillarbox.db-wal> <unfinished ...>\n\
7 recvfrom(9<socket:[5]>, 0x55, 65536, 0, NULL, NULL) = -1 EAGAIN (Resource)\n\
8 <... fdatasync resumed>)            = 0\n\
7 --- SIGINT ---\n\
7 fsync(4</d>) = -1 EIO (Input/output error) (INJECTED)\n\
8 fsync(4</d> <unfinished ...>\n";
    let calls = calls(log);
    let seen: Vec<_> =
        calls.iter().map(|c| (&*c.name, c.file(), c.begin, c.end, c.result)).collect();
    assert_eq!(
        seen,
        [
            ("recvfrom", "socket:[5]", 0, 0, 120),
            ("recvfrom", "socket:[5]", 2, 2, -1),
            ("fdatasync", "/d/pillarbox.db-wal", 1, 3, 0),
            ("fsync", "/d", 5, 5, -1),
        ]
    );
}
