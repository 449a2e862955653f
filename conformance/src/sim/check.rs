//! The promise, checked against the store itself.

use std::collections::BTreeMap;
use std::path::Path;

use pillarbox::job::{Answer, Job};
use pillarbox_core::effect::Hands as _;
use pillarbox_store::{
    Address, Addressee, Flags, Found, Holder, Keyword, Message, Read, Routing, Status, UidRange,
    What, verify,
};

use super::ledger::{ACCOUNTS, Kind, Ledger, MAILBOXES, Place, keyword};
use super::reader::ImapReader;
use super::seat::Client;
use super::world::World;

/// A mailbox as the store has it.
struct Mailbox {
    status: Status,
    keywords: Vec<Keyword>,
    messages: Vec<Message>,
}

/// What clients were told is what there is.
///
/// # Errors
/// The store does not answer.
pub(super) fn views(world: &mut World) -> Result<(), String> {
    for place in places() {
        let mailbox = mailbox(world, place)?;
        let there: Vec<_> =
            mailbox.messages.iter().map(|one| (one.facts.uid, mailbox.names(one))).collect();
        let mut wrong = Vec::new();
        for (index, seat) in world.seats.iter().enumerate() {
            if let Client::Reader(reader) = &seat.client
                && reader.place() == place
            {
                wrong.extend(view(reader, &there).map(|what| format!("client {index} {what}")));
            }
        }
        for what in wrong {
            world.ledger.violation(what);
        }
    }
    Ok(())
}

/// What a client sees that is not so.
fn view<'a>(
    reader: &'a ImapReader,
    there: &'a [(u32, String)],
) -> impl Iterator<Item = String> + 'a {
    let (sees, is) = (reader.view.len(), there.len());
    let count = (sees != is).then(|| format!("sees {sees} messages, there are {is}"));
    let differ = reader.view.iter().zip(there).filter(|(seen, (uid, flags))| {
        seen.uid.is_some_and(|told| told != *uid)
            || seen.flags.as_ref().is_some_and(|told| told != flags)
    });
    count.into_iter().chain(differ.map(|(seen, is)| format!("sees {seen:?}, it is {is:?}")))
}

fn places() -> impl Iterator<Item = Place> {
    (0..ACCOUNTS.len()).flat_map(|account| (0..MAILBOXES.len()).map(move |one| (account, one)))
}

/// Every letter is where it must be and nowhere else, as often as it may be.
///
/// # Errors
/// The store does not answer.
pub(super) fn letters(world: &mut World) -> Result<(), String> {
    let mut counts = BTreeMap::<(usize, usize), usize>::new();
    for place in places() {
        let mailbox = mailbox(world, place)?;
        let (account, next) = (place.0, mailbox.status.uidnext);
        let ledger = &mut world.ledger;
        ledger.saw_uidvalidity(place, mailbox.status.uidvalidity);
        let mut last = 0;
        for message in &mailbox.messages {
            let uid = message.facts.uid;
            if uid <= last || uid >= next {
                ledger.violation(format!("UID {uid} after {last}, next {next}"));
            }
            last = uid;
            let text = message.text.as_deref().unwrap_or_default();
            if let Some(number) = ledger.recognise(account, text) {
                ledger.saw(place, uid, number);
                *counts.entry((account, number)).or_default() += 1;
            }
            keywords(ledger, place, uid, &mailbox.names(message));
        }
        if let Some(((_, highest), _)) =
            ledger.uids.range((place, 0)..=(place, u32::MAX)).next_back()
            && *highest >= next
        {
            ledger.violation(format!("UID {highest} was told, next is {next}"));
        }
    }
    for account in 0..ACCOUNTS.len() {
        count(&mut world.ledger, account, &counts);
    }
    Ok(())
}

/// What a reader was told to be stored is stored.
fn keywords(ledger: &mut Ledger, place: Place, uid: u32, flags: &str) {
    let known = ledger.own.range((place, uid, 0)..=(place, uid, usize::MAX));
    let has = |reader| flags.split(' ').any(|flag| flag == keyword(reader));
    let lost = known.filter(|((.., reader), own)| has(*reader) != **own);
    let lost: Vec<_> = lost.map(|((.., reader), own)| (*reader, *own)).collect();
    for (reader, own) in lost {
        ledger.violation(format!("UID {uid} in {place:?}: {} must be {own}", keyword(reader)));
    }
}

fn count(ledger: &mut Ledger, account: usize, counts: &BTreeMap<(usize, usize), usize>) {
    let mut wrong = Vec::new();
    for (number, letter) in ledger.letters.iter().enumerate() {
        if !letter.to.contains(&account) {
            continue;
        }
        let is = counts.get(&(account, number)).copied().unwrap_or(0);
        let (copied, perhaps) = letter.copies.get(&account).copied().unwrap_or_default();
        let sure = usize::from(letter.acknowledged) + copied;
        let least = if letter.deleting { 0 } else { sure };
        let most = if letter.kind == Kind::Smuggling { 0 } else { sure + letter.doubts + perhaps };
        if is < least || is > most {
            wrong.push(format!(
                "letter {number} is {is} times in the mailboxes of {}, must be {least} to {most} \
                 times (acknowledged {}, in doubt {} times, copies {:?})",
                ACCOUNTS.get(account).unwrap_or(&"?"),
                letter.acknowledged,
                letter.doubts,
                letter.copies.get(&account)
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

fn mailbox(world: &mut World, (account, place): Place) -> Result<Mailbox, String> {
    let localpart = (*ACCOUNTS.get(account).unwrap_or(&"?")).to_owned();
    let to = Address { localpart, domain: "localhost".into() };
    let question = Read::Resolve { to, from: None, routing: Routing::default() };
    let Found::Addressee(Addressee::Account(Holder { account: by, .. }), _) = ask(world, question)?
    else {
        return Err("no account".into());
    };
    let name = (*MAILBOXES.get(place).unwrap_or(&"?")).to_owned();
    let question = Read::MailboxByName { account: by, name };
    let Found::Mailbox(info) = ask(world, question)? else { return Err("no mailbox".into()) };
    let mailbox = info.id;
    let Found::Selected(selected) = ask(world, Read::Select { by, mailbox, since: None })? else {
        return Err("no keywords".into());
    };
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
    Ok(Mailbox { status, keywords: selected.keywords, messages })
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

impl Mailbox {
    /// A message's flags as an IMAP client has them.
    fn names(&self, message: &Message) -> String {
        let flags = message.facts.flags;
        let system = [
            (Flags::ANSWERED, "\\Answered"),
            (Flags::DELETED, "\\Deleted"),
            (Flags::DRAFT, "\\Draft"),
            (Flags::FLAGGED, "\\Flagged"),
            (Flags::SEEN, "\\Seen"),
        ];
        let keywords = self.keywords.iter().map(|known| (known.flag(), known.name.as_str()));
        let all = system.into_iter().chain(keywords).filter(|(flag, _)| flags.contains(*flag));
        let mut names: Vec<_> = all.map(|(_, name)| name).collect();
        names.sort_unstable();
        names.join(" ")
    }
}
