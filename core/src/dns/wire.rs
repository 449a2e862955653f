//! Questions and answers as they travel (RFC 1035 §4).

use domain::base::iana::{Class, Opcode, OptRcode, OptionCode, Rcode, Rtype};
use domain::base::name::{Label, NameBuilder, ToLabelIter as _};
use domain::base::opt::UnknownOptData;
use domain::base::{Message, MessageBuilder, ParsedName, Record, ToName};
use domain::rdata::ZoneRecordData;

use super::{Data, Kind, Name};

/// The longest answer by UDP that we ask for: it fits into one packet everywhere, and pieces of
/// larger ones get lost or are forged.
const DATAGRAM_BYTES: u16 = 1_232;

/// What the records of an answer may take in memory: a name that is told again in two bytes may have a
/// thousand as text, so that the largest answer would take megabytes.
const RECORDS_BYTES_MAX: usize = 512 << 10;

/// Of what a server says why it failed, so many characters are kept.
const SAID_MAX: usize = 200;

/// A question under way, and what its answer has to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: u16,
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// A letter of the name is large where the bit of its place is set.
    pub(super) capitals: [u8; 32],
    /// Whether the answer has to have them too.
    pub(super) exact: bool,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) verdict: Verdict,
    pub(super) truncated: bool,
    /// The server asks others on our behalf (RA).
    pub(super) recursive: bool,
    /// The server says that it has proved all of it (AD, RFC 4035 §3.2.3).
    pub(super) authentic: bool,
    /// Records of the kind asked for, and [`Data::Cname`]s.
    pub(super) records: Vec<(Name, u32, Data)>,
    /// The zone that has no more, and for how many seconds that holds (RFC 2308 §5).
    pub(super) denial: Option<(Name, u32)>,
    /// Why, in the server's words (RFC 8914).
    pub(super) said: Option<String>,
}

/// The code of an answer (RFC 1035 §4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    NoName,
    /// The server does not understand the question: perhaps not EDNS (RFC 6891 §7).
    NotUnderstood,
    /// Any other, by its name.
    Failed(String),
}

/// Bytes that are no answer, or one to another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no message, or breaks off, or takes more than [`RECORDS_BYTES_MAX`].
    Malformed,
    /// It is not for this question: somebody may be guessing (RFC 5452 §9.1).
    Stray,
}

impl Asked {
    /// The message. With `extended`, by EDNS (RFC 6891).
    ///
    /// `None` for a name that is too long, which [`Name`] has none of.
    pub(super) fn message(&self, extended: bool) -> Option<Vec<u8>> {
        let mut message = MessageBuilder::new_vec().question();
        let header = message.header_mut();
        header.set_id(self.id);
        header.set_rd(true);
        // Asks to be told whether the answer was proved, without the signatures that the DO bit
        // would bring: nobody here would look at them (RFC 6840 §5.7).
        header.set_ad(true);
        message.push((self.wire_name()?, rtype(self.kind))).ok()?;
        let mut message = message.additional();
        if extended {
            message
                .opt(|opt| {
                    opt.set_udp_payload_size(DATAGRAM_BYTES);
                    Ok(())
                })
                .ok()?;
        }
        Some(message.finish())
    }

    fn wire_name(&self) -> Option<domain::base::Name<Vec<u8>>> {
        let mut name = NameBuilder::new_vec();
        let mut place = 0;
        for mut label in self.name.label_bytes() {
            for byte in &mut label {
                let bits = self.capitals.get(place / 8).copied().unwrap_or(0);
                if bits >> (place % 8) & 1 == 1 {
                    byte.make_ascii_uppercase();
                }
                place += 1;
            }
            name.append_label(&label).ok()?;
        }
        name.into_name().ok()
    }

    /// Reads an answer.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Answered, Unfit> {
        let message = Message::from_octets(bytes).map_err(|_| Unfit::Malformed)?;
        let header = message.header();
        let fits = header.qr() && header.id() == self.id && header.opcode() == Opcode::QUERY;
        if !fits || !self.is_repeated_by(&message)? {
            return Err(Unfit::Stray);
        }
        let verdict = verdict(&message);
        let mut answered = Answered {
            verdict,
            truncated: header.tc(),
            recursive: header.ra(),
            authentic: header.ad(),
            records: Vec::new(),
            denial: None,
            said: said(&message),
        };
        // What breaks off on purpose is asked for again (RFC 2181 §9).
        if !answered.truncated {
            self.read_records(&message, &mut answered).ok_or(Unfit::Malformed)?;
        }
        Ok(answered)
    }

    /// Whether the answer is to this question: name, kind and class (RFC 5452 §9.1).
    fn is_repeated_by(&self, message: &Message<&[u8]>) -> Result<bool, Unfit> {
        // Who does not understand a question need not repeat it.
        if message.header_counts().qdcount() == 0 && message.header().rcode() == Rcode::FORMERR {
            return Ok(true);
        }
        let Ok(question) = message.sole_question() else { return Err(Unfit::Malformed) };
        let sent = self.wire_name().ok_or(Unfit::Malformed)?;
        let same = if self.exact {
            question
                .qname()
                .iter_labels()
                .map(Label::as_slice)
                .eq(sent.iter_labels().map(Label::as_slice))
        } else {
            question.qname().name_eq(&sent)
        };
        Ok(same && question.qtype() == rtype(self.kind) && question.qclass() == Class::IN)
    }

    fn read_records(&self, message: &Message<&[u8]>, into: &mut Answered) -> Option<()> {
        let wanted = rtype(self.kind);
        let mut left = RECORDS_BYTES_MAX;
        for record in message.answer().ok()? {
            let record = record.ok()?;
            let kind = match record.rtype() {
                kind if kind == wanted => self.kind,
                Rtype::CNAME => Kind::Cname,
                _ => continue,
            };
            if record.class() != Class::IN {
                continue;
            }
            let owner = name(&record.owner())?;
            let seconds = seconds(record.ttl().as_secs());
            let record: Record<_, ZoneRecordData<_, ParsedName<_>>> =
                record.into_record().ok()??;
            let data = data(kind, record.data())?;
            left = left.checked_sub(data.size() + size_of::<Name>() + owner.as_str().len())?;
            into.records.push((owner, seconds, data));
        }
        for record in message.authority().ok()? {
            let record = record.ok()?;
            if record.rtype() != Rtype::SOA || record.class() != Class::IN {
                continue;
            }
            let zone = name(&record.owner())?;
            let held = seconds(record.ttl().as_secs());
            let record: Record<_, ZoneRecordData<_, ParsedName<_>>> =
                record.into_record().ok()??;
            if let Data::Soa { minimum, .. } = data(Kind::Soa, record.data())? {
                into.denial = Some((zone, held.min(seconds(minimum))));
            }
        }
        // One that breaks off was not sent like that.
        message.additional().ok()?.all(|record| record.is_ok()).then_some(())
    }
}

/// A number with the first bit set is none (RFC 2181 §8).
const fn seconds(ttl: u32) -> u32 {
    if ttl > i32::MAX.cast_unsigned() { 0 } else { ttl }
}

fn verdict(message: &Message<&[u8]>) -> Verdict {
    match message.opt_rcode() {
        OptRcode::NOERROR => Verdict::Good,
        OptRcode::NXDOMAIN => Verdict::NoName,
        OptRcode::FORMERR | OptRcode::NOTIMP | OptRcode::BADVERS => Verdict::NotUnderstood,
        OptRcode::SERVFAIL => Verdict::Failed("SERVFAIL".into()),
        OptRcode::REFUSED => Verdict::Failed("REFUSED".into()),
        other => Verdict::Failed(format!("error {}", other.to_int())),
    }
}

/// The extended errors, each with its number and the server's own words (RFC 8914 §2), of
/// printable ASCII only.
fn said(message: &Message<&[u8]>) -> Option<String> {
    let opt = message.opt()?;
    let mut said = String::new();
    for option in opt.opt().iter::<UnknownOptData<_>>().flatten() {
        if option.code() != OptionCode::EXTENDED_ERROR {
            continue;
        }
        let Some((code, text)) = option.as_slice().split_first_chunk::<2>() else { continue };
        let code = u16::from_be_bytes(*code);
        let name = domain::base::iana::ExtendedErrorCode::from_int(code);
        if !said.is_empty() {
            said.push_str(", ");
        }
        said.push_str(name.to_mnemonic_str().unwrap_or("extended error"));
        said.push_str(&format!(" ({code})"));
        if !text.is_empty() {
            said.push_str(": ");
            said.extend(text.iter().map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '?',
            }));
        }
    }
    said.truncate(SAID_MAX);
    (!said.is_empty()).then_some(said)
}

const fn rtype(kind: Kind) -> Rtype {
    match kind {
        Kind::A => Rtype::A,
        Kind::Aaaa => Rtype::AAAA,
        Kind::Ptr => Rtype::PTR,
        Kind::Mx => Rtype::MX,
        Kind::Txt => Rtype::TXT,
        Kind::Cname => Rtype::CNAME,
        Kind::Ns => Rtype::NS,
        Kind::Soa => Rtype::SOA,
        Kind::Tlsa => Rtype::TLSA,
        Kind::Srv => Rtype::SRV,
        Kind::Caa => Rtype::CAA,
        Kind::Svcb => Rtype::SVCB,
        Kind::Https => Rtype::HTTPS,
    }
}

/// The kind of this number; `None` for those that nobody here asks for.
pub(super) fn kind(of: Rtype) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| rtype(*kind) == of)
}

/// A name of the crate's as ours; `None` for none.
pub(super) fn name(of: &impl ToName) -> Option<Name> {
    Name::from_labels(of.iter_labels().filter(|label| !label.is_root()).map(Label::as_slice)).ok()
}

/// What a record of the crate's says; `None` where it is not of this kind.
pub(super) fn data<O, N>(kind: Kind, from: &ZoneRecordData<O, N>) -> Option<Data>
where
    O: AsRef<[u8]>,
    N: ToName,
{
    use ZoneRecordData as Z;
    Some(match (kind, from) {
        (Kind::A, Z::A(a)) => Data::A(a.addr()),
        (Kind::Aaaa, Z::Aaaa(a)) => Data::Aaaa(a.addr()),
        (Kind::Ptr, Z::Ptr(it)) => Data::Ptr(name(it.ptrdname())?),
        (Kind::Mx, Z::Mx(mx)) => {
            Data::Mx { preference: mx.preference(), exchange: name(mx.exchange())? }
        }
        (Kind::Txt, Z::Txt(txt)) => Data::Txt(txt.iter().flatten().copied().collect()),
        (Kind::Cname, Z::Cname(it)) => Data::Cname(name(it.cname())?),
        (Kind::Ns, Z::Ns(it)) => Data::Ns(name(it.nsdname())?),
        (Kind::Soa, Z::Soa(soa)) => Data::Soa {
            primary: name(soa.mname())?,
            serial: soa.serial().into_int(),
            minimum: soa.minimum().as_secs(),
        },
        (Kind::Tlsa, Z::Tlsa(tlsa)) => Data::Tlsa {
            usage: tlsa.usage().to_int(),
            selector: tlsa.selector().to_int(),
            matching: tlsa.matching_type().to_int(),
            association: tlsa.data().as_ref().to_vec(),
        },
        (Kind::Srv, Z::Srv(srv)) => Data::Srv {
            priority: srv.priority(),
            weight: srv.weight(),
            port: srv.port(),
            target: name(srv.target())?,
        },
        (Kind::Caa, Z::Caa(caa)) => Data::Caa {
            // The first bit of the flags (RFC 8659 §4.1).
            critical: caa.flags().bits() & 0x80 != 0,
            tag: tag(&caa.tag().to_string())?,
            value: caa.value().as_ref().to_vec(),
        },
        (Kind::Svcb, Z::Svcb(it)) => Data::Svcb {
            priority: it.priority(),
            target: name(it.target())?,
            parameters: parameters(it.params().as_slice())?,
        },
        (Kind::Https, Z::Https(it)) => Data::Svcb {
            priority: it.priority(),
            target: name(it.target())?,
            parameters: parameters(it.params().as_slice())?,
        },
        _ => return None,
    })
}

/// Letters and digits (RFC 8659 §4.1).
fn tag(text: &str) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| text.to_ascii_lowercase())
}

/// Numbers and values, each behind its length (RFC 9460 §2.2).
fn parameters(mut bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (key, rest) = bytes.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        all.push((u16::from_be_bytes(*key), value.to_vec()));
        bytes = rest;
    }
    Some(all)
}
