//! Networks of addresses: `192.0.2.0/24`, `2001:db8::/32`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

/// All addresses that begin with the same bits. An IPv4 address that is written as an IPv6 one
/// (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// With all bits behind the prefix 0.
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// This machine's own addresses.
    pub const LOOPBACK: [Self; 2] = [
        Self { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        Self { first: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    /// The network of `prefix` bits that the address lies in; a longer prefix than the address has
    /// bits is the address alone.
    #[must_use]
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        let address = address.to_canonical();
        let prefix = prefix.min(bits_of(address));
        Self { first: cut(address, prefix), prefix }
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        bits_of(address) == bits_of(self.first) && cut(address, self.prefix) == self.first
    }
}

const fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn cut(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// It is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoNetwork;

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no network such as 192.0.2.0/24 or 2001:db8::/32")
    }
}

impl std::error::Error for NoNetwork {}

impl FromStr for Network {
    type Err = NoNetwork;

    /// An address alone is a network of one. Bits behind the prefix must be 0: else a digit was
    /// mistyped.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => {
                let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
                let prefix: u8 = prefix.parse().ok().filter(|_| digits).ok_or(NoNetwork)?;
                (address, Some(prefix))
            }
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let prefix = prefix.unwrap_or_else(|| bits_of(address));
        if prefix > bits_of(address) || cut(address, prefix) != address {
            return Err(NoNetwork);
        }
        Ok(Self { first: address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_lie_in_them_or_not() {
        for (name, inside, outside) in [
            ("192.0.2.0/24", &["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"][..], "192.0.3.0"),
            ("192.0.2.1/32", &["192.0.2.1"], "192.0.2.2"),
            ("192.0.2.1", &["192.0.2.1"], "192.0.2.0"),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], "2001:db8::1"),
            ("::/0", &["::", "2001:db8::1"], "192.0.2.1"),
            ("2001:db8::/33", &["2001:db8:7fff::"], "2001:db8:8000::"),
            ("::1", &["::1"], "::2"),
        ] {
            for address in inside {
                assert!(network(name).contains(address.parse().unwrap()), "{name} {address}");
            }
            assert!(!network(name).contains(outside.parse().unwrap()), "{name} {outside}");
        }
        assert!(Network::LOOPBACK.iter().any(|net| net.contains(Ipv4Addr::LOCALHOST.into())));
        assert!(Network::LOOPBACK.iter().any(|net| net.contains(Ipv6Addr::LOCALHOST.into())));
    }

    #[test]
    fn what_is_none() {
        for text in
            ["", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "::/129", "x/8"]
        {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn they_hold_what_they_are_around(bits: u128, v4: bool, prefix: u8) {
            let address: IpAddr = if v4 {
                Ipv4Addr::from_bits(bits.to_le_bytes()[0].into()).into()
            } else {
                Ipv6Addr::from_bits(bits).into()
            };
            let network = Network::around(address, prefix);
            proptest::prop_assert!(network.contains(address));
            proptest::prop_assert_eq!(network.to_string().parse(), Ok(network));
        }
    }
}
