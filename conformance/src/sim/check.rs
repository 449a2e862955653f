//! The promise, checked against the store itself.

use std::collections::BTreeMap;
use std::path::Path;

use pillarbox::job::{Answer, Job};
use pillarbox_core::effect::Hands as _;
use pillarbox_store::{
    Address, Addressee, Flags, Found, Holder, Message, Read, Routing, Status, UidRange, What,
    verify,
};

use super::ledger::{ACCOUNTS, Kind, Ledger};
use super::seat::Client;
use super::world::World;

/// An INBOX as the store has it.
struct Inbox {
    status: Status,
    messages: Vec<Message>,
}

/// What clients were told is what there is.
///
/// # Errors
/// The store does not answer.
pub(super) fn views(world: &mut World) -> Result<(), String> {
    for account in 0..ACCOUNTS.len() {
        let inbox = inbox(world, account)?;
        let there: Vec<_> = inbox
            .messages
            .iter()
            .map(|message| (message.facts.uid, names(message.facts.flags)))
            .collect();
        let mut wrong = Vec::new();
        for (index, seat) in world.seats.iter().enumerate() {
            let Client::Reader(reader) = &seat.client else { continue };
            if reader.account != account {
                continue;
            }
            if reader.view.len() != there.len() {
                let (sees, is) = (reader.view.len(), there.len());
                wrong.push(format!("client {index} sees {sees} messages, there are {is}"));
            }
            for (seen, (uid, flags)) in reader.view.iter().zip(&there) {
                let agrees = seen.uid.is_none_or(|told| told == *uid)
                    && seen.flags.as_ref().is_none_or(|told| told == flags);
                if !agrees {
                    wrong.push(format!("client {index} sees {seen:?}, it is {uid} {flags:?}"));
                }
            }
        }
        for what in wrong {
            world.ledger.violation(what);
        }
    }
    Ok(())
}

/// Every letter is where it must be and nowhere else, as often as it may be.
///
/// # Errors
/// The store does not answer.
pub(super) fn letters(world: &mut World) -> Result<(), String> {
    for account in 0..ACCOUNTS.len() {
        let inbox = inbox(world, account)?;
        let ledger = &mut world.ledger;
        ledger.saw_uidvalidity(account, inbox.status.uidvalidity);
        let mut counts = BTreeMap::<usize, usize>::new();
        let mut last = 0;
        for message in &inbox.messages {
            let uid = message.facts.uid;
            if uid <= last || uid >= inbox.status.uidnext {
                ledger.violation(format!("UID {uid} after {last}, next {}", inbox.status.uidnext));
            }
            last = uid;
            let text = message.text.as_deref().unwrap_or_default();
            if let Some(number) = ledger.recognise(account, text) {
                ledger.saw(account, uid, number);
                *counts.entry(number).or_default() += 1;
            }
        }
        if let Some((_, highest)) =
            ledger.uids.range((account, 0)..=(account, u32::MAX)).next_back().map(|(key, _)| key)
            && *highest >= inbox.status.uidnext
        {
            ledger.violation(format!("UID {highest} was told, next is {}", inbox.status.uidnext));
        }
        count(ledger, account, &counts);
    }
    Ok(())
}

fn count(ledger: &mut Ledger, account: usize, counts: &BTreeMap<usize, usize>) {
    let mut wrong = Vec::new();
    for (number, letter) in ledger.letters.iter().enumerate() {
        if !letter.to.contains(&account) {
            continue;
        }
        let is = counts.get(&number).copied().unwrap_or(0);
        let sure = usize::from(letter.acknowledged);
        let least = if letter.deleting { 0 } else { sure };
        let most = if letter.kind == Kind::Smuggling { 0 } else { sure + letter.doubts };
        if is < least || is > most {
            wrong.push(format!(
                "letter {number} is {is} times in the mailbox of {}, must be {least} to {most} \
                 times (acknowledged {}, in doubt {} times)",
                ACCOUNTS.get(account).unwrap_or(&"?"),
                letter.acknowledged,
                letter.doubts
            ));
        }
    }
    for what in wrong {
        ledger.violation(what);
    }
}

/// The closed store is whole.
pub(super) fn whole(dir: &Path, ledger: &mut Ledger) {
    let mut findings = Vec::new();
    let verified = verify::verify(dir, &mut |finding| findings.push(finding.to_string()));
    if let Err(error) = verified {
        findings.push(error.to_string());
    }
    for finding in findings {
        ledger.violation(format!("verify: {finding}"));
    }
}

fn inbox(world: &mut World, account: usize) -> Result<Inbox, String> {
    let localpart = (*ACCOUNTS.get(account).unwrap_or(&"?")).to_owned();
    let to = Address { localpart, domain: "localhost".into() };
    let question = Read::Resolve { to, from: None, routing: Routing::default() };
    let Found::Addressee(Addressee::Account(Holder { account: by, .. }), _) = ask(world, question)?
    else {
        return Err("no account".into());
    };
    let question = Read::MailboxByName { account: by, name: "INBOX".into() };
    let Found::Mailbox(info) = ask(world, question)? else { return Err("no INBOX".into()) };
    let mailbox = info.id;
    let Found::Status(status) = ask(world, Read::Status { by, mailbox })? else {
        return Err("no status".into());
    };
    let mut messages = Vec::new();
    let mut after = Some(0);
    while let Some(start) = after {
        let question = Read::Messages {
            by,
            mailbox,
            uids: vec![UidRange::ALL],
            after: start,
            count_max: 100,
            what: What::Text { each_max: u64::MAX, all_max: 8 << 20 },
            also_expunged: false,
        };
        let Found::Messages(page) = ask(world, question)? else { return Err("no page".into()) };
        messages.extend(page.messages);
        after = page.more;
    }
    Ok(Inbox { status, messages })
}

fn ask(world: &mut World, question: Read) -> Result<Found, String> {
    let Some(house) = world.house() else { return Err("the server is not running".into()) };
    let mut answers = Vec::new();
    house.reader.carry_out(vec![Job::Read(question)], &mut answers);
    match answers.pop() {
        Some(Answer::Found(Ok(found))) => Ok(found),
        other => Err(format!("{other:?}")),
    }
}

/// Flags as an IMAP client has them.
fn names(flags: Flags) -> String {
    let mut names = Vec::new();
    for (flag, name) in [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::DRAFT, "\\Draft"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::SEEN, "\\Seen"),
    ] {
        if flags.contains(flag) {
            names.push(name);
        }
    }
    names.join(" ")
}
