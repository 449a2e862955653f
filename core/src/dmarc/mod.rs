//! Domain-based Message Authentication, Reporting, and Conformance (RFC 9989, which took the place
//! of RFC 7489): whether the domain in From stands behind a message, and what it wants done where
//! it does not.
//!
//! - [`Discovery`] finds the policy of the domain, and which domains are of its organization, by
//!   the DNS tree walk: no list of public suffixes is needed.
//! - [`Found::evaluate`] says what that means for a message with these results of SPF and DKIM.
//!
//! ```
//! use pillarbox_core::dmarc::{Discovery, Evidence, Policy, Step, Verdict};
//! use pillarbox_core::dns::{Answer, Data, Failure, Name};
//!
//! let name = |text| Name::parse(text).unwrap();
//! let mut discovery = Discovery::new(name("news.example.org"), vec![name("example.org")]);
//! let found = loop {
//!     match discovery.step() {
//!         Step::Ask(question) if question.name == name("_dmarc.example.org") => {
//!             let records = vec![Data::Txt(b"v=DMARC1; p=reject; sp=quarantine".to_vec())];
//!             let answer = Answer { name: question.name.clone(), records, ttl: 60, secure: false };
//!             discovery.answered(&question, &Ok(answer));
//!         }
//!         Step::Ask(question) => {
//!             discovery.answered(&question, &Err(Failure::NoName { secure: false }));
//!         }
//!         Step::Done(found) => break found,
//!     }
//! };
//! let nothing = found.evaluate(&Evidence::default());
//! assert_eq!((nothing.verdict, nothing.disposition), (Verdict::Fail, Policy::Quarantine));
//! let signed = Evidence { dkim: vec![name("example.org")], ..Evidence::default() };
//! assert_eq!(found.evaluate(&signed).verdict, Verdict::Pass);
//! ```

mod author;
mod discovery;
mod outcome;
mod record;

#[cfg(test)]
mod tests;

pub use author::{Author, author};
pub use discovery::{Discovery, Found, Published, Step};
pub use outcome::{Evidence, Outcome, Verdict};
pub use record::{Alignment, Policy, Record, RecordFault, SuffixDomain};
