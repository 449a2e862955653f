//! A server of a test's own: its folder, its ports, its process, what it said.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "pillarbox";
/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const SMTP: u16 = 1_025;
const SUBMISSION: u16 = 1_587;
const SUBMISSIONS: u16 = 1_465;
const IMAP: u16 = 1_143;
const IMAPS: u16 = 1_993;
const HTTP: u16 = 1_080;
const HTTPS: u16 = 1_443;
const PORTS: [u16; 7] = [SMTP, SUBMISSION, SUBMISSIONS, IMAP, IMAPS, HTTP, HTTPS];

/// A folder and ports on which a server can be started again and again.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) runtime: &'static str,
    offset: AtomicU16,
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) stdout: Arc<Lines>,
    pub(crate) stderr: Arc<Lines>,
}

/// The lines that a process has printed so far.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    said: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Place {
    pub(crate) fn new(runtime: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("real-").tempdir().unwrap();
        Self { folder, runtime, offset: AtomicU16::new(first_offset()) }
    }

    /// The folder that is given by `--dir`.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file or folder beside it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn offset(&self) -> u16 {
        self.offset.load(Ordering::Relaxed)
    }

    pub(crate) fn smtp(&self) -> u16 {
        SMTP + self.offset()
    }

    pub(crate) fn submission(&self) -> u16 {
        SUBMISSION + self.offset()
    }

    pub(crate) fn submissions(&self) -> u16 {
        SUBMISSIONS + self.offset()
    }

    pub(crate) fn imap(&self) -> u16 {
        IMAP + self.offset()
    }

    pub(crate) fn imaps(&self) -> u16 {
        IMAPS + self.offset()
    }

    pub(crate) fn http(&self) -> u16 {
        HTTP + self.offset()
    }

    pub(crate) fn https(&self) -> u16 {
        HTTPS + self.offset()
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.dir().join("tls/ca.pem")
    }

    /// Waits until there are so many files of bodies: nobody waits for a removal.
    pub(crate) fn settles_at_body_files(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let found = || fs::read_dir(self.dir().join("bodies")).unwrap().count();
        while found() != count {
            assert!(Instant::now() < until, "{} files of bodies, not {count}", found());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// `pillarbox localserve`, ready; on other ports where these are taken.
    pub(crate) fn localserve(&self) -> Server {
        self.localserve_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn localserve_with(&self, more: &[&str]) -> Server {
        for _ in 0..20 {
            let server = Server::spawn(self.localserve_command().args(more));
            if server.stdout.wait_for(|line| line == "ready").is_some() {
                return server;
            }
            // Its last words come by another way: they may come later than the end of the first.
            let taken = server.stderr.wait_for(|line| line.contains("is taken"));
            assert!(taken.is_some(), "the server did not start: {}", server.stderr.text());
            self.offset.store(first_offset(), Ordering::Relaxed);
        }
        panic!("no free ports found");
    }

    pub(crate) fn localserve_command(&self) -> Command {
        let mut command = pillarbox();
        command.args(["localserve", "--runtime", self.runtime, "--dir"]).arg(self.dir());
        command.args(["--port-offset", &self.offset().to_string()]);
        command
    }

    /// `pillarbox serve` with the configuration that `localserve` has left here, `first` put in
    /// front of it and `last` behind; on other ports where these are taken meanwhile.
    pub(crate) fn serve(&self, first: &str, last: &str) -> Server {
        self.serve_edited(|text| format!("{first}\n{text}\n{last}\n"))
    }

    /// The same, with the configuration changed in any way.
    pub(crate) fn serve_edited(&self, edit: impl Fn(&str) -> String) -> Server {
        let text = fs::read_to_string(self.dir().join("pillarbox.toml")).unwrap();
        let file = self.dir().join("own.toml");
        let written_for = self.offset();
        for _ in 0..20 {
            let mut text = text.clone();
            for port in PORTS {
                let at = |offset: u16| format!(":{}\"", port + offset);
                text = text.replace(&at(written_for), &at(self.offset()));
            }
            fs::write(&file, edit(&text)).unwrap();
            let server = Server::spawn(pillarbox().args(["serve", "--config"]).arg(&file));
            if server.stderr.wait_for(|line| line.contains(" ready ")).is_some() {
                return server;
            }
            let why = server.stderr.text();
            assert!(why.contains("is taken"), "the server did not start: {why}");
            self.offset.store(first_offset(), Ordering::Relaxed);
        }
        panic!("no free ports found");
    }

    /// `pillarbox verify` must find the store whole. No server may run.
    pub(crate) fn verify(&self) {
        let output = pillarbox().args(["verify", "--dir"]).arg(self.dir()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.ends_with("the store is whole\n"), "{said}");
    }

    /// `pillarbox metrics`: the value of a counter.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let begin = format!("pillarbox_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    pub(crate) fn metrics(&self) -> String {
        let output = pillarbox().args(["metrics", "--dir"]).arg(self.dir()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Server {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Lines::gather(child.stdout.take().unwrap());
        let stderr = Lines::gather(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    /// SIGTERM, and the exit that must follow.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}: {}", self.stderr.text());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
        if thread::panicking() {
            eprintln!("what the server said:\n{}", self.stderr.text());
        }
    }
}

impl Lines {
    pub(crate) fn gather(from: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let gathered = Arc::clone(&lines);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                gathered.said.lock().unwrap().0.push(text);
                gathered.more.notify_all();
                line.clear();
            }
            gathered.said.lock().unwrap().1 = true;
            gathered.more.notify_all();
        });
        lines
    }

    /// The first line of which this holds, now or later; `None` if the stream ends without one.
    pub(crate) fn wait_for(&self, holds: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        let mut said = self.said.lock().unwrap();
        loop {
            if let Some(line) = said.0.iter().find(|line| holds(line)) {
                return Some(line.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if said.1 || left.is_zero() {
                return None;
            }
            said = self.more.wait_timeout(said, left).unwrap().0;
        }
    }

    pub(crate) fn text(&self) -> String {
        self.said.lock().unwrap().0.join("\n")
    }
}

/// A listener's configuration, for clients that would bind to the channel and do it wrong.
pub(crate) fn hiding_plus(protocol: &str, port: u16) -> String {
    format!(
        "[[listener]]\nprotocol = \"{protocol}\"\naddress = \"127.0.0.1:{port}\"\n\
         hide_mechanisms = [\"SCRAM-SHA-1-PLUS\", \"SCRAM-SHA-256-PLUS\"]\n"
    )
}

pub(crate) fn pillarbox() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pillarbox"))
}

/// Runs a command that must end by itself.
pub(crate) fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            let program = command.get_program().to_string_lossy();
            panic!("{program}: {error}; install the Debian package `{program}`")
        });
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let stdout = thread::spawn(move || all(stdout));
    let stderr = thread::spawn(move || all(stderr));
    let status = wait(&mut child);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Runs a command that must succeed; what it printed on standard output.
pub(crate) fn succeed(command: &mut Command) -> Vec<u8> {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

pub(crate) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}

/// A file beside these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name);
    assert!(exists(&path), "{}", path.display());
    path
}

/// What `./test` has brought here of programs that the system does not have.
pub(crate) fn peer(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("target/peers").join(name);
    assert!(exists(&path), "{} is missing: `./test` brings it", path.display());
    path
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn wait(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("a process did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Added to the ports, which then lie between 9,000 and 32,000: below those that the kernel gives to
/// connections. Tests that run at the same time are processes with other numbers, and no two
/// offsets give one port to two listeners: no two of [`PORTS`], nor of the ports behind them, differ
/// by a multiple of the step.
fn first_offset() -> u16 {
    static DRAWN: AtomicU16 = AtomicU16::new(0);
    let (step, count) = (26, 846);
    let drawn = u32::from(DRAWN.fetch_add(1, Ordering::Relaxed));
    let index = std::process::id().wrapping_add(drawn * 101) % count;
    8_000 + u16::try_from(step * index).unwrap()
}
