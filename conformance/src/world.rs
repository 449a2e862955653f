//! The server of a transcript: the same store, names, ids and clock for every run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a world that cannot be made fails the test"
)]

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pillarbox::certificates;
use pillarbox::config::{Config, Listener, Protocol};
use pillarbox::context::{Context, SystemRandom};
use pillarbox::doors::{self, Entrance, Shown};
use pillarbox::job::{Answer, Job, Worker};
use pillarbox::localserve::PASSWORD;
use pillarbox::rates::Allowances;
use pillarbox::secrets;
use pillarbox::tls::{self, Offer};
use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::{Crew, Hands};
use pillarbox_core::sasl::Secret as Password;
use pillarbox_core::tls::Identity;
use pillarbox_store::{
    Additions, AliasSettings, Indexer, NewAccount, NewAddress, NewAlias, Options, Quota, Read,
    Secret, Store, Sync, Write,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tempfile::TempDir;

use crate::transcript::Transcript;

/// Tue, 24 Nov 2026 13:34:00 +0000, when every world begins.
pub const BEGINNING: UnixSeconds = UnixSeconds(1_795_527_240);

/// A folder with a certificate and a store that has its first accounts, to be copied: deriving
/// keys from passwords is slow on purpose.
pub struct Mold {
    dir: TempDir,
    config: Config,
    identities: Vec<Identity>,
    client: Arc<rustls::ClientConfig>,
}

/// A server's store and what its sessions share, in a folder of its own.
pub struct World {
    _dir: TempDir,
    store: Arc<Store>,
    context: Arc<Context>,
    config: Config,
    identities: Vec<Identity>,
}

impl Mold {
    /// Makes certificates and accounts, as `localserve` does.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates::ensure(&dir.path().join("tls")).unwrap();
        let config = Config::parse(&dir.path().join("pillarbox.toml"), CONFIG).unwrap();
        let store = open(&dir.path().join("store"));
        let mut writer = store.writer().unwrap();
        let derived =
            secrets::derive(&Password::new(PASSWORD.into()), &mut SystemRandom::default());
        let secrets = derived.unwrap().into_stored();
        for (additions, now) in [(special(&secrets), BEFORE), (common(&secrets), BEGINNING)] {
            writer.commit(vec![Write::Add { additions, now }]).remove(0).unwrap();
        }
        store.checkpoint().unwrap();
        let identities = tls::load(config.tls.as_ref().unwrap()).unwrap();
        let client = client(&dir.path().join("tls/ca.pem"));
        Self { dir, config, identities, client }
    }

    /// A fresh server.
    #[must_use]
    pub fn world(&self) -> World {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.dir.path().join("store"), dir.path());
        let random = || Box::new(SystemRandom::default()) as _;
        let store = Arc::new(open(dir.path()));
        let (allowances, secret) = (Allowances::default(), store.login_secret().unwrap());
        World {
            store,
            _dir: dir,
            context: Arc::new(
                Context::new("localhost".into(), 1, &allowances, secret, random)
                    .offering_cram_md5(true),
            ),
            config: self.config.clone(),
            identities: self.identities.clone(),
        }
    }

    /// The certificates of its worlds.
    #[must_use]
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// How a client trusts its worlds.
    #[must_use]
    pub fn client_config(&self) -> rustls::ClientConfig {
        (*self.client).clone()
    }

    /// What a client needs for TLS with any of its worlds.
    #[must_use]
    pub fn client(&self) -> rustls::ClientConnection {
        let name = "localhost".try_into().unwrap();
        rustls::ClientConnection::new(Arc::clone(&self.client), name).unwrap()
    }
}

impl Default for Mold {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The way in for one protocol.
    #[must_use]
    pub fn entrance(&self, protocol: Protocol) -> Entrance {
        self.entrance_at(self.listener(protocol))
    }

    /// The way in for one protocol, as a transcript wants it.
    #[must_use]
    pub fn entrance_for(&self, transcript: &Transcript, protocol: Protocol) -> Entrance {
        let listener = self.listener(protocol);
        let login_without_tls = listener.login_without_tls && !transcript.only_private;
        self.entrance_at(&Listener { login_without_tls, ..listener.clone() })
    }

    fn listener(&self, protocol: Protocol) -> &Listener {
        self.config.listeners.iter().find(|listener| listener.protocol == protocol).unwrap()
    }

    fn entrance_at(&self, listener: &Listener) -> Entrance {
        let rules = doors::rules(self.config.tls.as_ref().unwrap(), listener);
        let offer = Offer::new(&self.identities, rules, || BEGINNING).unwrap();
        Entrance::new(&self.context, &self.config, listener, Some(offer), &Shown::default())
            .unwrap()
    }

    /// Hands for each lane.
    #[must_use]
    pub fn crew(&self) -> Crew<Job> {
        let reader: Box<dyn Hands<Job>> = Box::new(Indexing {
            reader: Worker::Reader(Box::new(self.store.reader().unwrap())),
            indexer: self.store.indexer().unwrap(),
        });
        Crew {
            writer: Box::new(Worker::Writer(self.store.writer().unwrap(), None)),
            readers: vec![reader],
            workers: vec![Box::new(Worker::Checker)],
        }
    }

    /// The folder of large bodies.
    #[must_use]
    pub fn bodies(&self) -> &Path {
        self.store.bodies()
    }
}

impl fmt::Debug for Mold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mold")
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// A reader whose searches find the index of texts up to date, so that every transcript that
/// searches goes by it.
struct Indexing {
    reader: Worker,
    indexer: Indexer,
}

impl Hands<Job> for Indexing {
    fn carry_out(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answer>) {
        if jobs.iter().any(|job| matches!(job, Job::Read(Read::Candidates { .. }))) {
            while self.indexer.step().unwrap() > 0 {}
        }
        self.reader.carry_out(jobs, answers);
    }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &Options { sync: Sync::Off, ..Options::default() }).unwrap()
}

/// Accounts that are different: `small` may have 1,000 bytes of mail and is
/// not told of MOVE and SORT, `away` is out of use.
fn special(secrets: &[Secret]) -> Additions {
    Additions {
        accounts: vec![account("small", secrets), account("away", secrets)],
        quotas: vec![("small".into(), Quota::Bytes(1_000))],
        disabled: vec!["away".into()],
        hidden: [("small", "MOVE"), ("small", "SORT")]
            .map(|(account, name)| (account.into(), name.into()))
            .into(),
        ..Additions::default()
    }
}

/// What `localserve` has, and aliases: `team` is for both accounts, and `board` for them alone.
/// `friend` has two addresses at a domain with other letters, too.
fn common(secrets: &[Secret]) -> Additions {
    let address = |name: &str| NewAddress {
        localpart: name.into(),
        domain: "localhost".into(),
        account: name.into(),
    };
    let abroad = |localpart: &str| NewAddress {
        localpart: localpart.into(),
        domain: "b\u{fc}cher.example".into(),
        account: "friend".into(),
    };
    let alias = |name: &str, post_public, members: &[&str]| NewAlias {
        localpart: name.into(),
        domain: "localhost".into(),
        settings: AliasSettings { post_public, ..AliasSettings::default() },
        members: members.iter().map(|name| ((*name).into(), "localhost".into())).collect(),
    };
    Additions {
        domains: vec!["localhost".into(), "b\u{fc}cher.example".into()],
        cram_md5: vec!["localhost".into()],
        accounts: vec![account("user", secrets), account("friend", secrets)],
        addresses: ["user", "friend", "small", "away"]
            .map(address)
            .into_iter()
            .chain(["joerg", "j\u{f6}rg"].map(abroad))
            .collect(),
        aliases: vec![
            alias("team", true, &["user", "friend"]),
            alias("board", false, &["user", "friend"]),
            alias("some", true, &["small", "away"]),
            alias("nobodies", true, &[]),
        ],
        catch_alls: vec![("localhost".into(), "user".into())],
        ..Additions::default()
    }
}

fn account(name: &str, secrets: &[Secret]) -> NewAccount {
    NewAccount { name: name.into(), secrets: secrets.to_vec() }
}

/// When the accounts that are different were made, so that UIDVALIDITY of the others begins with
/// the present.
const BEFORE: UnixSeconds = UnixSeconds(BEGINNING.0 - 1_000);

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).unwrap();
        }
    }
}

/// Trusts nobody but the mold's own CA.
fn client(ca: &Path) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// As `localserve` writes it, but who submits does so as themselves, and mail from outside is not
/// checked: transcripts know its size; where it listens is for the runner to choose.
const CONFIG: &str = r#"
hostname = "localhost"
data = "store"
sync = "off"

[delivery]
separators = "+"
trouble = true

[queue]
enabled = false

[checks]
enabled = false

[tls]
certificate = "tls/cert.pem"
key = "tls/key.pem"

[[listener]]
protocol = "smtp"
address = "127.0.0.1:0"

[[listener]]
protocol = "lmtp"
address = "127.0.0.1:0"

[[listener]]
protocol = "submission"
address = "127.0.0.1:0"
login_without_tls = true

[[listener]]
protocol = "submissions"
address = "127.0.0.1:0"

[[listener]]
protocol = "imap"
address = "127.0.0.1:0"
login_without_tls = true

[[listener]]
protocol = "imaps"
address = "127.0.0.1:0"

[[listener]]
protocol = "http"
address = "127.0.0.1:0"
landing_page = true
"#;
