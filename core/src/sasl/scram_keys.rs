//! The keys that a server keeps for SCRAM (RFC 5802 §3): enough to check a client and to prove
//! itself to it, not enough to log in elsewhere.

use std::fmt;
use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// What is stored of a password for one hash.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Of which hash.
    pub hash: Hash,
    /// The salt that was mixed in.
    pub salt: Vec<u8>,
    /// How often the password was hashed.
    pub iterations: u32,
    /// `H(HMAC(SaltedPassword, "Client Key"))`.
    pub stored_key: Vec<u8>,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: Vec<u8>,
}

impl ScramKeys {
    /// Derives the keys of a password (RFC 5802 §3). Slow by design: linear in `iterations`.
    #[must_use]
    pub fn derive(hash: Hash, password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let (stretch, mac, plain) = match hash {
            Hash::Sha1 => (
                pbkdf2::PBKDF2_HMAC_SHA1,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ),
            Hash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
        };
        let mut salted = vec![0; plain.output_len()];
        pbkdf2::derive(stretch, iterations, salt, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(mac, &salted);
        let client_key = hmac::sign(&key, b"Client Key");
        Self {
            hash,
            salt: salt.to_vec(),
            iterations: iterations.get(),
            stored_key: digest::digest(plain, client_key.as_ref()).as_ref().to_vec(),
            server_key: hmac::sign(&key, b"Server Key").as_ref().to_vec(),
        }
    }
}

impl fmt::Debug for ScramKeys {
    /// Tells the kind, never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScramKeys({:?}, {} iterations)", self.hash, self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// The exchanges printed in RFC 5802 §5 and RFC 7677 §3: the keys we store must accept the
    /// client's proof and give the server's signature that stand there.
    #[test]
    fn keys_fit_the_exchanges_of_the_rfcs() {
        for (hash, mac, salt, auth_message, signature) in [
            (
                Hash::Sha1,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                "QSXCR+Q6sek8bf92",
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                 s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                hmac::HMAC_SHA256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
                 r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ] {
            let iterations = NonZeroU32::new(4096).unwrap();
            let salt = STANDARD.decode(salt).unwrap();
            let keys = ScramKeys::derive(hash, "pencil", &salt, iterations);
            let proof = hmac::sign(&hmac::Key::new(mac, &keys.server_key), auth_message.as_bytes());
            assert_eq!(STANDARD.encode(proof), signature);
        }
    }
}
