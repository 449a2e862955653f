//! The tree of a message's parts, each with its place in the message.

use std::ops::Range;

use super::header::{Field, fields};
use super::media::Described;
use super::parser::Parser;

/// Names a part of one [`Structure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub(super) u32);

impl PartId {
    /// The message itself.
    pub const ROOT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A message's parts in the order of their beginnings, the message itself first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Never empty.
    pub(super) parts: Vec<Part>,
    /// The headers of all parts, as far as they are kept.
    pub(super) headers: Vec<u8>,
}

/// One part: the message itself, a part of a multipart, or the message within a `message/rfc822`.
/// Offsets are bytes from the beginning of the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its header, with the empty line that ends it.
    pub header: Range<u64>,
    /// Its body; of a part of a multipart without the line end that belongs to the boundary
    /// (RFC 2046 §5.1.1).
    pub body: Range<u64>,
    /// How many line ends the body has.
    pub lines: u64,
    /// What the body holds.
    pub content: Content,
    /// The next part of the same multipart.
    pub(super) next: Option<PartId>,
    /// The place of its header in [`Structure::headers`].
    pub(super) kept: Range<usize>,
}

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// No parts.
    Leaf,
    /// It says that it has parts, and they could not be told apart: no usable boundary, none found,
    /// or too many or too deep. Taken as a whole.
    Opaque,
    /// Parts, this one first.
    Multipart(PartId),
    /// A message with a header of its own: `message/rfc822`.
    Message(PartId),
}

impl Structure {
    /// The structure of a message that is at hand.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let mut parser = Parser::new();
        parser.push(message);
        parser.finish()
    }

    /// The message itself.
    #[must_use]
    pub fn root(&self) -> &Part {
        self.part(PartId::ROOT)
    }

    /// One of its parts; the root for an id of another structure that is not one of this.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "there is always a root")]
    pub fn part(&self, id: PartId) -> &Part {
        self.parts.get(id.index()).unwrap_or(&self.parts[0])
    }

    /// All parts in the order of their beginnings.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }

    /// The parts of a multipart in their order; of a `message/rfc822` the one message in it.
    pub fn children(&self, part: &Part) -> impl Iterator<Item = PartId> {
        let first = match part.content {
            Content::Leaf | Content::Opaque => None,
            Content::Multipart(first) | Content::Message(first) => Some(first),
        };
        std::iter::successors(first, |id| self.part(*id).next)
    }

    /// The header of a part, up to [`HEADER_BYTES_MAX`](super::HEADER_BYTES_MAX) and cut between
    /// two lines.
    #[must_use]
    pub fn header(&self, part: &Part) -> &[u8] {
        self.headers.get(part.kept.clone()).unwrap_or_default()
    }

    /// The first field of this name in a part's header.
    #[must_use]
    pub fn field(&self, part: &Part, name: &[u8]) -> Option<Field<'_>> {
        fields(self.header(part)).find(|field| field.is(name))
    }

    /// The media type that a part says it has.
    #[must_use]
    pub fn media_type(&self, part: &Part) -> Option<Described<'_>> {
        Described::content_type(self.field(part, b"Content-Type")?.value)
    }
}
