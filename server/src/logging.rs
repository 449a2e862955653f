//! Logfmt on standard error: one line for each event that a person can act on.
//!
//! `time level area message key=value …` — a value with spaces or quotes stands in quotes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::SystemTime;

use log::kv::{Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use pillarbox_core::UnixSeconds;
use pillarbox_core::wire::date::Civil;

struct Logfmt;

/// Sends log records to standard error from `level` on. A second call only changes the level.
pub fn start(level: LevelFilter) {
    static LOGFMT: Logfmt = Logfmt;
    // An error means that a logger is set already, as in tests.
    let _already_set = log::set_logger(&LOGFMT);
    log::set_max_level(level);
}

impl Log for Logfmt {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let line = line(record, SystemTime::now());
        // Nobody is left to tell that standard error is closed.
        let _lost = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// One record as one line.
fn line(record: &Record<'_>, time: SystemTime) -> String {
    let mut line = String::with_capacity(160);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(0));
    let Civil { year, month, day, hour, minute, second } = Civil::from_unix(seconds);
    let millis = since.subsec_millis();
    let level = record.level().as_str().to_ascii_lowercase();
    // `pillarbox::smtp::session` is about smtp; a record from elsewhere names its crate.
    let area = match record.target().strip_prefix("pillarbox::") {
        Some(inside) => inside.split("::").next().unwrap_or(inside),
        None => record.target().split("::").next().unwrap_or_default(),
    };
    // Writing to a String cannot fail.
    let _infallible = write!(
        line,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z {level} \
         {area} {}",
        quoted(&record.args().to_string())
    );
    let _infallible = record.key_values().visit(&mut Pairs(&mut line));
    line.push('\n');
    line
}

struct Pairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        write!(self.0, " {key}={}", quoted(&value.to_string()))?;
        Ok(())
    }
}

/// A value that would break the line's form is quoted; control characters never stand bare, so
/// that a peer cannot write lines of its own into the log.
fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_keeps_its_form_whatever_the_values() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_527_240_007);
        let pairs = [("cid", "c1"), ("to", "a@b.example c@d.example"), ("x", "a\nb\"=")];
        let line = line(
            &Record::builder()
                .level(log::Level::Info)
                .target("pillarbox::smtp::session")
                .args(format_args!("message accepted"))
                .key_values(&pairs)
                .build(),
            time,
        );
        assert_eq!(
            line,
            "2026-11-24T13:34:00.007Z info smtp \"message accepted\" cid=c1 \
             to=\"a@b.example c@d.example\" x=\"a\\nb\\\"=\"\n"
        );
    }
}
