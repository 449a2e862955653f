//! What the server counts. All counters are there at 0 from the start, so that a graph of one
//! begins with the server and not with its first event.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident),* $(,)?) => {
        /// The server's counters.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: Counter,)*
        }

        impl Counters {
            /// All of them, and those of the runtime, in the OpenMetrics text form.
            #[must_use]
            pub fn to_text(&self, runtime: &[(&str, u64)]) -> String {
                let mut text = String::new();
                $(describe(&mut text, stringify!($name), concat!($($doc),+), self.$name.value());)*
                for (name, value) in runtime {
                    // OpenMetrics: a counter's sample ends in `_total`, its family does not.
                    let (family, kind) = match name.strip_suffix("_total") {
                        Some(family) => (family, "counter"),
                        None => (*name, "gauge"),
                    };
                    // Writing to a String cannot fail.
                    let _infallible = writeln!(
                        text,
                        "# TYPE pillarbox_runtime_{family} {kind}\npillarbox_runtime_{name} {value}"
                    );
                }
                text.push_str("# EOF\n");
                text
            }
        }
    };
}

counters! {
    /// SMTP, submission and LMTP sessions begun.
    smtp_sessions,
    /// Messages accepted by SMTP, submission and LMTP, there for one recipient at least.
    messages_accepted,
    /// Messages refused after their body.
    messages_refused,
    /// Messages refused for a line end that smuggles.
    messages_smuggling,
    /// Messages put off with a 4xx answer to their body.
    messages_put_off,
    /// Local recipients that accepted messages were delivered to.
    recipients_delivered,
    /// Recipients elsewhere to whom a message was handed over.
    messages_sent,
    /// Recipients refused, by LMTP also after the message.
    recipients_refused,
    /// IMAP sessions begun.
    imap_sessions,
    /// IMAP commands answered.
    imap_commands,
    /// Messages appended by IMAP.
    imap_appended,
    /// HTTP connections begun.
    web_sessions,
    /// HTTP requests begun.
    web_requests,
    /// Logins that succeeded.
    logins,
    /// Logins of a password that had been right a moment ago, so that it was not checked anew.
    logins_remembered,
    /// Logins that failed.
    logins_failed,
    /// Connections and messages refused since too much came from their network.
    rate_refusals,
    /// TLS handshakes finished.
    tls_handshakes,
    /// TLS handshakes and connections that went wrong.
    tls_failures,
}

fn describe(text: &mut String, name: &str, doc: &str, value: u64) {
    let doc = doc.trim().trim_end_matches('.');
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "# TYPE pillarbox_{name} counter\n# HELP pillarbox_{name} {doc}.\npillarbox_{name}_total {value}"
    );
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn count(&self) {
        self.add(1);
    }

    /// Counts several.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_there_at_zero() {
        let counters = Counters::default();
        let text = counters.to_text(&[("open", 3)]);
        assert!(text.contains("\npillarbox_messages_accepted_total 0\n"));
        assert_eq!(text.matches("_total 0\n").count(), 19);
        assert!(text.ends_with("\npillarbox_runtime_open 3\n# EOF\n"));
        counters.logins.count();
        assert!(counters.to_text(&[("open", 3)]).contains("\npillarbox_logins_total 1\n"));
    }
}
