//! Apple's form of a client's setup: a configuration profile with one mail account for each address.
//! <https://developer.apple.com/documentation/devicemanagement/mail>
//!
//! It is not signed: the device says so and asks. It holds no password: the device asks for it.

use std::fmt::Write as _;

use super::markup::Escaped;
use super::reply::Reply;
use super::routes::bad;
use super::service::Asked;
use super::setup::{Asker, Kind, Offer, Security, asker, server_name};

/// More would be a list of somebody's, not the accounts of a device.
const ADDRESSES_MAX: usize = 10;

/// `?addresses=a@b,c@d` says for whom.
pub(super) async fn answer(asked: &Asked) -> Result<Reply, Reply> {
    let addresses = asked.parameter("addresses").unwrap_or_default();
    let addresses: Vec<&str> = addresses.split(',').map(str::trim).collect();
    if addresses.len() > ADDRESSES_MAX || addresses.iter().any(|address| address.is_empty()) {
        return Err(bad("say for which addresses, at most ten: ?addresses=…"));
    }
    let server = server_name(asked);
    let best = |kind| asked.door.setup.of_kind(kind).next().copied();
    let (Some(incoming), Some(outgoing)) = (best(Kind::Imap), best(Kind::Submission)) else {
        return Err(Reply::not_found());
    };
    let mut accounts = String::new();
    for address in &addresses {
        let asker = asker(asked, Some(address)).await?;
        account(&mut accounts, &asker, &server, incoming, outgoing);
    }
    let uuid = uuid(&[&server, "profile", &addresses.join(",")]);
    let text = format!(
        include_str!("profile.plist"),
        server = Escaped(&server),
        // Names in the order of the world's domains, turned round: what Apple asks for.
        identifier = Escaped(turned_round(&server)),
        accounts = accounts,
        uuid = uuid,
        comment = asked.door.setup.comment(),
    );
    Ok(Reply::passing("application/x-apple-aspen-config", text).saved_as("profile.mobileconfig"))
}

fn account(out: &mut String, asker: &Asker, server: &str, incoming: Offer, outgoing: Offer) {
    let address = asker.address.as_deref().unwrap_or_default();
    let uuid = uuid(&[server, "account", address]);
    let (address, server) = (Escaped(address), Escaped(server));
    let flag = |offer: Offer| if offer.security == Security::Clear { "false" } else { "true" };
    // Writing to a String cannot fail.
    let _infallible = write!(
        out,
        include_str!("profile-account.plist"),
        address = address,
        server = server,
        uuid = uuid,
        incoming_port = incoming.port,
        incoming_tls = flag(incoming),
        outgoing_port = outgoing.port,
        outgoing_tls = flag(outgoing),
    );
}

fn turned_round(server: &str) -> String {
    server.rsplit('.').collect::<Vec<_>>().join(".")
}

/// The same for the same words, so that a profile replaces an older one of its own (RFC 9562 §5.8:
/// version 8, whose bits are ours to choose).
fn uuid(words: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, words.join("\0").as_bytes());
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *drawn;
    }
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | 0x8 << 76;
    let number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{number:032X}");
    let part = |range| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_stays_the_same_and_is_one() {
        let one = uuid(&["a", "b"]);
        assert_eq!(one, uuid(&["a", "b"]));
        assert_ne!(one, uuid(&["a", "c"]));
        assert_eq!(one.len(), 36);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'8');
        assert!(b"89AB".contains(&one.as_bytes()[19]));
    }

    #[test]
    fn names_are_turned_round() {
        assert_eq!(turned_round("mail.example.org"), "org.example.mail");
    }
}
