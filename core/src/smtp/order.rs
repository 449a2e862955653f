//! Which command may come when (RFC 5321 §4.1.4). This table is printed from the code by a test:
//!
//! ```text
//!           start       ready       mail        rcpt   chunks
//! EHLO      yes         yes         yes         yes    yes
//! HELO      yes         yes         yes         yes    yes
//! LHLO      yes         yes         yes         yes    yes
//! MAIL      EHLO first  yes         later       later  later
//! RCPT      EHLO first  MAIL first  yes         yes    later
//! DATA      EHLO first  MAIL first  RCPT first  yes    later
//! BDAT      EHLO first  MAIL first  RCPT first  yes    yes
//! RSET      yes         yes         yes         yes    yes
//! NOOP      yes         yes         yes         yes    yes
//! VRFY      yes         yes         yes         yes    yes
//! EXPN      yes         yes         yes         yes    yes
//! HELP      yes         yes         yes         yes    yes
//! QUIT      yes         yes         yes         yes    yes
//! STARTTLS  EHLO first  yes         yes         yes    yes
//! AUTH      EHLO first  yes         later       later  later
//! ```
//!
//! `start`: nothing said yet, or TLS has just started; `ready`: after EHLO or HELO; `mail`: a
//! sender is accepted; `rcpt`: a recipient too; `chunks`: between two chunks of a message
//! (RFC 3030 §2). Elsewhere a command is answered `503`. EHLO within a transaction ends it, as RSET
//! does. In LMTP there is LHLO in the place of EHLO and HELO (RFC 2033 §4.1).

use super::command::Verb;
use super::config::Protocol;
use super::fault::Fault;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Start,
    Ready,
    Mail,
    Rcpt,
    Chunks,
}

/// Whether the command may come now.
pub(super) const fn check(stage: Stage, verb: Verb, protocol: Protocol) -> Result<(), Fault> {
    use Stage::{Chunks, Mail, Rcpt, Ready, Start};
    match (stage, verb) {
        // RFC 5321 §4.1.4: at any time, some even without EHLO.
        (
            Start | Ready | Mail | Rcpt | Chunks,
            Verb::Ehlo
            | Verb::Helo
            | Verb::Lhlo
            | Verb::Rset
            | Verb::Noop
            | Verb::Vrfy
            | Verb::Expn
            | Verb::Help
            | Verb::Quit,
        )
        | (Ready, Verb::Mail | Verb::Auth)
        | (Mail | Rcpt, Verb::Rcpt)
        | (Rcpt, Verb::Data)
        | (Rcpt | Chunks, Verb::Bdat)
        // It ends the transaction, since it makes us forget all (RFC 3207 §4.2).
        | (Ready | Mail | Rcpt | Chunks, Verb::StartTls) => Ok(()),
        (
            Start,
            Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::StartTls | Verb::Auth,
        ) => Err(Fault::HelloFirst(protocol.hello())),
        (Ready, Verb::Rcpt | Verb::Data | Verb::Bdat) => Err(Fault::MailFirst),
        // RFC 5321 §4.1.1.4 and §3.3 allow 503 as well as 554.
        (Mail, Verb::Data | Verb::Bdat) => Err(Fault::RecipientFirst),
        // RFC 5321 §4.1.4 for MAIL, RFC 4954 §4 for AUTH, RFC 3030 §2 between chunks.
        (Mail | Rcpt | Chunks, Verb::Mail | Verb::Auth) | (Chunks, Verb::Rcpt | Verb::Data) => {
            Err(Fault::InTransaction(verb))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_above_is_the_truth() {
        let mut table = String::new();
        let mut row = |cells: [&str; 6]| {
            let [verb, start, ready, mail, rcpt, chunks] = cells;
            let line = format!("//! {verb:9} {start:12}{ready:12}{mail:12}{rcpt:7}{chunks}");
            writeln!(table, "{}", line.trim_end()).unwrap();
        };
        row(["", "start", "ready", "mail", "rcpt", "chunks"]);
        for verb in Verb::ALL {
            let cell = |stage| match check(stage, verb, Protocol::Smtp) {
                Ok(()) => "yes",
                Err(Fault::HelloFirst(Verb::Ehlo)) => "EHLO first",
                Err(Fault::MailFirst) => "MAIL first",
                Err(Fault::RecipientFirst) => "RCPT first",
                Err(Fault::InTransaction(_)) => "later",
                Err(fault) => panic!("{fault:?} is not about order"),
            };
            let stages = [Stage::Start, Stage::Ready, Stage::Mail, Stage::Rcpt, Stage::Chunks];
            let [start, ready, mail, rcpt, chunks] = stages.map(cell);
            row([verb.name(), start, ready, mail, rcpt, chunks]);
        }
        assert!(include_str!("order.rs").contains(&table), "the table is now:\n{table}");
    }
}
