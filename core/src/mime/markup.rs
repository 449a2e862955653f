//! HTML without its markup: what a reader sees, roughly. No tree is made, nothing is judged.

use std::ops::ControlFlow;

use memchr::{memchr, memchr2, memchr3, memmem};

/// Gives the text between the tags to `out`, piece by piece, until that has enough. Where a tag
/// separates, there is a space.
pub(super) fn strip(markup: &str, mut out: impl FnMut(&str) -> ControlFlow<()>) {
    let mut rest = markup;
    while !rest.is_empty() {
        let length = memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if !text.is_empty() && out(text).is_break() {
            return;
        }
        rest = match after.as_bytes() {
            [] => "",
            [b'<', ..] => {
                let (text, after) = tag(after);
                if !text.is_empty() && out(text).is_break() {
                    return;
                }
                after
            }
            _ => {
                let mut buffer = [0; 4];
                let (text, after) = reference(after, &mut buffer);
                if out(text).is_break() {
                    return;
                }
                after
            }
        };
    }
}

/// What begins with `<`: what is seen of it, which is a space where it separates, and what follows
/// it. Elements that are not shown go with all that is in them.
fn tag(markup: &str) -> (&'static str, &str) {
    let after = |at: usize| markup.get(at..).unwrap_or_default();
    if markup.starts_with("<!--") {
        let end = memmem::find(after(4).as_bytes(), b"-->");
        return ("", end.map_or("", |end| after(4 + end + 3)));
    }
    let inner = after(1);
    let (closes, name) = match inner.strip_prefix('/') {
        Some(name) => (true, name),
        None => (false, inner),
    };
    let length = name.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..length).unwrap_or_default();
    if name.is_empty() && !inner.starts_with(['!', '?', '/']) {
        // A `<` that begins nothing.
        return ("<", inner);
    }
    let rest = tag_end(inner);
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if !closes && is(&UNSEEN) {
        (" ", element_end(rest, name))
    } else {
        (if is(&INLINE) { "" } else { " " }, rest)
    }
}

/// What follows the `>` of a tag, which may also stand within quotes.
fn tag_end(inner: &str) -> &str {
    let mut at = 0;
    while let Some(found) =
        inner.as_bytes().get(at..).and_then(|rest| memchr3(b'>', b'"', b'\'', rest))
    {
        at += found + 1;
        match inner.as_bytes().get(at - 1) {
            Some(b'>') => return inner.get(at..).unwrap_or_default(),
            Some(quote) => {
                let rest = inner.as_bytes().get(at..).unwrap_or_default();
                // A quote that is never closed is none.
                at += memchr(*quote, rest).map_or(0, |end| end + 1);
            }
            None => break,
        }
    }
    ""
}

/// What follows the end of an element, from its `</name` on.
fn element_end<'a>(markup: &'a str, name: &str) -> &'a str {
    let mut rest = markup;
    while let Some(at) = memmem::find(rest.as_bytes(), b"</") {
        rest = rest.get(at + 2..).unwrap_or_default();
        let begins = rest.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        if begins {
            return tag_end(rest);
        }
    }
    ""
}

/// What a character reference at the beginning means, and what follows it. One that is not known
/// stands for itself.
fn reference<'a: 'b, 'b>(markup: &'a str, buffer: &'b mut [u8; 4]) -> (&'b str, &'a str) {
    let itself = markup.split_at_checked(1).unwrap_or((markup, ""));
    let near = markup.as_bytes().get(1..REFERENCE_BYTES_MAX.min(markup.len()));
    let Some(end) = near.and_then(|near| memchr(b';', near)) else { return itself };
    let (Some(name), Some(after)) = (markup.get(1..=end), markup.get(end + 2..)) else {
        return itself;
    };
    let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    });
    if let Some(character) = number.and_then(char::from_u32) {
        return (character.encode_utf8(buffer), after);
    }
    match REFERENCES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => (text, after),
        None => itself,
    }
}

/// The longest reference that is looked at.
const REFERENCE_BYTES_MAX: usize = 12;

/// Elements whose content is not shown.
const UNSEEN: [&str; 6] = ["head", "style", "script", "title", "template", "noscript"];

/// Elements that stand within a word.
const INLINE: [&str; 24] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins", "kbd", "mark",
    "q", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "wbr",
];

/// The references that mail is full of; others are numbers.
const REFERENCES: [(&str, &str); 44] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ensp", " "),
    ("emsp", " "),
    ("thinsp", " "),
    ("shy", ""),
    ("zwnj", ""),
    ("zwj", ""),
    ("ndash", "\u{2013}"),
    ("mdash", "\u{2014}"),
    ("hellip", "\u{2026}"),
    ("bull", "\u{2022}"),
    ("middot", "\u{B7}"),
    ("lsquo", "\u{2018}"),
    ("rsquo", "\u{2019}"),
    ("sbquo", "\u{201A}"),
    ("ldquo", "\u{201C}"),
    ("rdquo", "\u{201D}"),
    ("bdquo", "\u{201E}"),
    ("laquo", "\u{AB}"),
    ("raquo", "\u{BB}"),
    ("copy", "\u{A9}"),
    ("reg", "\u{AE}"),
    ("trade", "\u{2122}"),
    ("euro", "\u{20AC}"),
    ("pound", "\u{A3}"),
    ("auml", "\u{E4}"),
    ("ouml", "\u{F6}"),
    ("uuml", "\u{FC}"),
    ("Auml", "\u{C4}"),
    ("Ouml", "\u{D6}"),
    ("Uuml", "\u{DC}"),
    ("szlig", "\u{DF}"),
    ("eacute", "\u{E9}"),
    ("egrave", "\u{E8}"),
    ("agrave", "\u{E0}"),
    ("ccedil", "\u{E7}"),
    ("ntilde", "\u{F1}"),
    ("oacute", "\u{F3}"),
    ("aacute", "\u{E1}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(markup: &str) -> String {
        let mut out = String::new();
        strip(markup, |piece| {
            out.push_str(piece);
            ControlFlow::Continue(())
        });
        out
    }

    #[test]
    fn what_a_reader_sees() {
        for (markup, expected) in [
            ("plain", "plain"),
            ("a<b>b</b>c", "abc"),
            ("<p>a</p>b<br>c", " a b c"),
            ("<head><title>t</title></head>x", " x"),
            ("<STYLE>p > a { }</style >x", " x"),
            ("<style>never closed", " "),
            ("a<!-- > b -->c", "ac"),
            ("a<!-- b", "a"),
            ("<img alt=\"a > b\">x", " x"),
            ("<img alt=\"a > b", "  b"),
            ("1 < 2 &amp; 3 &gt; 2", "1 < 2 & 3 > 2"),
            ("&#228;&#xE4;&auml;&unknown;&;&", "\u{e4}\u{e4}\u{e4}&unknown;&;&"),
            ("&#xFFFFFFFF;", "&#xFFFFFFFF;"),
            ("<!DOCTYPE html><html>x", "  x"),
            ("<\u{e4}>", "<\u{e4}>"),
        ] {
            assert_eq!(text(markup), expected, "{markup}");
        }
    }

    #[test]
    fn enough_is_enough() {
        let mut count = 0;
        strip("a<p>b<p>c", |_| {
            count += 1;
            if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(count, 2);
    }
}
