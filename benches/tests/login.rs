//! What a login costs: shaking hands, LOGIN and LOGOUT, beside what rustls and the check of the
//! password cost alone. `./test --long` runs it, with the program as released.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pillarbox::context::SystemRandom;
use pillarbox::localserve::PASSWORD;
use pillarbox::secrets;
use pillarbox_benches::client::{Imap, Trust};
use pillarbox_benches::tree::Tree;
use pillarbox_core::sasl::Secret;
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

const TIMES: u32 = 100;
/// The most that a login may cost, in hundredths of its parts.
const PERCENT_MAX: u32 = 150;

/// What this thread has computed.
fn own_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A server that checks each password anew, and where it listens.
fn server(dir: &Path, runtime: &str) -> (Running, SocketAddr) {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/pillarbox");
    let offset = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut made = Command::new(&program)
        .args(["localserve", "--runtime", runtime, "--port-offset", &offset.to_string(), "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("first: cargo build --release -p pillarbox");
    let said = BufReader::new(made.stdout.take().unwrap());
    assert!(said.lines().map_while(Result::ok).any(|line| line == "ready"), "not ready");
    drop(Running(made));
    let text = fs::read_to_string(dir.join("pillarbox.toml")).unwrap();
    let file = dir.join("own.toml");
    fs::write(&file, format!("{text}\n[login]\nremembered_seconds = 0\n")).unwrap();
    let mut child = Command::new(&program)
        .args(["serve", "--config"])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.by_ref().map_while(Result::ok).any(|line| line.contains(" ready ")), "not ready");
    std::thread::spawn(move || said.for_each(drop));
    (Running(child), SocketAddr::from(([127, 0, 0, 1], 1_993 + offset)))
}

/// What rustls computes for one handshake as the server.
fn handshake_alone(tls: &Path) -> Duration {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(tls.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(tls.join("key.pem")).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(tls.join("ca.pem")).unwrap()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = rustls::client::Resumption::disabled();
    let (server, client) = (Arc::new(server), Arc::new(client));
    let mut cpu = Duration::ZERO;
    for _ in 0..TIMES {
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::clone(&client), name).unwrap();
        let begun = own_cpu();
        let mut server = ServerConnection::new(Arc::clone(&server)).unwrap();
        cpu += own_cpu().saturating_sub(begun);
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut flight).unwrap();
            }
            let (mut flight, mut answer) = (&flight[..], Vec::new());
            let begun = own_cpu();
            while !flight.is_empty() {
                server.read_tls(&mut flight).unwrap();
                server.process_new_packets().unwrap();
            }
            while server.wants_write() {
                server.write_tls(&mut answer).unwrap();
            }
            cpu += own_cpu().saturating_sub(begun);
            let mut answer = &answer[..];
            while !answer.is_empty() {
                client.read_tls(&mut answer).unwrap();
                client.process_new_packets().unwrap();
            }
        }
    }
    cpu / TIMES
}

/// What the check of a password computes.
fn check_alone() -> Duration {
    let password = Secret::new(PASSWORD.into());
    let stored = secrets::derive(&password, &mut SystemRandom::default()).unwrap().argon2id;
    let begun = own_cpu();
    for _ in 0..TIMES {
        assert!(secrets::verify(&password, Some(&stored)));
    }
    own_cpu().saturating_sub(begun) / TIMES
}

#[test]
#[ignore = "for ./test --long"]
fn a_login_costs_little_more_than_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (running, imaps) = server(dir.path(), "smol");
    let tls = dir.path().join("tls");
    let trust = Trust::in_ca(&tls.join("ca.pem")).unwrap();
    let tree = Tree::new(vec![running.0.id()]);
    let visit = || {
        let mut imap = Imap::connect(imaps, Some(&trust)).unwrap();
        imap.command(&format!("LOGIN user@localhost {PASSWORD}")).unwrap();
        imap.command("LOGOUT").unwrap();
    };
    visit();
    tree.settle();
    let before = tree.cpu();
    (0..TIMES).for_each(|_| visit());
    let login = tree.cpu_when_idle().saturating_sub(before) / TIMES;
    let (handshake, check) = (handshake_alone(&tls), check_alone());
    println!("login {login:.2?}; handshake alone {handshake:.2?}, check alone {check:.2?}");
    let limit = (handshake + check) * PERCENT_MAX / 100;
    assert!(login <= limit, "{login:?} is more than {limit:?}");
}
