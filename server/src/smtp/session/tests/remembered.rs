//! A password that was right a moment ago is not checked again.

use pillarbox_store::{Credentials, Secret, StoreError};

use super::*;

/// Ann, as the store has her now.
fn ann(stored: &str) -> Result<Found, StoreError> {
    let secrets = vec![Secret::Argon2id(stored.into())];
    Ok(Found::Credentials(Credentials { account: AccountId(1), name: "ann".into(), secrets }))
}

/// One login with the password `secret`, from its first step to its answer. `right` is what the
/// slow check says; says whether it was asked.
fn login(context: &Arc<Context>, at: u64, found: Result<Found, StoreError>, right: bool) -> bool {
    let mut rig = Rig::new(context, true, "192.0.2.1");
    rig.now.moment = rig.now.moment + Duration::from_secs(at);
    rig.say(b"EHLO a\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
    let (id, _) = rig.effects().remove(0);
    rig.step(Input::Done(id, Completion::Answer(Ok(Answer::Found(found)))));
    let checks: Vec<_> = rig.effects();
    let asked = match &checks[..] {
        [(id, Effect::Job(Job::Check { .. }))] => {
            rig.step(Input::Done(*id, Completion::Answer(Ok(Answer::Checked(right)))));
            true
        }
        // It is noted, and the account is watched.
        [(_, Effect::Notify(_)), (_, Effect::Watch(_))] => false,
        other => panic!("{other:?}"),
    };
    let said = rig.said();
    assert_eq!(said.contains("\r\n235 2.7.0"), right || !asked, "{said}");
    asked
}

#[test]
fn a_phone_that_comes_back_costs_no_check() {
    let context = context(&Allowances::default());
    assert!(login(&context, 0, ann("one"), true));
    assert!(!login(&context, 1, ann("one"), true));
    assert!(!login(&context, 599, ann("one"), true));
    assert!(login(&context, 600, ann("one"), true));
    assert_eq!(context.counters.logins_remembered.value(), 2);
}

#[test]
fn another_password_a_removed_and_a_disabled_account_are_checked_at_once() {
    let context = context(&Allowances::default());
    assert!(login(&context, 0, ann("one"), true));
    assert!(login(&context, 1, ann("two"), false), "the password was changed");
    assert!(login(&context, 1, Err(StoreError::NoSuchAccount), false), "it was removed");
    let disabled = Credentials { account: AccountId(1), name: "ann".into(), secrets: Vec::new() };
    assert!(login(&context, 1, Ok(Found::Credentials(disabled)), false), "it is out of use");
    assert!(!login(&context, 2, ann("one"), true), "the old one is back");
}

#[test]
fn a_wrong_password_is_not_remembered() {
    let context = context(&Allowances::default());
    assert!(login(&context, 0, ann("one"), false));
    assert!(login(&context, 1, ann("one"), false));
}

#[test]
fn nothing_is_remembered_where_that_is_turned_off() {
    let context =
        Context::new("localhost".into(), 1, &Allowances::default(), [7; 32], || Box::new(Sevens));
    let context = Arc::new(context.remembering(Duration::ZERO));
    assert!(login(&context, 0, ann("one"), true));
    assert!(login(&context, 0, ann("one"), true));
}
