//! What a server offers: its answer to EHLO or LHLO (RFC 5321 §4.1.1.1).

use super::answer::Answer;
use crate::UnixSeconds;
use crate::wire::date::internet_date;

/// The extensions of a server that a client can use. Nothing after HELO.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offers {
    /// What the server calls itself: the first word of its answer.
    pub name: String,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtp_utf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030).
    pub binary_mime: bool,
    /// DSN (RFC 3461). Where it is missing, what was asked of reports is left out, and reporting is
    /// the owner's.
    pub dsn: bool,
    /// REQUIRETLS (RFC 8689).
    pub require_tls: bool,
    /// MT-PRIORITY (RFC 6710).
    pub mt_priority: bool,
    /// SIZE (RFC 1870): in bytes; zero: offered, without a limit that is told.
    pub size: Option<u64>,
    /// FUTURERELEASE (RFC 4865): seconds at most, and the latest time.
    pub future_release: Option<(u32, UnixSeconds)>,
    /// DELIVERBY (RFC 2852): the least seconds with which the server promises to return a message.
    pub deliver_by: Option<u32>,
    /// The mechanisms of AUTH (RFC 4954) as the server writes them.
    pub auth: Vec<String>,
    /// LIMITS (RFC 9422).
    pub limits: Told,
}

/// What a server says of its limits (RFC 9422).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// MAILMAX: transactions in this connection.
    pub transactions: Option<u32>,
    /// RCPTMAX: recipients in a transaction.
    pub recipients: Option<u32>,
    /// RCPTDOMAINMAX: domains of the recipients in a transaction.
    pub domains: Option<u32>,
}

impl Offers {
    /// Reads the answer. What is not known, or not well-formed, is passed over.
    pub(super) fn read(answer: &Answer) -> Self {
        let mut lines = answer.text.split('\n');
        let name = lines.next().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let mut offers = Self { name: name.to_owned(), ..Self::default() };
        lines.for_each(|line| offers.line(line));
        offers
    }

    fn line(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        match &*keyword {
            "PIPELINING" => self.pipelining = true,
            "STARTTLS" => self.starttls = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtp_utf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "DSN" => self.dsn = true,
            "REQUIRETLS" => self.require_tls = true,
            "MT-PRIORITY" => self.mt_priority = true,
            "SIZE" => self.size = Some(words.next().and_then(number).unwrap_or(0)),
            // RFC 4865 §3: both are there.
            "FUTURERELEASE" => {
                let seconds = words.next().and_then(number);
                let until = words.next().and_then(internet_date);
                self.future_release = seconds.zip(until);
            }
            "DELIVERBY" => self.deliver_by = Some(words.next().and_then(number).unwrap_or(0)),
            "AUTH" => self.auth = words.map(str::to_owned).collect(),
            "LIMITS" => words.for_each(|word| self.limits.set(word)),
            _ => {}
        }
    }

    /// Whether AUTH is offered with this mechanism.
    #[must_use]
    pub fn authenticates_by(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|name| name.eq_ignore_ascii_case(mechanism))
    }
}

impl Told {
    /// A limit of zero would forbid all, and is none.
    fn set(&mut self, word: &str) {
        let Some((name, value)) = word.split_once('=') else { return };
        let value = number(value).filter(|value| *value > 0);
        match &*name.to_ascii_uppercase() {
            "MAILMAX" => self.transactions = value,
            "RCPTMAX" => self.recipients = value,
            "RCPTDOMAINMAX" => self.domains = value,
            _ => {}
        }
    }
}

fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
