//! `[tls]`: where the certificates lie.

use std::path::{Path, PathBuf};

use super::reader::Reader;

/// The server's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The host's own.
    pub own: TlsFiles,
    /// Those for other names, or for the same with a key of another kind.
    pub further: Vec<TlsFiles>,
    /// Whether a client that asks for a name of no certificate gets the host's own on every
    /// listener, and not only from other servers.
    pub any_server_name: bool,
}

impl Tls {
    /// All files, the host's own first.
    pub fn files(&self) -> impl Iterator<Item = &TlsFiles> {
        std::iter::once(&self.own).chain(&self.further)
    }
}

/// Where a certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

pub(super) fn read(table: &mut Reader<'_, '_>, folder: &Path) -> Option<Tls> {
    let own = read_files(table, folder);
    let further = table.tables("further", |table| read_files(table, folder));
    let further = further.into_iter().flatten().collect();
    let any_server_name = table.boolean("any_server_name").unwrap_or(false);
    Some(Tls { own: own?, further, any_server_name })
}

fn read_files(table: &mut Reader<'_, '_>, folder: &Path) -> Option<TlsFiles> {
    let mut path = |key| {
        let path = folder.join(table.required_string(key)?);
        if let Err(error) = std::fs::File::open(&path) {
            table.flaw_at(key, format!("{} cannot be read: {error}", path.display()));
        }
        Some(path)
    };
    let (certificate, key) = (path("certificate"), path("key"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}
