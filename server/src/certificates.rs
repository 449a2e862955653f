//! The certificates of `localserve`: a CA of its own and a certificate for localhost.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Makes `ca.pem`, `cert.pem` and `key.pem` in `folder`, unless all three are there.
///
/// The CA's own key is thrown away: nobody can sign another certificate with it.
///
/// # Errors
/// Where the folder cannot be written.
pub fn ensure(folder: &Path) -> io::Result<()> {
    let names = ["ca.pem", "cert.pem", "key.pem"];
    if names.iter().all(|name| folder.join(name).exists()) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let [ca, certificate, key] = make().map_err(io::Error::other)?;
    for (name, text) in names.into_iter().zip([ca, certificate, key]) {
        write(&folder.join(name), &text)?;
    }
    Ok(())
}

fn make() -> Result<[String; 3], rcgen::Error> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Pillarbox localserve CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.not_before = rcgen::date_time_ymd(2026, 1, 1);
    ca.not_after = rcgen::date_time_ymd(2046, 1, 1);
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?;

    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.not_before = ca.not_before;
    leaf.not_after = ca.not_after;
    let leaf_key = KeyPair::generate()?;
    let leaf_certificate = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key))?;
    Ok([ca_certificate.pem(), leaf_certificate.pem(), leaf_key.serialize_pem()])
}

/// Readable by the owner alone: one of them is a private key.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mode = if path.ends_with("key.pem") { 0o600 } else { 0o644 };
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}
