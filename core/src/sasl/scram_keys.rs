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
        Self::derive_with_client_key(hash, password, salt, iterations).0
    }

    /// The keys, and the client's own, with which it makes its proofs.
    pub(super) fn derive_with_client_key(
        hash: Hash,
        password: &str,
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> (Self, Vec<u8>) {
        let stretch = match hash {
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        };
        let mut salted = vec![0; hash.bytes()];
        pbkdf2::derive(stretch, iterations, salt, password.as_bytes(), &mut salted);
        let client_key = hash.sign(&salted, b"Client Key");
        let keys = Self {
            hash,
            salt: salt.to_vec(),
            iterations: iterations.get(),
            stored_key: hash.digest(&client_key),
            server_key: hash.sign(&salted, b"Server Key"),
        };
        (keys, client_key)
    }

    /// Keys for a name that has none, which no proof fits. The same name gets the same salt each
    /// time, so that asking twice does not tell who exists (RFC 5802 §9 leaves this to servers).
    /// `secret` is the server's own and must outlive its restarts; `salt_bytes` and `iterations`
    /// are those of real keys.
    #[must_use]
    pub fn decoy(
        hash: Hash,
        name: &str,
        secret: &[u8; 32],
        salt_bytes: usize,
        iterations: NonZeroU32,
    ) -> Self {
        let made = |what: &str| hash.sign(secret, format!("{what}\0{hash:?}\0{name}").as_bytes());
        let mut salt = made("salt");
        salt.truncate(salt_bytes);
        Self {
            hash,
            salt,
            iterations: iterations.get(),
            stored_key: made("stored key"),
            server_key: made("server key"),
        }
    }

    /// Whether a proof of this exchange was made by somebody who knows the password (RFC 5802 §3).
    pub(super) fn accept(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let client_signature = self.hash.sign(&self.stored_key, auth_message);
        let client_key = xor(proof, &client_signature);
        let fits = same(&self.hash.digest(&client_key), &self.stored_key);
        fits && proof.len() == client_signature.len()
    }

    /// `ServerSignature`, which shows the client that we know its keys.
    pub(super) fn sign(&self, auth_message: &[u8]) -> Vec<u8> {
        self.hash.sign(&self.server_key, auth_message)
    }
}

/// As long as the shorter one.
pub(super) fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// Compares in constant time: it is the tags of both that meet.
pub(super) fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, ours);
    hmac::verify(&key, theirs, hmac::sign(&key, ours).as_ref()).is_ok()
}

impl Hash {
    pub(super) fn sign(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }

    fn digest(self, message: &[u8]) -> Vec<u8> {
        digest::digest(self.algorithm(), message).as_ref().to_vec()
    }

    fn bytes(self) -> usize {
        self.algorithm().output_len()
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
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
