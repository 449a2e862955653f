//! Reads a TOML document key by key and collects everything that is wrong with it, each with its
//! place: somebody who mends a configuration wants to hear it all at once.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Flaw;

/// What was found wrong so far.
pub(crate) struct FlawList<'t> {
    text: &'t str,
    flaws: Vec<Flaw>,
}

impl<'t> FlawList<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, flaws: Vec::new() }
    }

    pub(crate) fn into_flaws(self) -> Vec<Flaw> {
        self.flaws
    }

    /// Something wrong at this place in the text.
    pub(crate) fn push(&mut self, span: &Range<usize>, what: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.flaws.push(Flaw {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            what,
        });
    }
}

/// Parses `text` as far as it can be parsed and reads it with `read`.
pub(crate) fn with_document<T>(
    text: &str,
    flaws: &mut FlawList<'_>,
    read: impl FnOnce(&mut Reader<'_, '_>) -> T,
) -> T {
    let (document, errors) = DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    for error in errors {
        flaws.push(&error.span().unwrap_or(0..0), error.message().to_owned());
    }
    // What a broken line would have said is missing too: say only what is broken.
    let mut heard = FlawList::new(text);
    let mut root = Reader::new(document.get_ref(), 0..0, &mut heard);
    let value = read(&mut root);
    root.finish();
    if !broken {
        flaws.flaws.append(&mut heard.flaws);
    }
    value
}

/// One table, and which of its keys have been asked for.
pub(crate) struct Reader<'a, 't> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    known: BTreeSet<&'static str>,
    flaws: &'a mut FlawList<'t>,
}

impl<'a, 't> Reader<'a, 't> {
    fn new(table: &'a DeTable<'a>, span: Range<usize>, flaws: &'a mut FlawList<'t>) -> Self {
        Self { table, span, known: BTreeSet::new(), flaws }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Something wrong with the table as a whole.
    pub(crate) fn flaw(&mut self, what: String) {
        self.flaws.push(&self.span.clone(), what);
    }

    /// Something wrong with the value of a key.
    pub(crate) fn flaw_at(&mut self, key: &str, what: String) {
        self.flaws.push(&self.place(key), what);
    }

    pub(crate) fn string(&mut self, key: &'static str) -> Option<String> {
        self.value(key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn required_string(&mut self, key: &'static str) -> Option<String> {
        if !self.has(key) {
            self.known.insert(key);
            self.flaw(format!("`{key}` is missing"));
            return None;
        }
        self.string(key)
    }

    /// Texts, each with its place.
    pub(crate) fn strings(&mut self, key: &'static str) -> Vec<(String, Range<usize>)> {
        self.known.insert(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.flaw_at(key, format!("`{key}` is a list of texts: [\"…\", \"…\"]"));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text.to_owned(), item.span())),
                None => self.flaws.push(&item.span(), "this is to be a text in quotes".into()),
            }
        }
        texts
    }

    /// Where the value of a key stands; the whole table where there is none.
    pub(crate) fn place(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// Something wrong at a place that [`strings`](Self::strings) gave.
    pub(crate) fn flaw_in(&mut self, place: &Range<usize>, what: String) {
        self.flaws.push(place, what);
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.value(key, "true or false", DeValue::as_bool)
    }

    pub(crate) fn integer(&mut self, key: &'static str, min: u64, max: u64) -> Option<u64> {
        let number = self.value(key, "a whole number", |value| {
            let integer = value.as_integer()?;
            i64::from_str_radix(integer.as_str(), integer.radix()).ok()
        })?;
        let fitting = u64::try_from(number).ok().filter(|number| (min..=max).contains(number));
        if fitting.is_none() {
            self.flaw_at(key, format!("{number} is not between {min} and {max}"));
        }
        fitting
    }

    /// Three whole numbers, none below the one before it.
    pub(crate) fn three_integers(
        &mut self,
        key: &'static str,
        min: u64,
        max: u64,
    ) -> Option<[u64; 3]> {
        self.known.insert(key);
        let items = self.table.get(key)?.get_ref().as_array();
        let number = |item: &Spanned<DeValue<'_>>| {
            let integer = item.get_ref().as_integer()?;
            let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            (min..=max).contains(&number).then_some(number)
        };
        let numbers: Option<Vec<u64>> = items.and_then(|items| items.iter().map(number).collect());
        let three = numbers.and_then(|numbers| <[u64; 3]>::try_from(numbers).ok());
        let rising = three.filter(|three| three.is_sorted());
        if rising.is_none() {
            self.flaw_at(
                key,
                format!(
                    "`{key}` is three rising numbers from {min} to {max}: for an address and for \
                     the two networks around it"
                ),
            );
        }
        rising
    }

    /// A text, or a whole number up to `max`.
    pub(crate) fn text_or_integer(
        &mut self,
        key: &'static str,
        max: u64,
    ) -> Option<Result<String, u64>> {
        let is_text = self.table.get(key).is_some_and(|value| value.get_ref().is_str());
        if is_text { self.string(key).map(Ok) } else { self.integer(key, 0, max).map(Err) }
    }

    pub(crate) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'_, '_>) -> T,
    ) -> Option<T> {
        self.known.insert(key);
        let value = self.table.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.flaw_at(key, format!("`{key}` is a table: write it as [{key}]"));
            return None;
        };
        let mut inner = Reader::new(table, value.span(), self.flaws);
        let result = read(&mut inner);
        inner.finish();
        Some(result)
    }

    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'_, '_>) -> T,
    ) -> Vec<T> {
        self.known.insert(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.flaw_at(key, format!("`{key}` may stand several times: write it as [[{key}]]"));
            return Vec::new();
        };
        let mut results = Vec::new();
        for item in items.iter() {
            if let Some(table) = item.get_ref().as_table() {
                let mut inner = Reader::new(table, item.span(), self.flaws);
                results.push(read(&mut inner));
                inner.finish();
            } else {
                self.flaws.push(&item.span(), format!("write it as [[{key}]]"));
            }
        }
        results
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        take: impl FnOnce(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        self.known.insert(key);
        let value = self.table.get(key)?;
        let taken = take(value.get_ref());
        if taken.is_none() {
            self.flaw_at(key, format!("`{key}` is {wanted}, not {}", value.get_ref().type_str()));
        }
        taken
    }

    /// A key that nobody asked for is most likely a typing error: say what there is.
    fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !self.known.contains(name) {
                let known: Vec<_> = self.known.iter().copied().collect();
                let what = format!("there is no `{name}` here: known are {}", known.join(", "));
                self.flaws.push(&key.span(), what);
            }
        }
    }
}
