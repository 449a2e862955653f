//! What is kept of a password: an argon2id hash to check against, and SCRAM keys for clients that
//! prove themselves without sending it. Never the password.

use std::num::NonZeroU32;

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use pillarbox_core::Random;
use pillarbox_core::sasl::{Hash, ScramKeys, Secret};

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// RFC 7677 §4 asks for at least 4096.
const SCRAM_ITERATIONS: NonZeroU32 = match NonZeroU32::new(4_096) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};
const SALT_BYTES: usize = 16;

/// All that is stored of one password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The argon2id hash with its parameters, in the PHC text form.
    pub argon2id: String,
    /// For SCRAM-SHA-256 and SCRAM-SHA-1.
    pub scram: Vec<ScramKeys>,
}

/// Derives what is stored of a password. Takes tens of milliseconds, on purpose.
///
/// # Errors
/// Where argon2 cannot have its memory.
pub fn derive(password: &Secret, random: &mut dyn Random) -> Result<Derived, password_hash::Error> {
    let mut salt = || {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        salt
    };
    let argon2id =
        hasher()?.hash_password_with_salt(password.reveal().as_bytes(), &salt())?.to_string();
    let scram = [Hash::Sha256, Hash::Sha1]
        .map(|hash| ScramKeys::derive(hash, password.reveal(), &salt(), SCRAM_ITERATIONS));
    Ok(Derived { argon2id, scram: scram.to_vec() })
}

/// Whether the password is the one whose hash this is. `None` stands for an account that does not
/// exist: it costs the same time, so that an answer's delay does not tell which addresses exist.
#[must_use]
pub fn verify(password: &Secret, argon2id: Option<&str>) -> bool {
    let Ok(hasher) = hasher() else { return false };
    let password = password.reveal().as_bytes();
    match argon2id {
        Some(stored) => hasher.verify_password(password, stored).is_ok(),
        None => {
            let mut waste = [0; 32];
            let _same_time = hasher.hash_password_into(password, &[0; SALT_BYTES], &mut waste);
            false
        }
    }
}

fn hasher() -> Result<Argon2<'static>, password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Random for Ones {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    #[test]
    fn only_the_password_itself_is_right() {
        let derived = derive(&Secret::new("pillarbox".into()), &mut Ones).unwrap();
        assert!(derived.argon2id.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&Secret::new("pillarbox".into()), Some(&derived.argon2id)));
        assert!(!verify(&Secret::new("Pillarbox".into()), Some(&derived.argon2id)));
        assert!(!verify(&Secret::new("pillarbox".into()), Some("rubbish")));
        assert!(!verify(&Secret::new("pillarbox".into()), None));
        assert_eq!(derived.scram.len(), 2);
    }
}
