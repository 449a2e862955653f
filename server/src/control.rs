//! `DIR/control.sock`: how commands reach the server that holds the store.
//!
//! One request a connection, see [`wire`]. Only the owner of the folder can connect. What a
//! request asks of the store is done by the [`clerk`], a machine among the others; where no server
//! runs, the command opens the store (`reach`) and does the same.

pub mod clerk;
pub(crate) mod payload;
pub(crate) mod reach;
pub mod wire;

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clerk::{Asked, Inlet};
use payload::{Cargo, Frames, Sink, Taking};
use pillarbox_store::Store;
use wire::mail::MailRequest;
use wire::{Answer, Reply, Request};

/// What answers requests.
#[derive(Clone)]
pub struct Office {
    /// The counters as text: answered at once, whatever else is under way.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whose bodies are held during a backup.
    pub store: Arc<Store>,
    /// For all else.
    pub inlet: Arc<Inlet>,
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Office")
    }
}

/// The open socket; closed and removed when dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// Opens the socket in the folder of a store whose lock this process holds.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn open(dir: &Path, office: Office) -> io::Result<Self> {
        let path = dir.join(NAME);
        // The lock says that no other server lives: what is there was left by one that died.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        thread::Builder::new().name("control".into()).stack_size(STACK_BYTES).spawn(move || {
            let present = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming().flatten() {
                receive(stream, &office, &present);
            }
        })?;
        Ok(Self { path })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _already_gone = fs::remove_file(&self.path);
    }
}

/// A thread for each command, since some take long; there are never many.
fn receive(stream: UnixStream, office: &Office, present: &Arc<AtomicUsize>) {
    let place = Place::take(present);
    if place.number > AT_ONCE_MAX {
        let _gone = say(&stream, &Reply::Error("too many commands at once: try again".into()));
        return;
    }
    let office = office.clone();
    let thread = thread::Builder::new().name("command".into()).stack_size(STACK_BYTES);
    let spawned = thread.spawn(move || {
        if let Err(error) = serve(&stream, &office) {
            log::debug!(error:% = error; "control request failed");
        }
        drop(place);
    });
    if let Err(error) = spawned {
        log::warn!(why:% = error; "no thread for a command");
    }
}

/// One of the commands under way.
struct Place {
    present: Arc<AtomicUsize>,
    number: usize,
}

impl Place {
    fn take(present: &Arc<AtomicUsize>) -> Self {
        let number = present.fetch_add(1, Ordering::Relaxed) + 1;
        Self { present: Arc::clone(present), number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(stream: &UnixStream, office: &Office) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    (&mut reader).take(REQUEST_MAX).read_line(&mut line)?;
    if line.is_empty() {
        // Only to see whether somebody is there.
        return Ok(());
    }
    if !line.ends_with('\n') {
        let text = format!(
            "the request is longer than {REQUEST_MAX} bytes, which is too much for a running \
             server: stop it first, or do it in parts"
        );
        return say(stream, &Reply::Error(text));
    }
    let request = match wire::parse_request(line.trim_end()) {
        Ok(Request::Metrics) => {
            return say(stream, &Reply::Ok(Answer::Text((office.metrics)())));
        }
        Ok(Request::HoldBodies) => return hold_bodies(stream, &office.store),
        Ok(request) => request,
        Err(error) => return say(stream, &Reply::Error(error)),
    };
    let cargo = match receive_cargo(&request, &office.store, stream, &mut reader) {
        Ok(cargo) => cargo,
        Err(error) => {
            return say(stream, &Reply::Error(format!("the messages cannot be kept: {error}")));
        }
    };
    let (replies, heard) = mpsc::channel();
    office.inlet.lay(Asked { request, cargo, replies });
    for reply in heard {
        say(stream, &reply)?;
        if !matches!(reply, Reply::Progress { .. }) {
            return Ok(());
        }
    }
    say(stream, &Reply::Error("the server is stopping: try again once it has".into()))
}

/// What comes behind a request.
fn receive_cargo(
    request: &Request,
    store: &Store,
    stream: &UnixStream,
    from: &mut dyn Read,
) -> io::Result<Cargo> {
    let Request::Mail(MailRequest::Import { messages, .. }) = request else {
        return Ok(Ok(Vec::new()));
    };
    // It may be read from a slow disk.
    stream.set_read_timeout(Some(LONGEST_STEP))?;
    let mut taking = Taking::new(store.bodies());
    taking.receive(messages.len(), from)?;
    Ok(taking.finish())
}

/// Until the command goes away, however it does.
fn hold_bodies(mut stream: &UnixStream, store: &Store) -> io::Result<()> {
    let _held = store.hold_bodies();
    say(stream, &Reply::Ok(Answer::Done))?;
    log::info!("a backup or export begins");
    stream.set_read_timeout(None)?;
    while stream.read(&mut [0; 64])? > 0 {}
    log::info!("a backup or export has ended");
    Ok(())
}

fn say(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = wire::reply_line(reply);
    line.push('\n');
    stream.write_all(line.as_bytes())
}

/// Sends a request to the server that uses this folder. Nobody may be there.
pub(crate) fn connect(dir: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(dir.join(NAME))?;
    stream.set_read_timeout(Some(LONGEST_STEP))?;
    stream.set_write_timeout(Some(LONGEST_STEP))?;
    Ok(stream)
}

/// One request over a fresh connection; what is left of a removal is told on the way.
///
/// # Errors
/// One line for the user.
pub(crate) fn exchange(
    stream: &UnixStream,
    request: Request,
    progress: &mut dyn FnMut(u64),
) -> Result<Answer, String> {
    exchange_with(stream, request, &mut |_| Ok(Ok(())), progress)
}

/// Writes what goes behind a request. The outer error is the sink's, the inner one's own: a line for
/// the user.
pub(crate) type Fill<'a> = dyn FnMut(&mut dyn Sink) -> io::Result<Result<(), String>> + 'a;

/// One request with what comes behind it.
///
/// # Errors
/// One line for the user.
pub(crate) fn exchange_with(
    stream: &UnixStream,
    request: Request,
    fill: &mut Fill<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Answer, String> {
    let lost = |error: io::Error| format!("the server did not answer: {error}");
    let mut line = wire::request_line(request)?;
    line.push('\n');
    let mut own = Ok(());
    let mut send = || {
        let mut out = BufWriter::new(stream);
        out.write_all(line.as_bytes())?;
        let mut frames = Frames(out);
        own = fill(&mut frames)?;
        frames.0.flush()
    };
    // A server that refuses early may close before it has read everything: its answer counts.
    let sent = send();
    own?;
    let mut answers = BufReader::new(stream);
    loop {
        line.clear();
        let count = (&mut answers).take(ANSWER_MAX).read_line(&mut line).map_err(lost)?;
        if count == 0 {
            sent.map_err(lost)?;
            return Err("the server ended before it had answered: look with `list` what was \
                        done, and try again"
                .into());
        }
        match wire::parse_reply(line.trim_end())? {
            Reply::Ok(answer) => return Ok(answer),
            Reply::Error(text) => return Err(text),
            Reply::Progress { messages_left } => progress(messages_left),
        }
    }
}

/// The counters of the server that uses this folder.
///
/// # Errors
/// One line: no server runs there, or it cannot answer.
pub fn metrics(dir: &Path) -> Result<String, String> {
    let stream = connect(dir).map_err(|error| {
        format!(
            "no server answers at {}: {error}; is one running with this folder?",
            dir.join(NAME).display()
        )
    })?;
    match exchange(&stream, Request::Metrics, &mut |_| {})? {
        Answer::Text(text) => Ok(text),
        _ => Err("the server gave another answer than metrics: restart it".into()),
    }
}

const NAME: &str = "control.sock";
/// Bytes of one request: an import of some ten thousand accounts.
const REQUEST_MAX: u64 = 8 << 20;
/// Bytes of one line of an answer: a page of accounts with many addresses.
const ANSWER_MAX: u64 = 64 << 20;
/// Commands under way.
const AT_ONCE_MAX: usize = 8;
/// How long the server waits for a command to say or to take something.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command waits for the server's next line: a large import on a slow disk.
const LONGEST_STEP: Duration = Duration::from_secs(120);
/// Unoptimized code uses several times the stack.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };

#[cfg(test)]
mod tests {
    use pillarbox_store::{Options, Sync};

    use super::*;

    fn office(dir: &Path) -> Office {
        let metrics = Arc::new(|| "a 1\nb 2\n".to_owned());
        let options = Options { sync: Sync::Off, wal_size: 0, ..Options::default() };
        let store = Arc::new(Store::open(dir, &options).unwrap());
        Office { metrics, store, inlet: Arc::default() }
    }

    fn ask(dir: &Path, request: Request) -> Result<Answer, String> {
        exchange(&connect(dir).unwrap(), request, &mut |_| {})
    }

    #[test]
    fn metrics_are_answered_while_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        assert!(metrics(dir.path()).unwrap_err().contains("no server answers"));
        let control = Control::open(dir.path(), office(dir.path())).unwrap();
        assert_eq!(metrics(dir.path()).unwrap(), "a 1\nb 2\n");
        let mode = fs::metadata(dir.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(control);
        assert!(!dir.path().join(NAME).exists());
    }

    #[test]
    fn progress_comes_before_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let office = office(dir.path());
        let inlet = Arc::clone(&office.inlet);
        let _control = Control::open(dir.path(), office).unwrap();
        let clerk = thread::spawn(move || {
            let asked = inlet.wait().unwrap();
            for messages_left in [2, 1] {
                asked.replies.send(Reply::Progress { messages_left }).unwrap();
            }
            asked.replies.send(Reply::Ok(Answer::Done)).unwrap();
            // The next one is dropped unanswered.
            drop(inlet.wait());
            inlet.close();
        });
        let mut heard = Vec::new();
        let request = || Request::RemoveAccount { login: "alice".into() };
        let answer = exchange(&connect(dir.path()).unwrap(), request(), &mut |n| heard.push(n));
        assert_eq!(answer, Ok(Answer::Done));
        assert_eq!(heard, [2, 1]);
        assert!(ask(dir.path(), request()).unwrap_err().contains("stopping"));
        clerk.join().unwrap();
        assert!(ask(dir.path(), request()).unwrap_err().contains("stopping"));
    }

    #[test]
    fn too_long_and_too_many_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _control = Control::open(dir.path(), office(dir.path())).unwrap();
        let login = "x".repeat(usize::try_from(REQUEST_MAX).unwrap());
        let said = ask(dir.path(), Request::Account { login }).unwrap_err();
        assert!(said.contains("longer than"), "{said}");

        let waiting: Vec<_> = (0..AT_ONCE_MAX).map(|_| connect(dir.path()).unwrap()).collect();
        let said = ask(dir.path(), Request::Metrics).unwrap_err();
        assert!(said.contains("too many") || said.contains("did not answer"), "{said}");
        drop(waiting);
    }
}
