//! SMTP MTA Strict Transport Security (RFC 8461): which servers take a domain's mail, and that TLS
//! with them is to be insisted on.
//!
//! - [`Record`] stands in DNS and says that there is a policy, and by its id whether it is a new
//!   one.
//! - [`Policy`] is fetched over HTTPS, or published: [`Policy::parse`], [`Policy::to_text`],
//!   [`read_response`].
//! - [`plan`] judges what is kept of a domain: which policy counts now, and whether one is to be
//!   fetched; [`after_fetch`] what is kept then.
//!
//! ```
//! use pillarbox_core::UnixSeconds;
//! use pillarbox_core::dns::Name;
//! use pillarbox_core::mta_sts::{Fetch, Mode, Policy, Published, Record, after_fetch, plan};
//!
//! let record = Record::parse(b"v=STSv1; id=20261124;")?;
//! let published = Published::Record(record.clone());
//! assert_eq!(plan(&published, None, None, UnixSeconds(0)).fetch, Fetch::First);
//!
//! let policy = Policy::parse(b"version: STSv1\nmode: enforce\nmax_age: 86400\nmx: *.example.net\n")?;
//! let kept = after_fetch(None, &record, Some(policy), UnixSeconds(0));
//! let plan = plan(&published, kept.as_ref(), None, UnixSeconds(60));
//! assert_eq!(plan.fetch, Fetch::No);
//! assert!(plan.policy.is_some_and(|policy| policy.mode == Mode::Enforce));
//! assert!(plan.policy.is_some_and(|policy| policy.names(&Name::parse("mx1.example.net").unwrap())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod kept;
mod policy;
mod record;

pub use kept::{FETCH_PAUSE_SECONDS, Fetch, Kept, Plan, REFRESH_SECONDS, after_fetch, plan};
pub use policy::{
    FetchFault, MAX_AGE_MAX, Mode, MxPattern, POLICY_BYTES_MAX, Policy, PolicyFault, read_response,
};
pub use record::{Published, Record, RecordFault};

/// Where a policy lies on the host [`POLICY_LABEL`] in front of the domain (RFC 8461 §3.3).
pub const POLICY_PATH: &str = "/.well-known/mta-sts.txt";
/// The host of the policy, in front of the domain (RFC 8461 §3.3).
pub const POLICY_LABEL: &str = "mta-sts";
/// The name of the record, in front of the domain (RFC 8461 §3.1).
pub const RECORD_LABEL: &str = "_mta-sts";
