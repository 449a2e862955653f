//! Changes of very many messages: in pieces, between which others have their turn.

use pillarbox_store::{
    Change, Flags, MESSAGES_MAX, MailboxId, Moved, Place, UidRange, Write, Written,
};

use crate::fixture::{Fixture, NOW, inline, recipient};

/// A mailbox of so many messages: a few are delivered, and copied again and again.
fn filled(fixture: &mut Fixture, count: u32) -> MailboxId {
    let inbox = fixture.inbox();
    for number in 0..100 {
        fixture.deliver(&format!("Subject: {number}\r\n\r\n"));
    }
    let mut have = 100;
    while have < count {
        let last = have.min(count - have);
        let uids = vec![UidRange { first: 1, last }];
        let (by, now) = (fixture.ann, NOW);
        fixture.done(Write::Copy { by, from: inbox, uids, to: inbox, now });
        have += last;
    }
    inbox
}

fn count(fixture: &mut Fixture, mailbox: MailboxId) -> u64 {
    fixture.select(mailbox).status.messages
}

/// One delivery, in a commit of its own between two pieces.
fn between(fixture: &mut Fixture) {
    let to = recipient(fixture.ann, Place::Inbox);
    fixture.done(crate::fixture::deliver(vec![to], inline("Subject: between\r\n\r\n")));
}

#[test]
fn flags_of_a_hundred_thousand_change_in_pieces() {
    let mut fixture = Fixture::new();
    let inbox = filled(&mut fixture, 100_000);
    let (mut left, mut pieces, mut modseq) = (vec![UidRange::ALL], 0, 0);
    let last = fixture.select(inbox).status.uidnext - 1;
    while !left.is_empty() {
        let Written::Flagged(flagged) = fixture.flag(&left, Change::Add, Flags::SEEN) else {
            panic!("no flags")
        };
        assert!(flagged.messages.len() <= MESSAGES_MAX);
        // Each piece has a MODSEQ of its own: who looks between two misses none.
        assert!(flagged.modseq > Some(modseq));
        modseq = flagged.modseq.unwrap();
        left = flagged.more.map(|uid| UidRange::after(&left, uid)).unwrap_or_default();
        left.retain(|range| range.first <= last);
        pieces += 1;
        between(&mut fixture);
    }
    assert_eq!(pieces, 100_000 / MESSAGES_MAX);
    let status = fixture.select(inbox).status;
    assert_eq!(status.unseen, u64::try_from(pieces).unwrap());
}

#[test]
fn what_is_deleted_goes_in_pieces_and_is_purged_in_pieces() {
    let mut fixture = Fixture::new();
    let most = u32::try_from(MESSAGES_MAX).unwrap();
    let total = 3 * most;
    let inbox = filled(&mut fixture, total + 10);
    let mut left = vec![UidRange { first: 1, last: total }];
    while !left.is_empty() {
        let Written::Flagged(flagged) = fixture.flag(&left, Change::Add, Flags::DELETED) else {
            panic!("no flags")
        };
        left = flagged.more.map(|uid| UidRange::after(&left, uid)).unwrap_or_default();
    }
    let (mut left, mut gone) = (vec![UidRange::ALL], Vec::new());
    while !left.is_empty() {
        let uids = Some(left.clone());
        let done = fixture.done(Write::Expunge { by: fixture.ann, mailbox: inbox, uids });
        let Written::Expunged(expunged) = done else { panic!("{done:?}") };
        assert!(expunged.uids.len() <= MESSAGES_MAX);
        left = expunged.more.map(|uid| UidRange::after(&left, uid)).unwrap_or_default();
        gone.extend(expunged.uids);
        between(&mut fixture);
    }
    assert_eq!(gone, (1..=total).collect::<Vec<_>>());
    assert_eq!(count(&mut fixture, inbox), 10 + 3);
    let purge = Write::Purge { mailbox: inbox, up_to_modseq: u64::MAX };
    assert_eq!(fixture.done(purge), Written::Purged(u64::from(most)));
    assert_eq!(fixture.messages(inbox, true).len(), usize::try_from(2 * most + 13).unwrap());
    assert!(fixture.writer.go_on());
    between(&mut fixture);
    // What is left after that says so, until nothing is found.
    while fixture.writer.go_on() {}
    assert_eq!(fixture.messages(inbox, true).len(), 14);
    assert!(!fixture.writer.go_on());
    let vanished = fixture.changes(inbox, 0).vanished;
    assert!(vanished.iter().all(|range| range.last <= total), "{vanished:?}");
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn what_is_moved_in_pieces_is_in_one_place_wherever_that_ends() {
    let mut fixture = Fixture::new();
    let most = u32::try_from(MESSAGES_MAX).unwrap();
    let inbox = filled(&mut fixture, 3 * most);
    let archive = fixture.mailbox(fixture.ann, "Archive");
    let mut left = vec![UidRange::ALL];
    for turn in 1..=3_u32 {
        let job =
            Write::Move { by: fixture.ann, from: inbox, uids: left.clone(), to: archive, now: NOW };
        let Written::Moved(Moved { pairs, more, .. }) = fixture.done(job) else {
            panic!("not moved")
        };
        assert_eq!(pairs.len(), MESSAGES_MAX);
        left = UidRange::after(&left, more.unwrap());
        // A crash here.
        fixture = fixture.reopen();
        let there = count(&mut fixture, archive);
        assert_eq!(there, u64::from(turn * most));
        assert_eq!(count(&mut fixture, inbox) + there, u64::from(3 * most));
    }
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}
