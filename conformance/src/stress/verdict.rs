//! The end: nobody does anything any more, and all must agree.

use std::collections::BTreeMap;

use crate::address::imap::response::Value;
use crate::address::keeper::quoted;

use super::client::{Client, Stop};
use super::letter::is_delivered;
use super::record::Record;
use super::view::{Flags, View, item};

/// A mailbox as it is, by UID.
pub(super) type Truth = BTreeMap<u32, Message>;

/// What is known of a message by looking at it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    flags: Flags,
    letter: u64,
    modseq: Option<u64>,
}

/// Looks at a mailbox that stays, with fresh eyes, and at what is known of it.
pub(super) fn truth(judge: &mut Client<'_>, mailbox: &str) -> Result<Truth, Stop> {
    judge.open(mailbox, true)?;
    let (mut truth, count) = (Truth::new(), judge.view.as_ref().map_or(0, |view| view.seen.len()));
    if count > 0 {
        let modseq = if judge.announces("CONDSTORE") { " MODSEQ" } else { "" };
        let answer = judge.ask(&format!("FETCH 1:* (UID FLAGS{modseq} BODY.PEEK[])"))?;
        for (uid, items) in &answer.fetched {
            let text = item(items, "BODY[]").map(|text| match text {
                Value::Text(text) => text.clone(),
                other => other.text().into_bytes(),
            });
            let letter = text.and_then(|text| judge.mint.number_in(&text));
            if let Some((uid, letter)) = uid.zip(letter) {
                let view = judge.view.as_ref();
                let seen = view.and_then(|view| view.seen.get(view.place_of(uid)?)).cloned();
                let seen = seen.unwrap_or_default();
                let (flags, modseq) = (seen.flags.unwrap_or_default(), seen.modseq);
                truth.insert(uid, Message { flags, letter, modseq });
            }
        }
    }
    if truth.len() != count {
        return Err(Stop::Wrong(format!("{mailbox}: {} of {count} can be read", truth.len())));
    }
    let shared = judge.plan.mailboxes.first().is_some_and(|name| name == mailbox);
    accounts(judge.record, mailbox, shared, &truth).map_err(Stop::Wrong)?;
    keywords(judge, mailbox, &truth).map_err(Stop::Wrong)?;
    Ok(truth)
}

/// Nothing is lost, nothing is there that nobody has made, and nothing that has gone.
fn accounts(record: &Record, mailbox: &str, shared: bool, truth: &Truth) -> Result<(), String> {
    for uid in record.sure(mailbox) {
        if !truth.contains_key(&uid) {
            return Err(format!("UID {uid} of {mailbox} is lost"));
        }
    }
    for (uid, Message { letter, .. }) in truth {
        if record.is_gone(mailbox, *uid) {
            return Err(format!("UID {uid} of {mailbox} was gone, and is there"));
        }
        if is_delivered(*letter) && shared && !record.is_claimed(mailbox, *uid) {
            record.arrives(mailbox, *uid, *letter)?;
        } else if !record.is_accounted_for(mailbox, *uid, *letter) {
            return Err(format!("UID {uid} of {mailbox}, letter {letter}: nobody has made it"));
        }
    }
    match record.never_seen(mailbox).filter(|_| shared) {
        Some(letter) => Err(format!("letter {letter} was taken by SMTP, and nobody has seen it")),
        None => Ok(()),
    }
}

/// No client's change of its own keyword is lost.
fn keywords(judge: &Client<'_>, mailbox: &str, truth: &Truth) -> Result<(), String> {
    for (uid, Message { flags, .. }) in truth {
        for client in 0..judge.plan.clients {
            let keyword = super::client::keyword(client);
            let has = flags.contains(&keyword);
            if judge.record.own(mailbox, *uid, client).is_some_and(|own| own != has) {
                return Err(format!("{keyword} of UID {uid} of {mailbox}: it was changed in vain"));
            }
        }
    }
    Ok(())
}

/// A client that asks for what is new then knows what there is.
pub(super) fn agrees(client: &mut Client<'_>, truth: &Truth) -> Result<(), Stop> {
    client.ask("NOOP")?;
    while client.view.as_ref().and_then(View::unknown).is_some() {
        let before = client.view.clone().map(|view| view.seen);
        client.learn()?;
        if before == client.view.clone().map(|view| view.seen) {
            return Err(Stop::Wrong("some messages cannot be looked at".into()));
        }
    }
    let counts_changes = client.counts_changes();
    let Some(view) = &client.view else { return Ok(()) };
    let (sees, is) = (view.seen.len(), truth.len());
    if sees != is {
        return Err(Stop::Wrong(format!("it sees {sees} messages, there are {is}")));
    }
    for (seen, (uid, Message { flags, modseq, .. })) in view.seen.iter().zip(truth) {
        if seen.uid != Some(*uid) {
            return Err(Stop::Wrong(format!("it sees UID {:?}, it is {uid}", seen.uid)));
        }
        if seen.flags.as_ref() != Some(flags) {
            let what = format!("it sees {:?} of UID {uid}, there are {flags:?}", seen.flags);
            return Err(Stop::Wrong(what));
        }
        // RFC 7162 §3.1: told with each change, one's own in silence too.
        if counts_changes && seen.modseq != *modseq {
            let what = format!("it knows MODSEQ {:?} of UID {uid}, it is {modseq:?}", seen.modseq);
            return Err(Stop::Wrong(what));
        }
    }
    Ok(())
}

/// Removes what the run has made.
pub(super) fn tidy(client: &mut Client<'_>) -> Result<(), Stop> {
    // A session may end when its mailbox is deleted.
    client.again().map_err(Stop::Wrong)?;
    for name in client.plan.mailboxes.clone() {
        if name == super::INBOX {
            empty(client)?;
        } else {
            client.ask(&format!("DELETE {}", quoted(&name)))?;
        }
    }
    Ok(())
}

/// Removes all that is in INBOX, which cannot be deleted (RFC 3501 §6.3.4).
pub(super) fn empty(client: &mut Client<'_>) -> Result<(), Stop> {
    for command in ["SELECT INBOX", "UID STORE 1:* +FLAGS.SILENT (\\Deleted)", "CLOSE"] {
        client.ask(command)?;
    }
    Ok(())
}
