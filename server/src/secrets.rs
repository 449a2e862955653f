//! What is kept of a password: an argon2id hash to check against, and SCRAM keys for clients that
//! prove themselves without sending it. Never the password.

use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_core::Random;
use pillarbox_core::sasl::{Hash, ScramKeys, Secret};
use pillarbox_store as store;

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

/// The rules for a new password.
///
/// # Errors
/// What is wrong with it and what to do.
pub fn check_new(password: &str) -> Result<(), String> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(format!(
            "the password has fewer than {PASSWORD_CHARS_MIN} characters: such are found by trying"
        ));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!(
            "the password has more than {PASSWORD_BYTES_MAX} bytes: not every mail program can \
             send that"
        ));
    }
    // RFC 4616 §2 has no NUL in a password, and IMAP's quoted strings have no line ends.
    if password.contains(|char: char| char.is_control()) {
        return Err("the password holds a control character, which cannot be typed everywhere: \
                    choose another one"
            .into());
    }
    Ok(())
}

/// NIST SP 800-63B asks for at least eight: with argon2id behind and one try a connection in
/// front, shorter ones are the ones that are guessed.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// RFC 4616 §2: more need not be taken by anyone.
pub const PASSWORD_BYTES_MAX: usize = 255;

impl Derived {
    /// As the store keeps them.
    #[must_use]
    pub fn into_stored(self) -> Vec<store::Secret> {
        let scram = self.scram.into_iter().map(|keys| {
            let ScramKeys { hash, salt, iterations, stored_key, server_key } = keys;
            let keys = store::ScramKeys { salt, iterations, stored_key, server_key };
            match hash {
                Hash::Sha256 => store::Secret::ScramSha256(keys),
                Hash::Sha1 => store::Secret::ScramSha1(keys),
            }
        });
        std::iter::once(store::Secret::Argon2id(self.argon2id)).chain(scram).collect()
    }
}

/// A stored secret as one line of text: the PHC form for argon2id; for SCRAM
/// `MECHANISM$ITERATIONS:SALT$STOREDKEY:SERVERKEY` (RFC 5803 §2). PostgreSQL keeps the same.
#[must_use]
pub fn to_text(secret: &store::Secret) -> String {
    let scram = |name: &str, keys: &store::ScramKeys| {
        format!(
            "{name}${}:{}${}:{}",
            keys.iterations,
            BASE64.encode(&keys.salt),
            BASE64.encode(&keys.stored_key),
            BASE64.encode(&keys.server_key)
        )
    };
    match secret {
        store::Secret::Argon2id(phc) => phc.clone(),
        store::Secret::ScramSha256(keys) => scram(SCRAM_SHA_256, keys),
        store::Secret::ScramSha1(keys) => scram(SCRAM_SHA_1, keys),
    }
}

/// Reads what [`to_text`] writes; `None` where it is something else.
#[must_use]
pub fn from_text(text: &str) -> Option<store::Secret> {
    if text.starts_with("$argon2id$") {
        PasswordHash::new(text).ok()?;
        return Some(store::Secret::Argon2id(text.to_owned()));
    }
    let (mechanism, rest) = text.split_once('$')?;
    let (mixing, keys) = rest.split_once('$')?;
    let (iterations, salt) = mixing.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let iterations = iterations.parse().ok().filter(|count| *count > 0)?;
    let salt = BASE64.decode(salt).ok().filter(|salt| !salt.is_empty())?;
    let key = |text, bytes: usize| BASE64.decode(text).ok().filter(|key| key.len() == bytes);
    let keys = |bytes| {
        Some(store::ScramKeys {
            salt,
            iterations,
            stored_key: key(stored_key, bytes)?,
            server_key: key(server_key, bytes)?,
        })
    };
    match mechanism {
        SCRAM_SHA_256 => keys(32).map(store::Secret::ScramSha256),
        SCRAM_SHA_1 => keys(20).map(store::Secret::ScramSha1),
        _ => None,
    }
}

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const SCRAM_SHA_1: &str = "SCRAM-SHA-1";

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

    #[test]
    fn secrets_are_written_and_read_again() {
        let derived = derive(&Secret::new("pillarbox".into()), &mut Ones).unwrap();
        let stored = derived.into_stored();
        assert_eq!(stored.len(), 3);
        for secret in stored {
            let text = to_text(&secret);
            assert_eq!(from_text(&text), Some(secret), "{text}");
            assert_eq!(from_text(text.get(..text.len() - 9).unwrap()), None, "{text}");
        }
        // RFC 5803 §4's form, with SCRAM-SHA-1's key length.
        let scram =
            "SCRAM-SHA-1$4096:QQ==$AAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(to_text(&from_text(scram).unwrap()), scram);
        for wrong in [
            "",
            "pillarbox",
            "$argon2id$",
            "$argon2i$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AAAA",
            &scram.replace("4096", "0"),
            &scram.replace("4096", "-1"),
            &scram.replace("QQ==", ""),
            &scram.replace("QQ==", "Q"),
            &scram.replace("SHA-1", "SHA-256"),
            &scram.replace("SCRAM", "scram"),
        ] {
            assert_eq!(from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn passwords_have_rules() {
        for good in ["12345678", "correct horse", "äöüäöüäö", &"x".repeat(PASSWORD_BYTES_MAX)]
        {
            assert_eq!(check_new(good), Ok(()), "{good}");
        }
        for (wrong, word) in [
            ("1234567", "fewer than 8"),
            ("äöüäöüä", "fewer than 8"),
            (&"x".repeat(PASSWORD_BYTES_MAX + 1), "more than 255"),
            ("12345678\0", "control"),
            ("1234\r\n5678", "control"),
        ] {
            assert!(check_new(wrong).unwrap_err().contains(word), "{wrong:?}");
        }
    }
}
