//! The addresses of a server in the order in which they are tried (RFC 5321 §5.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chance::shuffle;
use crate::Random;

/// Of one server, so many addresses are tried.
pub const ADDRESSES_MAX: usize = 10;

/// A kind of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

/// Puts addresses in order: by turns of the one kind and the other, so that a network that has lost
/// one of them does not wait long, and by chance within each. [`ADDRESSES_MAX`] at most.
#[must_use]
pub fn alternating(
    four: &[Ipv4Addr],
    six: &[Ipv6Addr],
    first: Family,
    random: &mut dyn Random,
) -> Vec<IpAddr> {
    let mut four: Vec<IpAddr> = four.iter().copied().map(IpAddr::from).collect();
    let mut six: Vec<IpAddr> = six.iter().copied().map(IpAddr::from).collect();
    for addresses in [&mut four, &mut six] {
        addresses.sort_unstable();
        addresses.dedup();
        shuffle(addresses, random);
    }
    let (one, two) = match first {
        Family::Four => (four, six),
        Family::Six => (six, four),
    };
    let (mut one, mut two) = (one.into_iter(), two.into_iter());
    let pairs = std::iter::from_fn(|| {
        let pair = [one.next(), two.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    });
    pairs.flatten().flatten().take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::chance::Counter;
    use super::*;

    /// `4` and `6` for each address.
    fn kinds(four: u8, six: u16, first: Family) -> String {
        let four: Vec<_> = (0..four).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect();
        let six = (0..six).map(|last| Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
        let six: Vec<_> = six.collect();
        let found = alternating(&four, &six, first, &mut Counter(7));
        found.iter().map(|address| if address.is_ipv4() { '4' } else { '6' }).collect()
    }

    #[test]
    fn kinds_take_turns() {
        for (four, six, first, expected) in [
            (0, 0, Family::Six, ""),
            (1, 1, Family::Six, "64"),
            (1, 1, Family::Four, "46"),
            (3, 1, Family::Six, "6444"),
            (3, 1, Family::Four, "4644"),
            (2, 0, Family::Six, "44"),
            (0, 2, Family::Four, "66"),
            (20, 2, Family::Six, "6464444444"),
        ] {
            assert_eq!(kinds(four, six, first), expected);
        }
        let same = [Ipv4Addr::LOCALHOST; 3];
        assert_eq!(alternating(&same, &[], Family::Six, &mut Counter(7)).len(), 1);
    }

    #[test]
    fn chance_decides_among_equals() {
        let four: Vec<_> = (0..4).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect();
        let mut random = Counter(3);
        let mut firsts: Vec<_> =
            (0..100).map(|_| alternating(&four, &[], Family::Six, &mut random)[0]).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 4);
    }
}
