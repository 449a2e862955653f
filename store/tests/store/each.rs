//! One letter to each recipient by itself.

use pillarbox_store::{
    AccountId, Delivered, Leaving, Place, Quota, Recipient, StoreError, Write, Written,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::fixture::{Fixture, NOW, inline, recipient};

type Each = Vec<Result<Option<Delivered>, StoreError>>;

fn deliver_each(
    fixture: &mut Fixture,
    recipients: Vec<Recipient>,
    text: &str,
) -> Result<Each, StoreError> {
    let write = Write::DeliverEach {
        recipients,
        body: inline(text),
        leaving: Leaving::default(),
        received: NOW,
    };
    match fixture.write(write)? {
        Written::DeliveredEach(each) => Ok(each),
        other => panic!("{other:?}"),
    }
}

fn quota(fixture: &mut Fixture, account: AccountId, bytes: u64) {
    fixture.done(Write::SetQuota { account, quota: Quota::Bytes(bytes) });
}

#[test]
fn who_cannot_have_it_stands_in_nobodys_way() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let inbox = fixture.inbox();
    let to = |account| recipient(account, Place::Inbox);
    let (first, nobody) = (Delivered { mailbox: inbox, uid: 1 }, AccountId(99));
    fixture.done(Write::SetDisabled { account: bob, disabled: true });
    let each = deliver_each(&mut fixture, vec![to(bob), to(ann), to(nobody)], "1");
    let expected = [Err(StoreError::Disabled), Ok(Some(first)), Err(StoreError::NoSuchAccount)];
    assert_eq!(each.unwrap(), expected);
    fixture.done(Write::SetDisabled { account: bob, disabled: false });
    quota(&mut fixture, bob, 3);
    let each = deliver_each(&mut fixture, vec![to(bob), to(ann), to(ann)], "2").unwrap();
    assert_eq!(each[0], Err(StoreError::OverQuota));
    assert_eq!(each[1], Ok(Some(Delivered { uid: 2, ..first })));
    assert_eq!(each[2], Ok(Some(Delivered { uid: 3, ..first })), "one copy for each address");
    let empty = deliver_each(&mut fixture, vec![], "3");
    assert!(matches!(empty, Err(StoreError::Misuse(_))));
    // What is nobody's own misfortune is everybody's.
    let wrong = recipient(ann, Place::Mailbox(pillarbox_store::MailboxId(99)));
    assert_eq!(
        deliver_each(&mut fixture, vec![to(ann), wrong], "4"),
        Err(StoreError::NoSuchMailbox)
    );
    assert_eq!(fixture.select(inbox).status.messages, 3);
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn where_nobody_can_have_it_nothing_holds_its_file() {
    let mut fixture = Fixture::new();
    let bob = fixture.bob;
    quota(&mut fixture, bob, 0);
    let body = fixture.file(1, &[b'x'; 5_000]);
    let recipients = vec![recipient(bob, Place::Inbox)];
    let done = fixture.write(Write::DeliverEach {
        recipients,
        body,
        leaving: Leaving::default(),
        received: NOW,
    });
    assert_eq!(done, Ok(Written::DeliveredEach(vec![Err(StoreError::OverQuota)])));
    let (fixture, found) = fixture.reopen().verified();
    assert_eq!(found, [""; 0]);
    assert_eq!(fixture.body_files(), 0, "swept");
}

#[test]
fn a_member_has_one_copy() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let member = |account| Recipient { alias: Some(0), ..recipient(account, Place::Inbox) };
    let recipients = vec![member(ann), member(bob), recipient(ann, Place::Inbox)];
    let each = deliver_each(&mut fixture, recipients, "1").unwrap();
    assert!(matches!(each[..], [Ok(None), Ok(Some(_)), Ok(Some(_))]), "{each:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn each_goes_as_room_is(
        letters in vec((vec(0..2_usize, 1..6), 0..60_usize), 1..12),
        rooms in [0..400_u64, 0..400_u64],
    ) {
        let mut fixture = Fixture::new();
        let accounts = [fixture.ann, fixture.bob];
        let (mut left, mut uids) = (rooms, [0, 0]);
        accounts.into_iter().zip(rooms).for_each(|(account, room)| quota(&mut fixture, account, room));
        for (to, len) in letters {
            let recipients: Vec<_> =
                to.iter().map(|number| recipient(accounts[*number], Place::Inbox)).collect();
            let size = (recipients[0].prefix.len() + len) as u64;
            let each = deliver_each(&mut fixture, recipients, &"x".repeat(len)).unwrap();
            prop_assert_eq!(each.len(), to.len());
            for (number, outcome) in to.into_iter().zip(each) {
                if left[number] >= size {
                    left[number] -= size;
                    uids[number] += 1;
                    prop_assert_eq!(outcome.unwrap().unwrap().uid, uids[number]);
                } else {
                    prop_assert_eq!(outcome, Err(StoreError::OverQuota));
                }
            }
        }
        let (fixture, found) = fixture.verified();
        prop_assert_eq!(found, Vec::<String>::new());
        drop(fixture);
    }
}
