//! What rustls does not tell of a `ClientHello` (RFC 8446 §4.1.2).

/// The `extended_master_secret` extension (RFC 7627 §5.1).
const EXTENDED_MASTER_SECRET: u16 = 23;
/// The content type of handshake records (RFC 8446 §5.1), and of a record's header.
const HANDSHAKE: u8 = 22;
const HEADER: usize = 5;

/// Whether bytes that a client sends first can be TLS at all.
pub(super) fn may_be_tls(first: u8) -> bool {
    first == HANDSHAKE
}

/// Whether the records hold a `ClientHello` with the `extended_master_secret` extension. False for
/// anything that is not a whole one: rustls has judged it, this only looks.
pub(super) fn offers_extended_master_secret(records: &[u8]) -> bool {
    let message = join(records);
    extensions(&message).is_some_and(|list| has(list, EXTENDED_MASTER_SECRET))
}

/// A message may be spread over records (RFC 8446 §5.1).
fn join(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(records.len());
    while let Some(([HANDSHAKE, _, _, high, low], rest)) = records.split_first_chunk::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (fragment, rest) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        message.extend_from_slice(fragment);
        records = rest;
    }
    message
}

/// The list of extensions of a `ClientHello`, where there is one.
fn extensions(message: &[u8]) -> Option<&[u8]> {
    // Type and length, legacy_version, random.
    let rest = message.get(4 + 2 + 32..)?;
    let (_session_id, rest) = vector8(rest)?;
    let (_cipher_suites, rest) = vector16(rest)?;
    let (_compression_methods, rest) = vector8(rest)?;
    Some(vector16(rest)?.0)
}

fn has(mut list: &[u8], wanted: u16) -> bool {
    while let Some((kind, rest)) = list.split_first_chunk() {
        let Some((_data, rest)) = vector16(rest) else { return false };
        if u16::from_be_bytes(*kind) == wanted {
            return true;
        }
        list = rest;
    }
    false
}

/// A vector with a length of one octet, and what is behind it (RFC 8446 §3.4).
fn vector8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A `ClientHello` with these extensions, in records of at most `size` bytes each.
    fn hello(kinds: &[u16], size: usize) -> Vec<u8> {
        let mut list = Vec::new();
        for kind in kinds {
            list.extend_from_slice(&kind.to_be_bytes());
            list.extend_from_slice(&[0, 3, 9, 9, 9]);
        }
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[2, 1, 1, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&u16::try_from(list.len()).unwrap().to_be_bytes());
        body.extend_from_slice(&list);
        let mut message = vec![1, 0];
        message.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend_from_slice(&body);
        let mut records = Vec::new();
        for fragment in message.chunks(size) {
            records.extend_from_slice(&[HANDSHAKE, 3, 1]);
            records.extend_from_slice(&u16::try_from(fragment.len()).unwrap().to_be_bytes());
            records.extend_from_slice(fragment);
        }
        records
    }

    proptest! {
        #[test]
        fn the_extension_is_found_wherever_it_stands(
            kinds in proptest::collection::vec(0u16..50, 0..20), size in 1usize..200
        ) {
            let expected = kinds.contains(&EXTENDED_MASTER_SECRET);
            prop_assert_eq!(offers_extended_master_secret(&hello(&kinds, size)), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>, whole: bool, cut in 0usize..300) {
            if whole {
                bytes = hello(&[1, 23], 50);
                bytes.truncate(cut);
            }
            offers_extended_master_secret(&bytes);
        }
    }
}
