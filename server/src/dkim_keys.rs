//! New private keys for signing.

use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{DkimChange, DkimKey, Found, Read, Store, Write, Writer};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rsa::PrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;

use crate::accounts::dkim::row;
use crate::control::wire::dkim::DkimRow;
use crate::job;

/// A kind of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyKind {
    /// RSA with 2,048 bits: everybody can check it.
    Rsa,
    /// Ed25519: small and quick, and not everybody can check it yet (RFC 8463).
    Ed25519,
}

impl KeyKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// What selectors of such keys end with.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Rsa => 'r',
            Self::Ed25519 => 'e',
        }
    }

    /// A new private key in PKCS#8, in DER. One of RSA takes a part of a second.
    ///
    /// # Errors
    /// Where none can be made.
    pub fn make(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Ed25519 => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map(|key| key.as_ref().to_vec())
                .map_err(|_| "no Ed25519 key can be made".to_owned()),
            // The one thing that this crate is used for: it never sees a message.
            Self::Rsa => PrivateKey::new(&mut Chance::default(), BITS)
                .map_err(|error| error.to_string())
                .and_then(|key| key.to_pkcs8_der().map_err(|error| error.to_string()))
                .map(|key| key.as_bytes().to_vec()),
        }
    }
}

/// The keys of a domain; where it has none, it gets one of each kind, which sign.
///
/// # Errors
/// The store's reason, or where no key can be made.
pub(crate) fn ensure(
    store: &Store,
    writer: &mut Writer,
    domain: &str,
    now: UnixSeconds,
) -> Result<Vec<DkimRow>, String> {
    let keys = || -> Result<Vec<DkimKey>, String> {
        let read = Read::DkimKeys { domain: domain.into() };
        match store.reader().and_then(|mut reader| reader.read(read)) {
            Ok(Found::DkimKeys(keys)) => Ok(keys),
            Ok(_) => Err(job::astray("dkim keys").to_string()),
            Err(error) => Err(error.to_string()),
        }
    };
    let mut found = keys()?;
    if found.is_empty() {
        for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
            let selector = kind.name().to_owned();
            let (domain, pkcs8) = (domain.to_owned(), kind.make()?);
            let key = DkimKey {
                domain: domain.clone(),
                selector: selector.clone(),
                pkcs8,
                since: now,
                signs: true,
            };
            let change = DkimChange::Add(key);
            let write = Write::ChangeDkimKey { domain, selector, change };
            for written in writer.commit(vec![write]) {
                written.map_err(|error| error.to_string())?;
            }
        }
        found = keys()?;
    }
    Ok(found.iter().map(row).collect())
}

/// RFC 8301 §3.2.
const BITS: usize = 2_048;

/// The system's random bytes, as the other crate wants them.
#[derive(Default)]
struct Chance(crate::context::SystemRandom);

impl rsa::rand_core::TryRng for Chance {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl rsa::rand_core::TryCryptoRng for Chance {}

#[cfg(test)]
mod tests {
    use pillarbox_core::dkim::{Algorithm, SigningKey};

    use super::*;

    #[test]
    fn keys_can_sign() {
        for (kind, algorithm) in
            [(KeyKind::Rsa, Algorithm::RsaSha256), (KeyKind::Ed25519, Algorithm::Ed25519Sha256)]
        {
            let key = kind.make().unwrap();
            assert_ne!(key, kind.make().unwrap());
            assert_eq!(SigningKey::from_pkcs8(&key).unwrap().algorithm(), algorithm);
        }
    }
}
