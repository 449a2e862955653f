//! The server's certificates: read from their files, and read again when those change.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use pillarbox_core::UnixSeconds;
use pillarbox_core::tls::{Acceptor, Identity, Rules, TlsError};

use crate::config::{Tls, TlsFiles};
use crate::notify;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long before its end a certificate is warned of, in seconds.
const WARN_BEFORE: i64 = 14 * 24 * 60 * 60;
const DAY: i64 = 24 * 60 * 60;

/// What the connections of one listener begin TLS with. All clones are one, and change together
/// when the certificates do; a connection keeps what it has begun with.
#[derive(Debug, Clone)]
pub struct Offer(Arc<RwLock<Acceptor>>);

impl Offer {
    /// For a listener with these rules.
    ///
    /// # Errors
    /// See [`Acceptor::new`].
    pub fn new(
        identities: &[Identity],
        rules: Rules,
        clock: fn() -> UnixSeconds,
    ) -> Result<Self, TlsError> {
        Acceptor::new(identities, rules, clock).map(|acceptor| Self(Arc::new(acceptor.into())))
    }

    /// What a connection that begins now takes.
    #[must_use]
    pub fn acceptor(&self) -> Acceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the certificates of a configuration, the host's own first.
///
/// # Errors
/// Which file is wrong, and what is wrong with it.
pub fn load(tls: &Tls) -> Result<Vec<Identity>, String> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let load = |TlsFiles { certificate, key }: &TlsFiles| {
        Identity::from_pem(&read(certificate)?, &read(key)?)
            .map_err(|error| format!("{}: {error}", certificate.display()))
    };
    tls.files().map(load).collect()
}

/// The certificates of a running server.
#[derive(Debug)]
pub struct Certificates {
    tls: Tls,
    identities: Vec<Identity>,
    stamps: Vec<Option<Stamp>>,
    offers: Vec<(Rules, Offer)>,
    clock: fn() -> UnixSeconds,
}

/// By what a file is known to have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Certificates {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// See [`load`].
    pub fn open(tls: &Tls, clock: fn() -> UnixSeconds) -> Result<Self, String> {
        let stamps = stamps(tls);
        let identities = load(tls)?;
        let certificates = Self { tls: tls.clone(), identities, stamps, offers: Vec::new(), clock };
        certificates.warn();
        Ok(certificates)
    }

    /// What a listener with these rules begins TLS with, now and after each change.
    ///
    /// # Errors
    /// See [`Acceptor::new`].
    pub fn offer(&mut self, rules: Rules) -> Result<Offer, TlsError> {
        let offer = Offer::new(&self.identities, rules.clone(), self.clock)?;
        self.offers.push((rules, offer.clone()));
        Ok(offer)
    }

    /// Whether a file has changed since it was last read.
    fn have_changed(&self) -> bool {
        stamps(&self.tls) != self.stamps
    }

    /// Reads the files again. Where that fails the old certificates stay: a server without any
    /// would be worse. Tickets of earlier sessions end with the certificates they were given for.
    fn reload(&mut self) {
        // Before the files: a change while they are read is seen the next time.
        self.stamps = stamps(&self.tls);
        match load(&self.tls).and_then(|identities| self.replace(identities)) {
            Ok(()) => {
                log::info!(names:? = self.identities; "certificates read");
                self.warn();
            }
            Err(why) => log::error!(why = why.as_str(); "the old certificates stay in use"),
        }
    }

    fn replace(&mut self, identities: Vec<Identity>) -> Result<(), String> {
        let acceptors: Vec<_> = self
            .offers
            .iter()
            .map(|(rules, _)| Acceptor::new(&identities, rules.clone(), self.clock))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        for ((_, offer), acceptor) in self.offers.iter().zip(acceptors) {
            *offer.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        }
        self.identities = identities;
        Ok(())
    }

    fn warn(&self) {
        let now = (self.clock)().0;
        for (identity, files) in self.identities.iter().zip(self.tls.files()) {
            let file = files.certificate.display();
            let left = identity.not_after().0 - now;
            if left < 0 {
                log::error!(file:% = file; "certificate has expired: no client will trust it");
            } else if left < WARN_BEFORE {
                log::warn!(file:% = file, days = left / DAY; "certificate expires soon");
            }
        }
    }

    /// Looks after the files on a thread of its own: at each call through `orders`, and every
    /// few seconds by itself.
    ///
    /// # Errors
    /// No thread is left.
    pub fn watch(mut self, orders: Receiver<()>) -> std::io::Result<()> {
        let look = move || {
            loop {
                match orders.recv_timeout(LOOK_EVERY) {
                    Ok(()) => {
                        notify::reloading();
                        self.reload();
                        notify::ready();
                    }
                    Err(RecvTimeoutError::Timeout) if self.have_changed() => self.reload(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = thread::Builder::new().name("certificates".into()).stack_size(256 << 10);
        thread.spawn(look).map(drop)
    }
}

fn stamps(tls: &Tls) -> Vec<Option<Stamp>> {
    // A file that is a link is what it leads to.
    let stamp = |path: &Path| fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata));
    tls.files().flat_map(|files| [stamp(&files.certificate), stamp(&files.key)]).collect()
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_795_527_240);

    struct Place {
        _dir: tempfile::TempDir,
        tls: Tls,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            crate::certificates::ensure(dir.path()).unwrap();
            let file = |name: &str| -> PathBuf { dir.path().join(name) };
            let own = TlsFiles { certificate: file("cert.pem"), key: file("key.pem") };
            let tls = Tls { own, further: Vec::new(), any_server_name: false };
            Self { _dir: dir, tls }
        }

        /// Puts a certificate for another name in the place of the first, and its key if told so.
        fn renew(&self, key: bool) {
            let new = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
            fs::write(&self.tls.own.certificate, new.cert.pem()).unwrap();
            if key {
                fs::write(&self.tls.own.key, new.signing_key.serialize_pem()).unwrap();
            }
        }
    }

    #[test]
    fn a_change_of_the_files_is_taken_up() {
        let place = Place::new();
        let mut certificates = Certificates::open(&place.tls, || NOW).unwrap();
        let offer = certificates.offer(Rules::default()).unwrap();
        assert_eq!(format!("{:?}", offer.acceptor()), "[Identity(localhost)]");
        assert!(!certificates.have_changed());
        place.renew(true);
        assert!(certificates.have_changed());
        certificates.reload();
        assert!(!certificates.have_changed());
        assert_eq!(format!("{:?}", offer.acceptor()), "[Identity(other.example)]");
    }

    #[test]
    fn half_a_change_changes_nothing() {
        let place = Place::new();
        let mut certificates = Certificates::open(&place.tls, || NOW).unwrap();
        let offer = certificates.offer(Rules::default()).unwrap();
        place.renew(false);
        assert!(certificates.have_changed());
        certificates.reload();
        assert_eq!(format!("{:?}", offer.acceptor()), "[Identity(localhost)]");
        assert!(load(&place.tls).unwrap_err().contains("cannot be used"));
        // Its second half is a change of its own.
        assert!(!certificates.have_changed());
        fs::remove_file(&place.tls.own.key).unwrap();
        assert!(certificates.have_changed());
        assert!(load(&place.tls).unwrap_err().contains("cannot read"));
    }
}
