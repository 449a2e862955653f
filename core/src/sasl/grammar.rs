//! The messages of SCRAM as text (RFC 5802 §7), and the gs2 header in front (RFC 5801 §4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::FIELD_MAX;

/// What the client says about channel bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag<'m> {
    /// `n`: it knows none.
    No,
    /// `y`: it knows them, but believes that we do not.
    NotOffered,
    /// `p=`: the one it uses.
    Named(&'m str),
}

/// The client's first message.
#[derive(Debug)]
pub(super) struct ClientFirst<'m> {
    pub(super) flag: Flag<'m>,
    /// The gs2 header as it came, with its last comma.
    pub(super) header: &'m str,
    pub(super) authzid: String,
    /// All behind the header.
    pub(super) bare: &'m str,
    pub(super) authcid: String,
    pub(super) nonce: &'m str,
}

/// The client's last message.
#[derive(Debug)]
pub(super) struct ClientFinal<'m> {
    /// What `c=` holds.
    pub(super) bound: Vec<u8>,
    pub(super) nonce: &'m str,
    pub(super) proof: Vec<u8>,
    pub(super) without_proof: &'m str,
}

/// The server's first message.
#[derive(Debug)]
pub(super) struct ServerFirst<'m> {
    pub(super) nonce: &'m str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

pub(super) fn client_first(message: &[u8]) -> Result<ClientFirst<'_>, &'static str> {
    let text = text(message)?;
    let header_end = text
        .match_indices(',')
        .nth(1)
        .and_then(|(comma, _)| comma.checked_add(1))
        .ok_or("the first message of SCRAM begins with a gs2 header of two commas")?;
    let (header, bare) = text.split_at_checked(header_end).ok_or("no gs2 header")?;
    let mut fields = header.split(',');
    let flag = match fields.next().unwrap_or_default() {
        "n" => Flag::No,
        "y" => Flag::NotOffered,
        other => match other.strip_prefix("p=") {
            Some(name) if is_binding_name(name) => Flag::Named(name),
            _ => return Err("the gs2 header begins with n, y or p= and a channel binding's name"),
        },
    };
    let authzid = match fields.next().unwrap_or_default() {
        // gsasl writes an empty one as `a=`, which RFC 5802 §7 does not have.
        "" | "a=" => String::new(),
        field => name(field.strip_prefix("a=").ok_or("the second field of gs2 is empty or a=")?)?,
    };
    let mut fields = bare.split(',');
    let field = fields.next().unwrap_or_default();
    // RFC 5802 §5.1: an extension that must be understood, and none is known.
    if field.starts_with("m=") {
        return Err("extensions of SCRAM that are mandatory are not known here");
    }
    let authcid = name(field.strip_prefix("n=").ok_or("SCRAM wants a user name, n=")?)?;
    let nonce = nonce(fields.next())?;
    extensions(fields)?;
    Ok(ClientFirst { flag, header, authzid, bare, authcid, nonce })
}

pub(super) fn client_final(message: &[u8]) -> Result<ClientFinal<'_>, &'static str> {
    let text = text(message)?;
    let (without_proof, proof) =
        text.rsplit_once(",p=").ok_or("the last field of SCRAM is the proof, p=")?;
    let proof = BASE64.decode(proof).map_err(|_| "the proof is not base64")?;
    let mut fields = without_proof.split(',');
    let bound = fields.next().and_then(|field| field.strip_prefix("c="));
    let bound = bound.ok_or("the second message of SCRAM begins with the channel binding, c=")?;
    let bound = BASE64.decode(bound).map_err(|_| "the channel binding is not base64")?;
    let nonce = nonce(fields.next())?;
    extensions(fields)?;
    Ok(ClientFinal { bound, nonce, proof, without_proof })
}

pub(super) fn server_first(message: &[u8]) -> Result<ServerFirst<'_>, &'static str> {
    let text = text(message)?;
    let mut fields = text.split(',');
    let nonce = nonce(fields.next())?;
    let salt = fields.next().and_then(|field| field.strip_prefix("s=")).ok_or("no salt, s=")?;
    let salt = BASE64.decode(salt).map_err(|_| "the salt is not base64")?;
    let count = fields.next().and_then(|field| field.strip_prefix("i="));
    let iterations = count.and_then(|count| count.parse().ok()).ok_or("no count, i=")?;
    extensions(fields)?;
    Ok(ServerFirst { nonce, salt, iterations })
}

/// RFC 5802 §7's `saslname`: `=2C` is a comma and `=3D` an equals sign; there is no other `=`.
pub(super) fn name(field: &str) -> Result<String, &'static str> {
    if field.is_empty() {
        return Err("a name is empty");
    }
    if field.len() > FIELD_MAX {
        return Err("a name is longer than 1024 octets");
    }
    let mut parts = field.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (char, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return Err("an equals sign in a name is written =3D"),
        };
        name.push(char);
        name.push_str(rest);
    }
    Ok(name)
}

/// The reverse of [`name`].
pub(super) fn saslname(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn text(message: &[u8]) -> Result<&str, &'static str> {
    if message.len() > MESSAGE_MAX {
        return Err("a message of SCRAM is longer than 4096 octets");
    }
    let text = std::str::from_utf8(message).map_err(|_| "a message of SCRAM is not UTF-8")?;
    if text.contains('\0') { Err("a message of SCRAM holds a NUL") } else { Ok(text) }
}

/// Two names, a nonce and what goes with them.
const MESSAGE_MAX: usize = 4 * FIELD_MAX;

fn nonce(field: Option<&str>) -> Result<&str, &'static str> {
    let nonce =
        field.and_then(|field| field.strip_prefix("r=")).ok_or("SCRAM wants a nonce, r=")?;
    let printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
    if nonce.is_empty() || !printable || nonce.len() > FIELD_MAX {
        return Err("a nonce is 1 to 1024 printable ASCII characters");
    }
    Ok(nonce)
}

/// RFC 5802 §5.1: optional extensions that are not known are ignored, but they have a form.
fn extensions<'m>(fields: impl Iterator<Item = &'m str>) -> Result<(), &'static str> {
    for field in fields {
        let mut chars = field.chars();
        let letter = chars.next().is_some_and(|char| char.is_ascii_alphabetic());
        if !letter || chars.next() != Some('=') || chars.next().is_none() {
            return Err("a field of SCRAM is a letter, an equals sign and a value");
        }
    }
    Ok(())
}

/// RFC 5801 §4's `cb-name`.
fn is_binding_name(name: &str) -> bool {
    let char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    !name.is_empty() && name.bytes().all(char)
}
