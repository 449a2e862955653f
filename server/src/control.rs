//! `DIR/control.sock`: how commands reach the server that holds the store.
//!
//! One request a connection: a line in, a text out. Only the owner of the folder can connect.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NAME: &str = "control.sock";
const REQUEST_MAX: u64 = 4_096;
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers a request line; `None` for one it does not know.
pub type Answer = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

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
    pub fn open(dir: &Path, answer: Answer) -> io::Result<Self> {
        let path = dir.join(NAME);
        // The lock says that no other server lives: what is there was left by one that died.
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        thread::Builder::new().name("control".into()).stack_size(128 << 10).spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = serve(&stream, &answer) {
                    log::debug!(error:% = error; "control request failed");
                }
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

fn serve(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = String::new();
    BufReader::new(stream.take(REQUEST_MAX)).read_line(&mut request)?;
    match answer(request.trim_end()) {
        Some(text) => write!(stream, "ok\n{text}"),
        None => writeln!(stream, "unknown request"),
    }
}

/// Sends a request to the server that uses this folder.
///
/// # Errors
/// One line: no server runs there, or it does not know the request.
pub fn ask(dir: &Path, request: &str) -> Result<String, String> {
    let path = dir.join(NAME);
    let exchange = || {
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{request}")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    };
    let text = exchange().map_err(|error| {
        format!(
            "no server answers at {}: {error}; is one running with this folder?",
            path.display()
        )
    })?;
    match text.split_once('\n') {
        Some(("ok", answer)) => Ok(answer.to_owned()),
        _ => Err(format!("the server does not know the request `{request}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_and_an_unknown_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(ask(dir.path(), "metrics").unwrap_err().contains("no server answers"));
        let answer: Answer =
            Arc::new(|request| (request == "metrics").then(|| "a 1\nb 2\n".to_owned()));
        let control = Control::open(dir.path(), answer).unwrap();
        assert_eq!(ask(dir.path(), "metrics").unwrap(), "a 1\nb 2\n");
        assert!(ask(dir.path(), "what").unwrap_err().contains("`what`"));
        drop(control);
        assert!(!dir.path().join(NAME).exists());
    }
}
