//! SMTP TLS reporting (RFC 8460): a domain that asks is told each day how TLS with its mail servers
//! went.
//!
//! - [`Destinations`] is the record by which a domain asks.
//! - An [`Attempt`] is how one session went under one [`Policy`]; the [`Day`] of a domain counts
//!   them, within bounds.
//! - [`Report`] is what is sent of a day, as JSON.
//!
//! ```
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::tlsrpt::{Attempt, Day, Destinations, Policy, PolicyKind, Report};
//!
//! let asked = Destinations::parse(b"v=TLSRPTv1; rua=mailto:tls@example.net")?;
//! assert_eq!(asked.0, ["mailto:tls@example.net"]);
//!
//! let mut day = Day::default();
//! let policy = Policy::none("example.net");
//! day.record(Attempt { policy, failure: None });
//! let report = Report {
//!     organization: "Example".into(),
//!     contact: "postmaster@example.org".into(),
//!     id: "r1@example.org".into(),
//!     submitter: "example.org".into(),
//!     domain: "example.net".into(),
//!     start: UnixSeconds(1_795_478_400),
//!     day,
//! };
//! assert!(report.to_json().contains("\"total-successful-session-count\":1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempt;
mod day;
mod record;
mod report;

pub use attempt::{Attempt, Failure, Policy, PolicyKind, ResultType};
pub use day::{DETAILS_MAX, Day, POLICIES_MAX, Tally};
pub use record::{DESTINATIONS_MAX, Destinations, RecordFault};
pub use report::Report;

/// The name of the record, in front of the domain (RFC 8460 §3).
pub const RECORD_LABELS: &str = "_smtp._tls";
