//! Our own server as a process of its own, for tests that ask it by its address.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pillarbox_conformance::address::Target;
use pillarbox_conformance::address::names::{Names, Person};
use tempfile::TempDir;

/// `pillarbox localserve`, killed when dropped.
pub(crate) struct Server {
    child: Child,
    offset: u16,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start(runtime: &str) -> Self {
        for attempt in 0..20_u16 {
            let folder = tempfile::tempdir().unwrap();
            // Below the ports that systems give to clients.
            let spread = u16::try_from(std::process::id() % 200).unwrap();
            let offset = 3_000 + (spread * 100 + attempt * 7) % 25_000;
            let mut child = Command::new(env!("CARGO_BIN_EXE_server"))
                .args(["localserve", "--runtime", runtime, "--port-offset", &offset.to_string()])
                .arg("--dir")
                .arg(folder.path().join("data"))
                .stdout(Stdio::piped())
                // A pipe that nobody reads would be full some day, and stop the server.
                .stderr(File::create(folder.path().join("log")).unwrap())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            if lines.any(|line| line.is_ok_and(|line| line == "ready")) {
                return Self { child, offset, _folder: folder };
            }
            child.wait().unwrap();
            let why = std::fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(why.contains("is taken"), "{why}");
        }
        panic!("no free ports found");
    }

    pub(crate) fn target(&self) -> Target {
        let ports = [
            ("smtp", 1_025),
            ("submission", 1_587),
            ("submissions", 1_465),
            ("imap", 1_143),
            ("imaps", 1_993),
        ];
        let address = |(name, port)| (name, format!("127.0.0.1:{}", self.offset + port));
        Target {
            addresses: ports.into_iter().map(address).collect(),
            names: names(),
            tls: false,
            ours: true,
            patience: Duration::from_secs(20),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn names() -> Names {
    let person = |login: &str| Person { login: login.into(), password: "pillarbox".into() };
    Names {
        user: person("user@localhost"),
        friend: Some(person("friend@localhost")),
        domain: "localhost".into(),
    }
}
