//! What is sent of a day (RFC 8460 §4.4, §5.1, §5.3).

use std::fmt::{self, Write as _};

use super::attempt::{Failure, Policy};
use super::day::{Day, Tally};
use crate::UnixSeconds;
use crate::wire::date::InternetDate;

/// A report about one domain and one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who reports, for people.
    pub organization: String,
    /// Whom to ask.
    pub contact: String,
    /// Unlike that of any other report.
    pub id: String,
    /// The domain of whoever reports.
    pub submitter: String,
    /// The domain that it is about.
    pub domain: String,
    /// The midnight (UTC) at which the day began.
    pub start: UnixSeconds,
    /// What was counted.
    pub day: Day,
}

impl Report {
    /// The last second of the day.
    #[must_use]
    pub const fn end(&self) -> UnixSeconds {
        UnixSeconds(self.start.0.saturating_add(86_399))
    }

    /// The report as JSON (RFC 8460 §4.4), to be packed with gzip.
    #[must_use]
    pub fn to_json(&self) -> String {
        Object(self).to_string()
    }

    /// The name of the packed file (RFC 8460 §5.1).
    #[must_use]
    pub fn file_name(&self) -> String {
        let unique: String = self.id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let (start, end) = (self.start.0, self.end().0);
        format!("{}!{}!{start}!{end}!{unique}.json.gz", self.submitter, self.domain)
    }

    /// The subject of the message that carries it (RFC 8460 §5.3).
    #[must_use]
    pub fn subject(&self) -> String {
        let Self { domain, submitter, id, .. } = self;
        format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}>")
    }
}

/// Prints as JSON.
struct Object<T>(T);

impl fmt::Display for Object<&Report> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        write!(f, "{{\"organization-name\":{}", Text(&report.organization))?;
        let (start, end) = (InternetDate(report.start), InternetDate(report.end()));
        f.write_str(",\"date-range\":{")?;
        write!(f, "\"start-datetime\":\"{start}\",\"end-datetime\":\"{end}\"}}")?;
        write!(f, ",\"contact-info\":{}", Text(&report.contact))?;
        write!(f, ",\"report-id\":{},\"policies\":", Text(&report.id))?;
        list(f, report.day.policies().map(Object))?;
        f.write_str("}")
    }
}

impl fmt::Display for Object<(&Policy, &Tally)> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (policy, tally) = self.0;
        write!(f, "{{\"policy\":{{\"policy-type\":\"{}\"", policy.kind.name())?;
        if !policy.strings.is_empty() {
            f.write_str(",\"policy-string\":")?;
            list(f, policy.strings.iter().map(|text| Text(text)))?;
        }
        write!(f, ",\"policy-domain\":{}", Text(&policy.domain))?;
        if !policy.mx.is_empty() {
            f.write_str(",\"mx-host\":")?;
            list(f, policy.mx.iter().map(|text| Text(text)))?;
        }
        let Tally { successes, failures, details } = tally;
        write!(f, "}},\"summary\":{{\"total-successful-session-count\":{successes}")?;
        write!(f, ",\"total-failure-session-count\":{failures}}}")?;
        if !details.is_empty() {
            f.write_str(",\"failure-details\":")?;
            list(f, details.iter().map(Object))?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Object<(&Failure, &u64)> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failure, count) = self.0;
        write!(f, "{{\"result-type\":\"{}\"", failure.result.name())?;
        if let Some(address) = failure.sending_ip {
            write!(f, ",\"sending-mta-ip\":\"{address}\"")?;
        }
        if let Some(mx) = &failure.mx {
            write!(f, ",\"receiving-mx-hostname\":{}", Text(mx))?;
        }
        if let Some(helo) = &failure.helo {
            write!(f, ",\"receiving-mx-helo\":{}", Text(helo))?;
        }
        if let Some(address) = failure.receiving_ip {
            write!(f, ",\"receiving-ip\":\"{address}\"")?;
        }
        write!(f, ",\"failed-session-count\":{count}")?;
        if let Some(reason) = &failure.reason {
            write!(f, ",\"failure-reason-code\":{}", Text(reason))?;
        }
        f.write_str("}")
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    f.write_str("[")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        item.fmt(f)?;
    }
    f.write_str("]")
}

/// A string in quotes (RFC 8259 §7).
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                char if char < ' ' => write!(f, "\\u{:04x}", u32::from(char))?,
                char => f.write_char(char)?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::super::attempt::{Attempt, ResultType};
    use super::*;
    use crate::mta_sts;

    #[test]
    fn a_report_by_the_letter() {
        let policy = b"version: STSv1\nmode: enforce\nmx: *.a.example\nmax_age: 60\n";
        let policy = Policy::sts("a.example", &mta_sts::Policy::parse(policy).unwrap());
        let failure = Failure {
            sending_ip: Some([192, 0, 2, 1].into()),
            mx: Some("mx.a.example".into()),
            helo: Some("a\"\\\n\u{e4}".into()),
            receiving_ip: Some("2001:db8::1".parse().unwrap()),
            reason: Some("late".into()),
            ..Failure::new(ResultType::CertificateExpired)
        };
        let mut day = Day::default();
        day.record(Attempt { policy: policy.clone(), failure: None });
        day.record(Attempt { policy: policy.clone(), failure: Some(failure.clone()) });
        day.record(Attempt { policy, failure: Some(failure) });
        day.record(Attempt { policy: Policy::none("a.example"), failure: None });
        let report = Report {
            organization: "Us".into(),
            contact: "tls@b.example".into(),
            id: "2026-11-24@b.example".into(),
            submitter: "b.example".into(),
            domain: "a.example".into(),
            start: UnixSeconds(1_795_478_400),
            day,
        };
        let expected = concat!(
            "{\"organization-name\":\"Us\",\"date-range\":{",
            "\"start-datetime\":\"2026-11-24T00:00:00Z\",\"end-datetime\":\"2026-11-24T23:59:59Z\"},",
            "\"contact-info\":\"tls@b.example\",\"report-id\":\"2026-11-24@b.example\",\"policies\":[",
            "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",",
            "\"mode: enforce\",\"mx: *.a.example\",\"max_age: 60\"],\"policy-domain\":\"a.example\",",
            "\"mx-host\":[\"*.a.example\"]},\"summary\":{\"total-successful-session-count\":1,",
            "\"total-failure-session-count\":2},\"failure-details\":[{",
            "\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\",",
            "\"receiving-mx-hostname\":\"mx.a.example\",",
            "\"receiving-mx-helo\":\"a\\\"\\\\\\u000a\u{e4}\",\"receiving-ip\":\"2001:db8::1\",",
            "\"failed-session-count\":2,\"failure-reason-code\":\"late\"}]},",
            "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"a.example\"},",
            "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}",
        );
        assert_eq!(report.to_json(), expected);
        let name = "b.example!a.example!1795478400!1795564799!20261124bexample.json.gz";
        assert_eq!(report.file_name(), name);
        let subject =
            "Report Domain: a.example Submitter: b.example Report-ID: <2026-11-24@b.example>";
        assert_eq!(report.subject(), subject);
    }

    #[test]
    fn every_kind_of_failure_has_a_name_of_its_own() {
        let mut names: Vec<_> = ResultType::ALL.into_iter().map(ResultType::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ResultType::ALL.len());
    }
}
