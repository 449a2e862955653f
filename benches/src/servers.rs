//! The servers that are measured, each started in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pillarbox_conformance::peers::{self, Peers};
use tempfile::TempDir;

use crate::tree::Tree;

/// What is measured, in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pillarbox on one of its runtimes, by the name it has in the configuration.
    Pillarbox(&'static str),
    /// Postfix, with Dovecot behind it.
    Peers,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 4] =
        [Self::Pillarbox("smol"), Self::Pillarbox("std"), Self::Pillarbox("glommio"), Self::Peers];

    /// The column's head.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pillarbox(runtime) => runtime,
            Self::Peers => "Postfix+Dovecot",
        }
    }
}

/// A server that runs. It is stopped when dropped.
#[derive(Debug)]
pub struct Server {
    /// Mail from other servers; STARTTLS is offered.
    pub smtp: SocketAddr,
    /// A login in clear is taken.
    pub imap: SocketAddr,
    /// TLS from the first byte.
    pub imaps: SocketAddr,
    /// Vouches for the server's certificate, which is for `localhost`.
    pub ca: PathBuf,
    /// What is behind the `@`.
    pub domain: &'static str,
    /// Whether filling a mailbox with 100,000 messages would take minutes.
    pub fills_slowly: bool,
    /// Its processes.
    pub tree: Tree,
    _running: Running,
    _dir: TempDir,
}

/// What must be ended.
#[derive(Debug)]
enum Running {
    Pillarbox(Child),
    Peers { _stopped_when_dropped: Peers },
}

/// Why there is no such server.
#[derive(Debug)]
pub enum Missing {
    /// The program knows nothing of that runtime.
    NotInThisBuild,
    /// Anything else, as said by whoever refused.
    Failed(String),
}

impl Server {
    /// Starts one and waits until it answers. `program` is the `pillarbox` to use.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn start(kind: Kind, program: &Path) -> Result<Self, Missing> {
        let dir = tempfile::tempdir().map_err(|error| Missing::Failed(error.to_string()))?;
        match kind {
            Kind::Pillarbox(runtime) => Self::pillarbox(runtime, program, dir),
            Kind::Peers => Self::peers(dir).map_err(Missing::Failed),
        }
    }

    fn pillarbox(runtime: &str, program: &Path, dir: TempDir) -> Result<Self, Missing> {
        let failed = |what: &dyn std::fmt::Display| {
            Missing::Failed(format!("{}: {what}", program.display()))
        };
        let offset = free_offset().ok_or_else(|| failed(&"no free ports"))?;
        let mut child = Command::new(program)
            .args(["localserve", "--runtime", runtime])
            .args(["--port-offset", &offset.to_string()])
            .arg("--dir")
            .arg(dir.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(fs::File::create(dir.path().join("log")).map_err(|error| failed(&error))?)
            .spawn()
            .map_err(|error| failed(&error))?;
        let lines = BufReader::new(
            child.stdout.take().into_iter().next().ok_or_else(|| failed(&"no output"))?,
        );
        if !lines.lines().map_while(Result::ok).any(|line| line == "ready") {
            let _ended = child.wait();
            let said = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            if said.contains("not in this") || said.contains("no runtime") {
                return Err(Missing::NotInThisBuild);
            }
            return Err(failed(&said.lines().next().unwrap_or("it ended at once")));
        }
        let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port + offset));
        Ok(Self {
            smtp: at(SMTP),
            imap: at(IMAP),
            imaps: at(IMAPS),
            ca: dir.path().join("data/tls/ca.pem"),
            domain: "localhost",
            fills_slowly: false,
            tree: Tree::new(vec![child.id()]),
            _running: Running::Pillarbox(child),
            _dir: dir,
        })
    }

    fn peers(dir: TempDir) -> Result<Self, String> {
        let peers = Peers::start(dir.path())?;
        let pid = |file: &str| {
            let text = fs::read_to_string(dir.path().join(file)).ok()?;
            text.trim().parse().ok()
        };
        let roots = ["queue/pid/master.pid", "dovecot/master.pid"].into_iter().map(pid);
        let addresses = peers.addresses();
        Ok(Self {
            smtp: addresses.smtp,
            imap: addresses.imap,
            imaps: addresses.imaps,
            ca: peers.ca().to_owned(),
            domain: peers::DOMAIN,
            fills_slowly: true,
            tree: Tree::new(roots.collect::<Option<_>>().ok_or("no pid of Postfix or Dovecot")?),
            _running: Running::Peers { _stopped_when_dropped: peers },
            _dir: dir,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Pillarbox(child) = self {
            let _gone_already = child.kill();
            let _ended = child.wait();
        }
    }
}

/// Added to `localserve`'s ports, so that all of them are free.
fn free_offset() -> Option<u16> {
    (20_000..60_000).step_by(1_000).find(|offset| {
        let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).is_ok();
        PORTS.into_iter().all(free)
    })
}

const SMTP: u16 = 1_025;
const IMAP: u16 = 1_143;
const IMAPS: u16 = 1_993;
/// All that `localserve` listens on.
const PORTS: [u16; 5] = [SMTP, IMAP, IMAPS, 1_465, 1_587];
/// The password of each account that these servers know: `user` and `friend`.
pub const PASSWORD: &str = "pillarbox";
