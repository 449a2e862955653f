//! What is offered at this moment: the reply to EHLO or LHLO, what follows from it for a command, and the
//! commands that only ask.

use std::fmt;

use super::{Progress, Server};
use crate::Outbox;
use crate::smtp::command::{Auth, Command, Encoding, Hold, Keyword, Mail, Verb};
use crate::smtp::config::{FutureRelease, Protocol};
use crate::smtp::fault::Fault;
use crate::smtp::reply::{Code, Enhanced, Place, Reply, write_line};
use crate::wire::date::InternetDate;

impl Server {
    /// What can be refused without the owner.
    pub(super) fn check(
        &self,
        command: &Command<'_>,
        progress: Progress,
        line: &[u8],
    ) -> Result<(), Fault> {
        let (limits, offered) = (self.config.limits(), self.config.capabilities());
        match command {
            Command::Mail(mail) => self.check_mail(mail, line),
            Command::Rcpt(rcpt) => match progress {
                Progress::Transaction { recipients, .. } if recipients >= limits.recipients_max => {
                    Err(Fault::TooManyRecipients(limits.recipients_max))
                }
                Progress::Transaction { smtp_utf8: false, .. }
                    if rcpt.recipient.mailbox().is_some_and(|mailbox| !mailbox.is_ascii()) =>
                {
                    Err(Fault::NonAsciiRecipient)
                }
                _ if !offered.dsn && rcpt.notify.is_some() => {
                    Err(not_offered(line, Keyword::Notify))
                }
                _ if !offered.dsn && rcpt.original.is_some() => {
                    Err(not_offered(line, Keyword::Orcpt))
                }
                _ => Ok(()),
            },
            Command::StartTls if self.secure => Err(Fault::TlsActive),
            Command::StartTls if !offered.starttls => Err(Fault::NotOffered(Verb::StartTls)),
            Command::Auth(_) if self.authenticated => Err(Fault::Authenticated),
            Command::Auth(auth) => self.check_mechanism(auth),
            Command::Data => match progress {
                Progress::Transaction { binary: true, .. } => Err(Fault::BinaryByData),
                _ => Ok(()),
            },
            Command::Bdat(_) if !offered.chunking => Err(Fault::NotOffered(Verb::Bdat)),
            Command::Bdat(chunk) => {
                let size = match progress {
                    Progress::Chunks { chunks, .. } => chunks.size(),
                    Progress::Start
                    | Progress::Ready
                    | Progress::Refused { .. }
                    | Progress::Transaction { .. } => 0,
                };
                let max = limits.message_bytes_max;
                let fits = size.checked_add(chunk.size).is_some_and(|size| size <= max);
                if fits { Ok(()) } else { Err(Fault::TooLarge(max)) }
            }
            Command::Hello(_)
            | Command::Lhlo(_)
            | Command::Expn(_)
            | Command::Rset
            | Command::Noop
            | Command::Vrfy(_)
            | Command::Help
            | Command::Quit
            | Command::StartTls => Ok(()),
        }
    }

    fn check_mail(&self, mail: &Mail<'_>, line: &[u8]) -> Result<(), Fault> {
        let (limits, offered) = (self.config.limits(), self.config.capabilities());
        if self.transactions >= limits.transactions_max {
            return Err(Fault::TooManyTransactions(limits.transactions_max));
        }
        let releases = offered.future_release.is_some();
        let binary = offered.chunking && offered.binary_mime;
        let given = [
            (mail.size.is_some() && !offered.size, Keyword::Size),
            (mail.body.is_some() && !offered.eight_bit_mime, Keyword::Body),
            (mail.smtp_utf8 && !offered.smtp_utf8, Keyword::SmtpUtf8),
            (mail.submitter.is_some() && self.mechanisms().next().is_none(), Keyword::Auth),
            (mail.require_tls && !(offered.require_tls && self.secure), Keyword::RequireTls),
            (mail.ret.is_some() && !offered.dsn, Keyword::Ret),
            (mail.envid.is_some() && !offered.dsn, Keyword::Envid),
            (matches!(mail.hold, Some(Hold::For(_))) && !releases, Keyword::HoldFor),
            (matches!(mail.hold, Some(Hold::Until(_))) && !releases, Keyword::HoldUntil),
            (mail.by.is_some() && !offered.deliver_by, Keyword::By),
            (mail.priority.is_some() && !offered.mt_priority, Keyword::MtPriority),
            (mail.body == Some(Encoding::BinaryMime) && !binary, Keyword::Body),
        ];
        if let Some((_, keyword)) = given.iter().find(|(wrong, _)| *wrong) {
            return Err(not_offered(line, *keyword));
        }
        if let (Some(Hold::For(seconds)), Some(release)) = (mail.hold, offered.future_release)
            && seconds > release.seconds_max
        {
            return Err(Fault::HoldTooLong(release.seconds_max));
        }
        if mail.size.is_some_and(|size| size > limits.message_bytes_max) {
            return Err(Fault::TooLarge(limits.message_bytes_max));
        }
        // RFC 6531 §3.4: other characters need the promise that later servers will be asked too.
        if !mail.smtp_utf8 && mail.sender.mailbox().is_some_and(|mailbox| !mailbox.is_ascii()) {
            return Err(Fault::NonAsciiSender);
        }
        Ok(())
    }

    fn check_mechanism(&self, auth: &Auth<'_>) -> Result<(), Fault> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(auth.mechanism);
        let under_tls = &self.config.capabilities().auth_under_tls;
        if self.mechanisms().any(is_it) {
            Ok(())
        } else if under_tls.iter().any(|name| is_it(name)) {
            Err(Fault::NeedsTls)
        } else if self.mechanisms().next().is_none() {
            Err(Fault::NotOffered(Verb::Auth))
        } else {
            Err(Fault::UnknownMechanism)
        }
    }

    /// Commands that change nothing.
    pub(super) fn answer(&self, command: &Command<'_>, out: &mut Outbox) {
        let (code, enhanced, text) = match command {
            Command::Help => {
                let text = match self.config.protocol() {
                    Protocol::Smtp => {
                        "commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; \
                         EHLO tells the extensions"
                    }
                    Protocol::Lmtp => {
                        "commands: LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; \
                         LHLO tells the extensions"
                    }
                };
                (Code::HELP, OK, text)
            }
            // RFC 5321 §3.5.3: who is here is not told, but mail may be tried.
            Command::Vrfy(_) | Command::Expn(_) => {
                (Code::CANNOT_VERIFY, CANNOT_VERIFY, "cannot verify, but will take mail for it")
            }
            _ => (Code::OK, OK, "ok"),
        };
        write_line(code, Some(enhanced), format_args!("{text}"), Place::Last(None), out);
    }

    /// The mechanisms offered at this moment. Those that need TLS come first: some bind to the
    /// channel, and there are clients that take the first one that they know.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = &str> {
        let offered = self.config.capabilities();
        let only_under_tls = self.secure.then_some(&offered.auth_under_tls);
        only_under_tls.into_iter().flatten().chain(&offered.auth).map(String::as_str)
    }

    /// The reply to EHLO (RFC 5321 §4.1.1.1) or LHLO: what is offered, at this moment and to this client.
    pub(super) fn announce(&self, reply: &Reply, out: &mut Outbox) {
        let offered = self.config.capabilities();
        self.write_named(reply, Place::Before, out);
        let mut line = |text: fmt::Arguments<'_>| {
            write_line(Code::OK, None, text, Place::Before, out);
        };
        if offered.pipelining {
            line(format_args!("PIPELINING"));
        }
        if offered.size {
            line(format_args!("SIZE {}", self.config.limits().message_bytes_max));
        }
        if offered.starttls && !self.secure {
            line(format_args!("STARTTLS"));
        }
        if !self.authenticated && self.mechanisms().next().is_some() {
            let names: Vec<_> = self.mechanisms().collect();
            line(format_args!("AUTH {}", names.join(" ")));
        }
        if offered.eight_bit_mime {
            line(format_args!("8BITMIME"));
        }
        if offered.smtp_utf8 {
            line(format_args!("SMTPUTF8"));
        }
        if offered.chunking {
            line(format_args!("CHUNKING"));
        }
        if offered.chunking && offered.binary_mime {
            line(format_args!("BINARYMIME"));
        }
        if offered.dsn {
            line(format_args!("DSN"));
        }
        // RFC 8689 §2: under TLS only.
        if offered.require_tls && self.secure {
            line(format_args!("REQUIRETLS"));
        }
        if let Some(FutureRelease { seconds_max, until_max }) = offered.future_release {
            line(format_args!("FUTURERELEASE {seconds_max} {}", InternetDate(until_max)));
        }
        if offered.deliver_by {
            line(format_args!("DELIVERBY"));
        }
        if offered.mt_priority {
            line(format_args!("MT-PRIORITY"));
        }
        if offered.limits {
            let limits = self.config.limits();
            let (mails, recipients) = (limits.transactions_max, limits.recipients_max);
            line(format_args!("LIMITS MAILMAX={mails} RCPTMAX={recipients}"));
        }
        write_line(Code::OK, None, format_args!("ENHANCEDSTATUSCODES"), Place::Last(None), out);
    }
}

/// A parameter that the client was not offered, by its place.
fn not_offered(line: &[u8], keyword: Keyword) -> Fault {
    let name = keyword.name().as_bytes();
    let place = line.windows(name.len() + 1).rposition(|window| {
        let word = window.strip_prefix(b" ");
        word.is_some_and(|word| word.eq_ignore_ascii_case(name))
    });
    Fault::ParameterUnknown(place.map_or(0, |space| space + 1))
}

pub(super) const OK: Enhanced = Enhanced::new(0, 0);
const CANNOT_VERIFY: Enhanced = Enhanced::new(5, 2);
