//! Messages from inside (RFC 5322, RFC 2045 to RFC 2047): header fields, addresses, media types,
//! and the tree of parts.
//!
//! - [`header`] cuts a header into its fields.
//! - [`address`], [`media`] and [`date`] read what stands in some of them.
//! - [`Parser`] takes a message in pieces and gives its [`Structure`]: which parts it has, and
//!   where their headers and bodies lie.
//! - [`transfer`], [`charset`] and [`words`] turn what was encoded for transport into text;
//!   [`TextReader`] does so for the body of a part.
//!
//! - [`Reencoder`] makes a message that may hold any bytes (RFC 3030 §3) into one of lines.
//!
//! Mail is often not what the standards want. In reading, nothing is an error: what cannot be
//! understood is left as it is. Only the [`Reencoder`] changes a message, and it refuses one that it
//! could not give back whole.

pub mod address;
pub mod charset;
pub mod date;
mod digest;
pub mod header;
pub(crate) mod lexer;
mod markup;
pub mod media;
mod msgid;
mod parser;
pub mod preview;
mod quoted_printable;
mod reencode;
mod structure;
mod text;
pub mod transfer;
pub mod words;

pub use digest::{DIGEST_BYTES_MAX, Digest, keeps};
pub use msgid::MessageIds;
pub use parser::{
    BOUNDARY_BYTES_MAX, DEPTH_MAX, HEADER_BYTES_MAX, HEADERS_BYTES_MAX, PARTS_MAX, Parser,
};
pub use quoted_printable::quoted_printable;
pub use reencode::{BinaryFault, Reencoder};
pub use structure::{Content, Part, PartId, Structure};
pub use text::TextReader;

#[cfg(test)]
mod oracle;
