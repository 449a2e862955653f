//! Which fields of a header a signature covers (RFC 6376 §3.7, §5.4.2).

use std::collections::HashMap;

use super::canonical::Canonicalization;
use super::signature::without_value;
use crate::mime::header;

/// The fields of a header by their names, so that many signatures cost little.
pub(crate) struct Selection<'h> {
    by_name: HashMap<Vec<u8>, Vec<header::Field<'h>>>,
}

impl<'h> Selection<'h> {
    pub(crate) fn new(head: &'h [u8]) -> Self {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for field in header::fields(head) {
            by_name.entry(field.name.to_ascii_lowercase()).or_default().push(field);
        }
        Self { by_name }
    }

    /// How many fields have this name, in small letters.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.by_name.get(name.as_bytes()).map_or(0, Vec::len)
    }

    /// What is signed: the fields of these names, in small letters, and the signature's own field
    /// without its value and without a line end. It lies at `own` in the header, if it is in there.
    pub(crate) fn signed(
        &self,
        names: &[String],
        form: Canonicalization,
        field: &[u8],
        own: Option<usize>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        self.fields(names, form, own, &mut out);
        form.field(&without_value(field), &mut out);
        out.truncate(out.len().saturating_sub(LINE_END));
        out
    }

    /// RFC 6376 §5.4.2: of several fields of one name the last comes first; a name that stands for
    /// no field stands for nothing, so that none can be added.
    fn fields(
        &self,
        names: &[String],
        form: Canonicalization,
        own: Option<usize>,
        out: &mut Vec<u8>,
    ) {
        let mut used: HashMap<&str, usize> = HashMap::new();
        for name in names {
            let Some(fields) = self.by_name.get(name.as_bytes()) else { continue };
            let used = used.entry(name).or_default();
            let mut left = fields.iter().rev().skip(*used);
            let Some(mut field) = left.next() else { continue };
            *used += 1;
            // RFC 6376 §3.5: `h=` may name other signatures, never the one that it is in.
            if Some(field.offset) == own {
                let Some(next) = left.next() else { continue };
                field = next;
                *used += 1;
            }
            form.field(field.whole, out);
        }
    }
}

/// The CRLF behind a field.
const LINE_END: usize = 2;
