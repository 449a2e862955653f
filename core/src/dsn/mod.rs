//! Delivery status notifications (RFC 3461, RFC 3464, RFC 6522; RFC 6533 for addresses in UTF-8):
//! what became of a message, told to who sent it.
//!
//! - [`is_due`] says whether a report is sent at all.
//! - [`Report`] is what is to be said; [`Report::write`] makes the message of it: a text for
//!   people, fields for programs, and the header of the message that it is about, or all of it.
//! - [`Notice::read`] reads such a message when it comes back from other servers, in all the ways
//!   in which they write it.
//!
//! ```
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::dsn::{Action, Notice, Original, Outcome, Report, Status};
//!
//! let report = Report {
//!     reporter: "mx.example.org",
//!     to: "ann@example.org",
//!     message_id: "r1@mx.example.org",
//!     boundary: "b1",
//!     date: UnixSeconds(1_795_527_240),
//!     arrived: UnixSeconds(1_795_527_000),
//!     envelope_id: None,
//!     international: false,
//!     outcomes: &[Outcome {
//!         said: Some("550 5.1.1 no such mailbox here"),
//!         server: Some("mx.example.net"),
//!         ..Outcome::new("bob@example.net", Action::Failed, Status::new(5, 1, 1))
//!     }],
//!     original: Original::header(b"Subject: Lunch\r\nMessage-ID: <m1@example.org>\r\n\r\n"),
//! };
//! let written = report.write().expect("there is somebody to tell");
//! let notice = Notice::read(&[written.head, written.tail].concat()).expect("it is a report");
//! assert_eq!(notice.message_id.as_deref(), Some("m1@example.org"));
//! assert_eq!(notice.outcomes[0].address, "bob@example.net");
//! assert_eq!(notice.outcomes[0].status, Status::new(5, 1, 1));
//! ```

mod address;
mod fields;
mod notice;
mod original;
mod qmail;
mod report;
mod status;
mod words;

pub use notice::{LOOK_BYTES_MAX, Notice, NoticeOutcome, OUTCOMES_MAX};
pub use original::{Limits, Original, Shape};
pub use report::{Outcome, Report, Written};
pub use status::{Action, Asked, Status, is_due};

#[cfg(test)]
mod tests;
