//! The mailbox that a session has selected, and keeping its client up to date.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use pillarbox_core::effect::Effect;
use pillarbox_core::flow::{Desk, Pen};
use pillarbox_core::imap::Enabled;
use pillarbox_core::imap::command::MessageSet;
use pillarbox_core::imap::flags::{FlagBits, Keywords};
use pillarbox_core::imap::response;
use pillarbox_core::imap::view::{Changes, Expunges, NoSuchMessage, Stretch, View};
use pillarbox_core::mime::Structure;
use pillarbox_core::{EffectId, Moment};
use pillarbox_store::{
    AccountId, Found, Keyword, MailboxId, Read, Replaced, StoreError, UidRange, Write,
};

use super::fetch::binary::Decoding;
use super::pins::{Pin, Pins};
use super::recents::{Claims, Recents};
use crate::job::{self, Job};

/// Answers are poured out when this many bytes have gathered.
pub(super) const GATHERED_MAX: usize = 64 << 10;

/// What a command's flow works with.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) desk: Desk<Job>,
    pub(super) pen: Pen,
    pub(super) account: AccountId,
    /// What the client has switched on.
    pub(super) enabled: Enabled,
    /// The command's tag.
    pub(super) tag: Box<str>,
    /// The moment of the machine's present step.
    pub(super) clock: Rc<Cell<Moment>>,
    /// The largest message of APPEND.
    pub(super) append_bytes_max: u32,
    pub(super) pins: Arc<Pins>,
    pub(super) recents: Arc<Recents>,
}

/// A selected mailbox.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: MailboxId,
    pub(super) read_only: bool,
    pub(super) view: View,
    pub(super) keywords: Keywords,
    /// The watch that tells of changes.
    pub(super) watch: EffectId,
    pub(super) pin: Pin,
    pub(super) claims: Claims,
    /// The client was told that MODSEQs count here.
    pub(super) aware: bool,
    /// The highest MODSEQ that it was told of a message.
    pub(super) told_modseq: u64,
    /// It was told that it does not know all up to there.
    pub(super) behind: bool,
    /// The parts of the large message that was looked into last, by UID: clients ask for such a
    /// message in many small pieces.
    pub(super) parsed: Option<(u32, Rc<Structure>)>,
    /// Where decoding was left off: clients ask for large parts, too, in many pieces.
    pub(super) decoding: Option<Decoding>,
}

impl Tools {
    /// Whether the client goes by RFC 9051.
    pub(super) const fn rev2(&self) -> bool {
        self.enabled.has(Enabled::IMAP4REV2)
    }

    /// Whether a message is told as recent: RFC 9051 knows no such messages (appendix E).
    pub(super) fn is_recent(&self, open: &Open, uid: u32) -> bool {
        !self.rev2() && open.view.is_recent(uid)
    }

    pub(super) async fn read(&self, label: &'static str, read: Read) -> Result<Found, StoreError> {
        job::read(&self.desk, label, read).await
    }

    /// Tells the other sessions of a mailbox that something has changed there.
    pub(super) fn notify(&self, mailbox: MailboxId) {
        self.desk.send(Effect::Notify(crate::topic_of(mailbox)));
    }

    /// Lets expunged messages go that nobody numbers any more.
    pub(super) fn purge(&self, mailbox: MailboxId) {
        if let Some(up_to_modseq) = self.pins.due(mailbox) {
            self.desk.send(Effect::Job(Job::Write(Write::Purge { mailbox, up_to_modseq })));
        }
    }
}

impl Open {
    /// Takes in what has changed and tells what may be told now. What has the MODSEQ `own` is the
    /// session's own change, which it has told already, or was asked not to.
    pub(super) async fn sync(
        &mut self,
        tools: &Tools,
        expunges: Expunges,
        own: Option<u64>,
    ) -> Result<(), StoreError> {
        self.acquaint(tools);
        let question =
            Read::Changes { by: tools.account, mailbox: self.id, since: self.view.modseq() };
        let Found::Changes(found) = tools.read("changes", question).await? else {
            return Err(job::astray("changes"));
        };
        self.learn_keywords(&found.keywords, &tools.pen);
        if let Some(last) = found.new.last().map(|state| state.uid) {
            let claimed =
                if self.read_only { self.claims.claimed() } else { self.claims.claim(last) };
            self.view.mark_recent(claimed, last);
        }
        let changed = found.changed.iter().filter(|state| Some(state.modseq) != own);
        self.view.note(&Changes {
            new: found.new.iter().map(|state| state.uid).collect(),
            flags: changed.map(|s| (s.uid, FlagBits(s.flags.0), s.modseq)).collect(),
            vanished: found.vanished.iter().map(|range| (range.first, range.last)).collect(),
            modseq: found.modseq,
        });
        self.tell(tools, expunges).await;
        Ok(())
    }

    /// Tells what may be told now, as the client takes it.
    pub(super) async fn tell(&mut self, tools: &Tools, expunges: Expunges) {
        loop {
            let (view, keywords) = (&mut self.view, &self.keywords);
            let more = tools.pen.write(|out| {
                let room = |out: &Vec<u8>| out.len() < GATHERED_MAX;
                view.tell(expunges, tools.enabled, keywords, out, room)
            });
            if !more {
                break;
            }
            tools.pen.room().await;
        }
        if self.view.is_settled() {
            self.pin.advance(self.view.modseq());
            tools.purge(self.id);
        }
    }

    /// RFC 3501 §7.2.6: new keywords are told before they are used.
    pub(super) fn learn_keywords(&mut self, known: &[Keyword], pen: &Pen) {
        if known.len() > self.keywords.len() {
            self.keywords = keywords(known);
            pen.write(|out| response::flags(&self.keywords, out));
        }
    }

    /// The one message that a set names (RFC 8508 §5): none by a UID that there is not, or no more.
    pub(super) fn only(&self, set: &MessageSet) -> Result<Option<Replaced>, NoSuchMessage> {
        let stretches = self.view.resolve(set)?;
        let first = stretches.first().map(|stretch| stretch.uids().0);
        Ok(first.map(|uid| Replaced { mailbox: self.id, uid }))
    }

    /// Has the store keep what was claimed as recent; nobody waits for it.
    pub(super) fn store_claims(&self, tools: &Tools) {
        if let Some(up_to) = self.claims.due() {
            let claim = Write::Claim { by: tools.account, mailbox: self.id, up_to };
            tools.desk.send(Effect::Job(Job::Write(claim)));
        }
    }

    /// Ends it: nothing is watched and nothing is numbered any more.
    pub(super) fn close(self, tools: &Tools) {
        tools.desk.send(Effect::Release(self.watch));
        let id = self.id;
        self.store_claims(tools);
        drop(self);
        tools.purge(id);
    }
}

/// The store's keywords in the order of their bits.
pub(super) fn keywords(known: &[Keyword]) -> Keywords {
    let mut sorted: Vec<_> = known.iter().collect();
    sorted.sort_by_key(|keyword| keyword.bit);
    Keywords::new(sorted.into_iter().map(|keyword| keyword.name.as_str()))
}

/// Messages of the view as the store's ranges.
pub(super) fn ranges(stretches: &[Stretch]) -> Vec<UidRange> {
    stretches
        .iter()
        .map(|stretch| {
            let (first, last) = stretch.uids();
            UidRange { first, last }
        })
        .collect()
}
