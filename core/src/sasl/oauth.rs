//! The messages of OAUTHBEARER (RFC 7628), both sides: what a client sends with a token, and what a
//! server answers to one that it does not take. No server of ours offers it yet.

use std::fmt::Write as _;

use super::{FIELD_MAX, Secret, grammar};

/// A client's message: a token, and where it believes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// As whom to act; empty: as the one whose token it is.
    pub authzid: String,
    /// The server's name, as the client knows it.
    pub host: Option<String>,
    /// The port that it has connected to.
    pub port: Option<u16>,
    /// The token (RFC 6750 §2.1).
    pub token: Secret,
}

impl Bearer {
    /// Reads the client's message (RFC 7628 §3.1). Keys that are not known are passed over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        if message.len() > MESSAGE_MAX {
            return Err("the message of OAUTHBEARER is longer than 16 KiB");
        }
        let text = std::str::from_utf8(message).map_err(|_| "the message is not UTF-8")?;
        let (header, pairs) = text.split_once(SEPARATOR).ok_or("no ^A behind the gs2 header")?;
        let mut bearer = Self {
            authzid: authzid(header)?,
            host: None,
            port: None,
            token: Secret::new(String::new()),
        };
        // Each pair has a separator at its end, and one more ends them all.
        let pairs = pairs
            .strip_suffix(SEPARATOR)
            .filter(|pairs| pairs.is_empty() || pairs.ends_with(SEPARATOR))
            .ok_or("the message ends with ^A^A")?;
        let mut token = None;
        for pair in pairs.split_terminator(SEPARATOR) {
            let (key, value) = pair.split_once('=').ok_or("a pair has no equals sign")?;
            if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return Err("a key is letters");
            }
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
                return Err("a value is ASCII without control characters");
            }
            match key {
                "host" => bearer.host = Some(value.to_owned()),
                "port" => bearer.port = Some(value.parse().map_err(|_| "that is no port")?),
                "auth" => token = Some(self::token(value)?),
                _ => {}
            }
        }
        bearer.token = token.ok_or("there is no token, auth=")?;
        Ok(bearer)
    }

    /// Writes the client's message (RFC 7628 §3.1).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = match &*self.authzid {
            "" => "n,,".to_owned(),
            authzid => format!("n,a={},", grammar::saslname(authzid)),
        };
        let mut pair = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{SEPARATOR}{key}={value}");
        };
        if let Some(host) = &self.host {
            pair("host", host);
        }
        if let Some(port) = self.port {
            pair("port", &port.to_string());
        }
        pair("auth", &format!("Bearer {}", self.token.reveal()));
        text.push(SEPARATOR);
        text.push(SEPARATOR);
        text.into_bytes()
    }
}

/// RFC 5801 §4; there is nothing here to bind to a channel.
fn authzid(header: &str) -> Result<String, &'static str> {
    let rest = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"));
    let rest = rest.ok_or("the gs2 header begins with n or y: there is no channel binding")?;
    match rest.strip_suffix(',').ok_or("the gs2 header has two commas")? {
        "" => Ok(String::new()),
        field => grammar::name(field.strip_prefix("a=").ok_or("an identity begins with a=")?),
    }
}

/// RFC 6750 §2.1; the scheme is in any case (RFC 7628 §3.1 refers to HTTP for it).
fn token(value: &str) -> Result<Secret, &'static str> {
    let (scheme, token) = value.split_once(' ').ok_or("auth= has a scheme and a token")?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err("the only scheme is Bearer");
    }
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    if body.is_empty() || !body.bytes().all(sign) {
        return Err("a token is letters, digits and some signs");
    }
    Ok(Secret::new(token.to_owned()))
}

/// Why a token is not taken: the server's challenge, which the client answers with [`NOTED`], upon
/// which the server fails the exchange (RFC 7628 §3.2.2, §3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// As `invalid_token` (RFC 6750 §3.1).
    pub status: String,
    /// What the token would have to be good for.
    pub scope: Option<String>,
    /// Where to find out how to get one, an https URL.
    pub configuration: Option<String>,
}

impl NotTaken {
    /// The challenge: an object of JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{{\"status\":{}", quoted(&self.status));
        for (key, value) in [("scope", &self.scope), ("openid-configuration", &self.configuration)]
        {
            if let Some(value) = value {
                let _infallible = write!(text, ",\"{key}\":{}", quoted(value));
            }
        }
        text.push('}');
        text.into_bytes()
    }
}

/// A string of JSON (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_ascii_control() => {
                let _infallible = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// What a client says to [`NotTaken`].
pub const NOTED: &[u8] = b"\x01";
const SEPARATOR: char = '\x01';
/// Tokens may be long: those that carry what they are good for have some KiB.
const MESSAGE_MAX: usize = 16 * FIELD_MAX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(authzid: &str, host: Option<&str>, port: Option<u16>, token: &str) -> Bearer {
        let (authzid, host) = (authzid.to_owned(), host.map(str::to_owned));
        Bearer { authzid, host, port, token: Secret::new(token.into()) }
    }

    /// The messages printed in RFC 7628 §4.1 and §4.3.
    #[test]
    fn messages_of_the_rfc() {
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        let message = format!(
            "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {token}\x01\x01"
        );
        let expected = bearer("user@example.com", Some("server.example.com"), Some(143), token);
        assert_eq!(Bearer::parse(message.as_bytes()), Ok(expected.clone()));
        assert_eq!(expected.to_bytes(), message.into_bytes());
        let refusal = NotTaken {
            status: "invalid_token".into(),
            scope: Some("example_scope".into()),
            configuration: Some("https://example.com/.well-known/openid-configuration".into()),
        };
        let text = "{\"status\":\"invalid_token\",\"scope\":\"example_scope\",\
                    \"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}";
        assert_eq!(refusal.to_bytes(), text.as_bytes());
        assert!(!format!("{expected:?}").contains("vF9"));
    }

    #[test]
    fn malformed_messages() {
        for (message, word) in [
            ("", "no ^A"),
            ("n,,", "no ^A"),
            ("n,,\x01", "ends with"),
            ("p=tls-exporter,,\x01auth=Bearer x\x01\x01", "no channel binding"),
            ("n,\x01auth=Bearer x\x01\x01", "two commas"),
            ("n,b=x,\x01auth=Bearer x\x01\x01", "a="),
            ("n,a=,\x01auth=Bearer x\x01\x01", "empty"),
            ("n,,\x01\x01", "no token"),
            ("n,,\x01auth=Bearer x\x01", "ends with"),
            ("n,,\x01auth=Basic x\x01\x01", "Bearer"),
            ("n,,\x01auth=Bearer\x01\x01", "a scheme and"),
            ("n,,\x01auth=Bearer =\x01\x01", "a token is"),
            ("n,,\x01auth=Bearer a b\x01\x01", "a token is"),
            ("n,,\x01port=65536\x01auth=Bearer x\x01\x01", "no port"),
            ("n,,\x01host\x01auth=Bearer x\x01\x01", "equals"),
            ("n,,\x01h1=x\x01auth=Bearer x\x01\x01", "letters"),
            ("n,,\x01host=\u{e9}\x01auth=Bearer x\x01\x01", "ASCII"),
        ] {
            let why = Bearer::parse(message.as_bytes()).unwrap_err();
            assert!(why.contains(word), "{message:?}: {why}");
        }
        let long = format!("n,,\x01auth=Bearer {}\x01\x01", "x".repeat(MESSAGE_MAX));
        assert!(Bearer::parse(long.as_bytes()).unwrap_err().contains("longer"));
        assert!(Bearer::parse(b"\xff").unwrap_err().contains("UTF-8"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            authzid in "[^\0\x01]{0,30}",
            host in proptest::option::of("[a-z.]{1,30}"),
            port: Option<u16>,
            token in "[A-Za-z0-9._~+/-]{1,60}={0,2}",
        ) {
            let bearer = bearer(&authzid, host.as_deref(), port, &token);
            prop_assert_eq!(Bearer::parse(&bearer.to_bytes()), Ok(bearer));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _any = Bearer::parse(&bytes);
        }
    }
}
