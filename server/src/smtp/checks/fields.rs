//! What was found, as the fields that are put in front of a message.

use pillarbox_core::arc::{Chain, Status};
use pillarbox_core::authres::{self, Method};
use pillarbox_core::dmarc::Author;
use pillarbox_core::{dkim, spf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::early::{Early, Reverse};
use super::verdict::{Facts, Judgement, Verdict};

/// Ours, and nobody else's: one that comes from outside is removed.
pub(in crate::smtp) const REASON: &str = "X-Pillarbox-Reason";
const IPREV: &str = "iprev";

/// `Authentication-Results`, `Received-SPF` and the reason, with their line ends; nothing of where
/// the client is, where it is one of our `own` people. `sender` is the address of MAIL FROM.
pub(super) fn lines(
    facts: &Facts,
    judgement: &Judgement,
    client: &spf::Client,
    sender: &str,
) -> String {
    let mut lines = authres::field(&client.receiver, &methods(facts));
    if let Some(early) = &facts.early {
        lines.push_str(&early.spf.received_spf(client, sender));
    }
    let done = match judgement.verdict {
        Verdict::Accept => "accepted",
        Verdict::Junk => "filed into Junk",
        Verdict::Refuse(_) => "refused",
    };
    let mut length = REASON.len();
    lines.push_str(REASON);
    lines.push(':');
    for word in format!("{done}: {}", judgement.reason).split(' ') {
        if length + word.len() > 76 {
            lines.push_str("\r\n\t");
            length = 8;
        } else {
            lines.push(' ');
            length += 1;
        }
        length += word.len();
        lines.extend(word.chars().map(|c| if c.is_control() { '?' } else { c }));
    }
    lines.push_str("\r\n");
    lines
}

/// One line for the log: `spf=pass dkim=pass dmarc=pass`.
pub(in crate::smtp) fn summary(facts: &Facts) -> String {
    let methods = methods(facts);
    let words: Vec<String> =
        methods.iter().map(|method| format!("{}={}", method.name, method.result)).collect();
    words.join(" ")
}

fn methods(facts: &Facts) -> Vec<Method> {
    let mut methods = Vec::new();
    if let Some(Early { reverse, spf, .. }) = &facts.early {
        methods.push(iprev(reverse, facts));
        // RFC 8601 §2.7.2.
        let property = match spf.identity {
            spf::Identity::MailFrom => "mailfrom",
            spf::Identity::Helo => "helo",
        };
        let method = Method::new("spf", spf.verdict.name());
        let problem = spf.problem.as_ref().map(ToString::to_string).unwrap_or_default();
        methods.push(method.reason(problem).with("smtp", property, spf.domain.clone()));
    } else {
        let method = Method::new("spf", "temperror").reason("not found out in time");
        methods.push(method.with("smtp", "mailfrom", facts.sender_domain.clone()));
    }
    if facts.dkim.is_empty() {
        methods.push(Method::new("dkim", "none"));
    }
    methods.extend(facts.dkim.iter().map(signature));
    methods.push(dmarc(facts));
    methods.extend(arc(facts));
    methods
}

/// RFC 8601 §2.7.3.
fn iprev(reverse: &Reverse, facts: &Facts) -> Method {
    let (result, comment) = match reverse {
        Reverse::Pass(name) => ("pass", name.to_string()),
        Reverse::Fail => ("fail", "its names do not have it".to_owned()),
        Reverse::None => ("permerror", "it has no name".to_owned()),
        Reverse::Trouble => ("temperror", String::new()),
    };
    let method = Method::new(IPREV, result).with("policy", "iprev", facts.ip.to_string());
    method.comment(comment)
}

/// RFC 8601 §2.7.1, RFC 6008 §3.
fn signature(outcome: &dkim::Outcome) -> Method {
    let mut method = Method::new("dkim", outcome.verdict.name());
    let mut remarks = Vec::new();
    if let Some(bits) = outcome.rsa_bits {
        remarks.push(format!("{bits} bits"));
    }
    if outcome.testing {
        remarks.push("testing".to_owned());
    }
    if outcome.unsigned_bytes > 0 {
        remarks.push(format!("{} bytes at the end are not signed", outcome.unsigned_bytes));
    }
    method = method.comment(remarks.join(", "));
    method = method.reason(outcome.why.map(|why| why.to_string()).unwrap_or_default());
    let Some(signature) = &outcome.signature else { return method };
    let value: String = BASE64.encode(&signature.value).chars().take(8).collect();
    method
        .with("header", "d", signature.domain.as_str())
        .with("header", "s", signature.selector.as_str())
        .with("header", "a", signature.algorithm.name())
        .with("header", "b", value)
}

/// RFC 8617 §10.1; nothing where nobody has sealed it.
fn arc(facts: &Facts) -> Option<Method> {
    let Chain { status, why, hops } = &facts.arc;
    let count = hops.len();
    let comment = match hops.last() {
        Some(last) if count > 1 => format!("{count} sets, the last by {}", last.domain),
        Some(last) => format!("one set, by {}", last.domain),
        None => String::new(),
    };
    let reason = why.map(|why| why.to_string()).unwrap_or_default();
    let method = Method::new("arc", status.name()).comment(comment).reason(reason);
    (*status != Status::None).then_some(method)
}

/// RFC 9989 §8.2.
fn dmarc(facts: &Facts) -> Method {
    let method = Method::new("dmarc", facts.outcome.verdict.name());
    let Author::Domain(author) = &facts.author else { return method };
    let method = method.with("header", "from", author.as_str());
    let published = facts.dmarc.as_ref().map(|found| &found.published);
    match published {
        Some(Ok(Some(published))) => {
            let method = method.with("polrec", "p", published.policy.name());
            if published.domain == *author {
                method
            } else {
                method.with("polrec", "domain", published.domain.as_str())
            }
        }
        Some(Ok(None)) => method,
        Some(Err(why)) => method.reason(why.clone()),
        None => method.reason("not found out in time"),
    }
}
