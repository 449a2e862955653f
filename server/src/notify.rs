//! What the service manager is told (`Type=notify`, sd_notify(3)). Without a manager that listens,
//! that is without `NOTIFY_SOCKET`, all of it does nothing.
//!
//! A manager that does not read its socket makes these calls wait: they have no place on a thread
//! that drives connections.

use std::ffi::OsString;
use std::time::Duration;

use sd_notify::NotifyState;

/// Whether a manager listens.
#[must_use]
pub fn is_wanted() -> bool {
    socket().is_some()
}

/// Where it listens: a path, or a name that begins with `@`.
pub(crate) fn socket() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// How long the manager waits for a sign of life before it takes the server for dead
/// (`WatchdogSec=`); `None`: it asks for none.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
}

/// The server serves: at its start, or again after [`reloading`].
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// Files are read again. [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
        Err(error) => log::warn!(why:% = error; "the clock cannot be read: no reload is told"),
    }
}

/// What is begun may end within `grace`, nothing new begins.
pub fn stopping(grace: Duration) {
    let most = u32::try_from((grace + STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping: transactions may end"),
        NotifyState::ExtendTimeoutUsec(most),
        // No further sign of life comes.
        NotifyState::Watchdog,
    ]);
}

/// A sign of life for the watchdog, with a line that `systemctl status` shows.
pub fn alive(status: &str) {
    tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if is_wanted()
        && let Err(error) = sd_notify::notify(states)
    {
        log::warn!(why:% = error; "the service manager cannot be told");
    }
}

/// For jobs that are queued when the grace is over: they are carried out.
const STOP_MARGIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    /// The environment belongs to a process, so the one that tells is another.
    #[test]
    fn a_reload_is_told_from_its_beginning_to_its_end() {
        if std::env::var_os("TELLING").is_some() {
            reloading();
            ready();
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let test = "notify::tests::a_reload_is_told_from_its_beginning_to_its_end";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact"]).env("TELLING", "1").env("NOTIFY_SOCKET", &path);
        assert!(command.output().unwrap().status.success());
        let hear = || {
            let mut bytes = [0; 4096];
            let count = manager.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..count].to_vec()).unwrap()
        };
        let first = hear();
        let lines: Vec<_> = first.lines().collect();
        assert_eq!(lines[0], "RELOADING=1");
        let clock: u64 = lines[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(clock > 0);
        assert_eq!(hear(), "READY=1\nSTATUS=serving\n");
    }
}
