//! A message as a mail server handles it on its way (RFC 5322): its header, apart from its body.
//!
//! - [`Gatherer`] keeps the header of a message that comes in pieces, up to a limit, and tells
//!   where the body begins.
//! - [`Head`] is that header: counted against [`HeadLimits`], and stored without some fields.
//! - [`originators`] tells who the message says it is from.
//!
//! Nothing here knows who may send what, or what a reply is.

mod head;
mod origin;

pub use head::{Excess, Gatherer, Head, HeadLimits};
pub use origin::{OriginFault, Originator, authors, originators};
