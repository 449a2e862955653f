//! What is kept of a password: an argon2id hash to check against, and SCRAM keys for clients that
//! prove themselves without sending it. Never the password.

use std::borrow::Cow;
use std::num::NonZeroU32;

use argon2::password_hash::Error;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_core::Random;
use pillarbox_core::sasl::{BadPassword, CramKeys, Hash, ScramKeys, Secret, prepared};
use pillarbox_store as store;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// RFC 7677 §4 asks for at least 4096.
pub(crate) const SCRAM_ITERATIONS: NonZeroU32 = match NonZeroU32::new(4_096) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};
pub(crate) const SALT_BYTES: usize = 16;
/// glibc takes what is larger than 32 MiB from the system and gives it back when freed. Smaller
/// blocks it soon keeps in its heap, where each check of a password would leave a hole of 19 MiB.
/// What is asked for beyond argon2's need is never touched, so it is address space and no memory.
const GIVEN_BACK: usize = 33 << 20;

/// All that is stored of one password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The argon2id hash with its parameters, in the PHC text form.
    pub argon2id: String,
    /// For SCRAM-SHA-256 and SCRAM-SHA-1.
    pub scram: Vec<ScramKeys>,
    /// For CRAM-MD5; the store keeps it only where that is wanted.
    pub cram: CramKeys,
}

/// Derives what is stored of a password. Takes tens of milliseconds, on purpose.
///
/// # Errors
/// Where argon2 cannot have its memory.
pub fn derive(password: &Secret, random: &mut dyn Random) -> Result<Derived, Error> {
    let prepared = prepared(password.reveal()).unwrap_or_else(|_| Cow::Borrowed(password.reveal()));
    let mut salt = || {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        salt
    };
    let (params, salt_used) = (params()?, Salt::new(&salt())?);
    let argon2id = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params)?,
        hash: Some(hash(params, &prepared, &salt_used, Params::DEFAULT_OUTPUT_LEN)?),
        salt: Some(salt_used),
    }
    .to_string();
    let scram = [Hash::Sha256, Hash::Sha1]
        .map(|hash| ScramKeys::derive(hash, &prepared, &salt(), SCRAM_ITERATIONS));
    let cram = CramKeys::derive(&prepared);
    Ok(Derived { argon2id, scram: scram.to_vec(), cram })
}

/// Whether the password is the one whose hash this is. `None` stands for an account that does not
/// exist: it costs the same time, so that an answer's delay does not tell which addresses exist.
#[must_use]
pub fn verify(password: &Secret, argon2id: Option<&str>) -> bool {
    // One that cannot be prepared cannot have been set: it is wrong, and takes as long.
    let password =
        &*prepared(password.reveal()).unwrap_or_else(|_| Cow::Borrowed(password.reveal()));
    match argon2id {
        Some(stored) => verify_stored(password, stored).unwrap_or(false),
        None => {
            let same_time =
                || hash(params()?, password, &[0; SALT_BYTES], Params::DEFAULT_OUTPUT_LEN);
            let _waste = same_time();
            false
        }
    }
}

fn verify_stored(password: &str, stored: &str) -> Result<bool, Error> {
    let stored = PasswordHash::new(stored)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Ok(false) };
    if stored.algorithm != Algorithm::Argon2id.ident() || stored.version != Some(0x13) {
        return Ok(false);
    }
    // Outputs compare in constant time.
    Ok(hash(Params::try_from(&stored)?, password, salt, expected.len())? == *expected)
}

fn hash(params: Params, password: &str, salt: &[u8], length: usize) -> Result<Output, Error> {
    let count = params.block_count();
    let mut memory: Vec<Block> = Vec::new();
    memory
        .try_reserve_exact(count.max(GIVEN_BACK / Block::SIZE))
        .map_err(|_| Error::OutOfMemory)?;
    memory.resize(count, Block::new());
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length).ok_or(Error::OutputSize)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        output,
        memory,
    )?;
    Output::new(output).map_err(Error::from)
}

fn params() -> Result<Params, Error> {
    Ok(Params::new(MEMORY_KIB, PASSES, 1, None)?)
}

/// The rules for a new password. What cannot be brought to the form in which passwords are compared
/// (RFC 8265 §4.2) is refused here: nobody could log in with it everywhere.
///
/// # Errors
/// What is wrong with it and what to do.
pub fn check_new(password: &str) -> Result<(), String> {
    let password = match prepared(password) {
        Ok(password) => password,
        Err(BadPassword::Empty) => Cow::Borrowed(""),
        Err(why) => return Err(format!("{why}: choose another one")),
    };
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
        let CramKeys { inner, outer } = self.cram;
        let cram = store::Secret::CramMd5(store::CramKeys { inner, outer });
        std::iter::once(store::Secret::Argon2id(self.argon2id)).chain(scram).chain([cram]).collect()
    }
}

/// A stored secret as one line of text: the PHC form for argon2id; for SCRAM
/// `MECHANISM$ITERATIONS:SALT$STOREDKEY:SERVERKEY` (RFC 5803 §2), which PostgreSQL keeps the same;
/// `CRAM-MD5$INNER:OUTER`.
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
        store::Secret::CramMd5(keys) => {
            format!("{CRAM_MD5}${}:{}", BASE64.encode(keys.inner), BASE64.encode(keys.outer))
        }
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
    if mechanism == CRAM_MD5 {
        let (inner, outer) = rest.split_once(':')?;
        let state = |text| <[u8; 16]>::try_from(BASE64.decode(text).ok()?).ok();
        let keys = store::CramKeys { inner: state(inner)?, outer: state(outer)? };
        return Some(store::Secret::CramMd5(keys));
    }
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
const CRAM_MD5: &str = "CRAM-MD5";

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

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
    fn a_letter_is_one_however_it_is_composed() {
        let [one, two] =
            ["caf\u{e9} am See", "cafe\u{301} am\u{a0}See"].map(|text| Secret::new(text.into()));
        let derived = derive(&two, &mut Ones).unwrap();
        assert!(verify(&one, Some(&derived.argon2id)) && verify(&two, Some(&derived.argon2id)));
        assert_eq!(derived.scram, derive(&one, &mut Ones).unwrap().scram);
        assert_eq!(derived.cram, derive(&one, &mut Ones).unwrap().cram);
        assert!(!verify(&Secret::new("cafe am See".into()), Some(&derived.argon2id)));
        assert!(!verify(&Secret::new("caf\u{e9} am\0See".into()), Some(&derived.argon2id)));
    }

    #[test]
    fn hashes_are_those_of_argon2_itself() {
        let password = Secret::new("pillarbox".into());
        let ours = derive(&password, &mut Ones).unwrap().argon2id;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params().unwrap());
        argon2.verify_password(b"pillarbox", ours.as_str()).unwrap();
        let small = Params::new(64, 3, 2, Some(16)).unwrap();
        let theirs = Argon2::new(Algorithm::Argon2id, Version::V0x13, small)
            .hash_password_with_salt(b"pillarbox", &[7; 16])
            .unwrap()
            .to_string();
        assert!(verify(&password, Some(&theirs)));
        assert!(!verify(&password, Some(&theirs.replace("argon2id", "argon2i"))));
        assert!(!verify(&password, Some(&theirs.replace("v=19", "v=16"))));
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_memory_of_a_check_is_given_back() {
        let resident_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
        };
        let before = resident_kib();
        // What is kept between two checks would pin the heap above a hole.
        let kept: Vec<Vec<u8>> = (0..4)
            .map(|_| {
                assert!(!verify(&Secret::new("pillarbox".into()), None));
                vec![1; 4_096]
            })
            .collect();
        assert!(resident_kib() < before + MEMORY_KIB, "{before} {}", kept.len());
    }

    #[test]
    fn secrets_are_written_and_read_again() {
        let derived = derive(&Secret::new("pillarbox".into()), &mut Ones).unwrap();
        let stored = derived.into_stored();
        assert_eq!(stored.len(), 4);
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
            ("1234\u{200b}5678", "U+200B"),
        ] {
            assert!(check_new(wrong).unwrap_err().contains(word), "{wrong:?}");
        }
    }
}
