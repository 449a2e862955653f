//! Sender Policy Framework (RFC 7208): whether a host may send in the name of a domain.
//!
//! A [`Check`] asks questions to the domain name system until it knows:
//!
//! ```
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::dns::{Answer, Data};
//! use pillarbox_core::spf::{Check, Client, Step, Verdict};
//!
//! let client = Client {
//!     ip: "192.0.2.7".parse().unwrap(),
//!     helo: "mail.example.org".into(),
//!     receiver: "mx.example.com".into(),
//!     single_labels: false,
//! };
//! let mut check = Check::mail_from(client, "ann", "example.org", UnixSeconds(0));
//! let outcome = loop {
//!     match check.step() {
//!         Step::Ask(question) => {
//!             assert_eq!(question.to_string(), "example.org TXT");
//!             let records = vec![Data::Txt(b"v=spf1 ip4:192.0.2.0/24 -all".to_vec())];
//!             check.answered(&Ok(Answer { name: question.name, records, ttl: 60, secure: false }));
//!         }
//!         Step::Done(outcome) => break outcome,
//!     }
//! };
//! assert_eq!(outcome.verdict, Verdict::Pass);
//! ```

mod check;
mod domain_spec;
mod outcome;
mod record;

#[cfg(test)]
mod tests;

pub use check::{Check, Client, Step};
pub use domain_spec::MacroString;
pub use outcome::{Identity, Outcome, Problem, Trace, Verdict};
pub use record::{Directive, Hosts, Malformed, Mechanism, Qualifier, Record, SyntaxFault};
