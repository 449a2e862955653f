//! Text in quoted-printable (RFC 2045 §6.7): lines of any length and any bytes become short ones of
//! ASCII.

use memchr::memchr;

/// Appends a text with its lines as lines, whether they end with CRLF or LF; each of what is
/// written ends with CRLF. A lone CR is a byte like others.
pub fn quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr(b'\n', rest);
        let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        rest = after.get(1..).unwrap_or_default();
        let whole = end.is_some();
        write_line(line.strip_suffix(b"\r").filter(|_| whole).unwrap_or(line), out);
        out.extend_from_slice(b"\r\n");
    }
}

fn write_line(line: &[u8], out: &mut Vec<u8>) {
    let mut length = 0;
    for (index, byte) in line.iter().enumerate() {
        let last = index + 1 == line.len();
        let plain = match byte {
            b'=' => false,
            // A blank at a line's end would be lost.
            b' ' | b'\t' => !last,
            byte => byte.is_ascii_graphic(),
        };
        let needed = if plain { 1 } else { 3 };
        // Behind all but the last there may have to be a `=`.
        if length + needed > LINE_MAX - usize::from(!last) {
            out.extend_from_slice(b"=\r\n");
            length = 0;
        }
        if plain {
            out.push(*byte);
        } else {
            let digits = b"0123456789ABCDEF";
            let digit = |value: u8| digits.get(usize::from(value)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'=', digit(byte >> 4), digit(byte & 15)]);
        }
        length += needed;
    }
}

/// RFC 2045 §6.7: no line is longer, without its line end.
const LINE_MAX: usize = 76;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::media::Encoding;
    use crate::mime::transfer::Decoder;

    fn written(text: &[u8]) -> String {
        let mut out = Vec::new();
        quoted_printable(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_stay_lines() {
        for (text, expected) in [
            ("", ""),
            ("a=b\n", "a=3Db\r\n"),
            ("\u{e4} \r\nb", "=C3=A4=20\r\nb\r\n"),
            ("a\t\n\n", "a=09\r\n\r\n"),
            ("a\rb\r", "a=0Db=0D\r\n"),
        ] {
            assert_eq!(written(text.as_bytes()), expected);
        }
        let (full, more) = ("x".repeat(76), "x".repeat(77));
        assert_eq!(written(full.as_bytes()), format!("{full}\r\n"));
        assert_eq!(written(more.as_bytes()), format!("{}=\r\nxx\r\n", "x".repeat(75)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(text in proptest::collection::vec(
            proptest::sample::select(b"a= \t\r\xFF".to_vec()), 0..300))
        {
            let text = [&text[..], b"\r\n"].concat();
            let written = written(&text);
            for line in written.split("\r\n") {
                proptest::prop_assert!(line.len() <= LINE_MAX && !line.ends_with([' ', '\t']));
            }
            let mut decoder = Decoder::new(Encoding::QuotedPrintable);
            let mut again = Vec::new();
            decoder.push(written.as_bytes(), &mut again);
            decoder.finish(&mut again);
            proptest::prop_assert_eq!(again, text);
        }
    }
}
