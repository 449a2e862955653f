//! What other servers are told about TLS on the way to us (RFC 8461).

use std::fmt::Write as _;

use super::host::Name;
use super::reply::Reply;
use super::service::Asked;

/// What a policy says; the same for all domains of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaSts {
    /// How much it is to be insisted on.
    pub mode: Mode,
    /// For how long a policy may be kept, in seconds.
    pub max_age: u64,
    /// The names of the servers that take our mail; a name may begin with `*.`.
    pub mx: Vec<String>,
}

/// RFC 8461 §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// There is no policy any more.
    None,
    /// Where TLS fails it is reported, and mail is delivered.
    Testing,
    /// Where TLS fails mail is not delivered.
    Enforce,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Testing, Self::Enforce];

    /// As the policy and the configuration have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Testing => "testing",
            Self::Enforce => "enforce",
        }
    }
}

impl MtaSts {
    /// RFC 8461 §3.2: lines of keys and values.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("version: STSv1\r\nmode: {}\r\n", self.mode.name());
        for mx in &self.mx {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "mx: {mx}\r\n");
        }
        let _infallible = write!(text, "max_age: {}\r\n", self.max_age);
        text
    }
}

/// RFC 8461 §3.3: at a well-known place of the host `mta-sts.` in front of the domain.
pub(super) fn answer(asked: &Asked) -> Result<Reply, Reply> {
    match (&asked.door.mta_sts, &asked.place.name) {
        (Some(policy), Name::MtaSts(_)) => Ok(Reply::lasting("text/plain", policy.to_text())),
        _ => Err(Reply::not_found()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_lines_of_keys_and_values() {
        let policy = MtaSts {
            mode: Mode::Enforce,
            max_age: 604_800,
            mx: vec!["mail.example.org".into(), "*.example.net".into()],
        };
        assert_eq!(
            policy.to_text(),
            "version: STSv1\r\nmode: enforce\r\nmx: mail.example.org\r\nmx: *.example.net\r\n\
             max_age: 604800\r\n"
        );
    }
}
