//! Guesses at one account from many networks.

use pillarbox_store::{Credentials, Read, Secret, StoreError};

use super::*;

/// One try to log in to `login` from `peer`, whose password is wrong unless `right`. `known`: that
/// the store knows the network. Says what the client hears, and how many questions were asked.
fn login(context: &Arc<Context>, peer: &str, name: &str, right: bool, known: bool) -> String {
    let mut rig = Rig::new(context, true, peer);
    let encoded = match name {
        "ann" => "AGFubgBzZWNyZXQ=",
        _ => "AGJlYQBzZWNyZXQ=",
    };
    rig.say(format!("EHLO a\r\nAUTH PLAIN {encoded}\r\n").as_bytes());
    let mut questions = 0;
    while let Some((id, effect)) = (!rig.effects.is_empty()).then(|| rig.effects.remove(0)) {
        let answer = match effect {
            Effect::Job(Job::Read(Read::Credentials { login })) => {
                Answer::Found(if login == "ann" {
                    let secrets = vec![Secret::Argon2id("phc".into())];
                    let (account, name) = (AccountId(1), "ann".into());
                    Ok(Found::Credentials(Credentials { account, name, secrets }))
                } else {
                    Err(StoreError::NoSuchAccount)
                })
            }
            Effect::Job(Job::Read(Read::KnowsNetwork { .. })) => {
                Answer::Found(Ok(Found::KnowsNetwork(known)))
            }
            Effect::Job(Job::Check { .. }) => Answer::Checked(right),
            Effect::Watch(_) | Effect::Notify(_) => continue,
            other => panic!("{other:?}"),
        };
        questions += 1;
        rig.step(Input::Done(id, Completion::Answer(Ok(answer))));
    }
    let said = rig.said();
    let last = said.lines().last().unwrap();
    format!("{questions} {}", last.get(..9).unwrap())
}

/// Three wrong passwords an hour for each account, and none is remembered that was right.
fn three_each() -> Arc<Context> {
    let allowances = Allowances { failed_logins_per_account: 3, ..Allowances::default() };
    let random = || Box::new(Sevens) as _;
    let context = Context::new("localhost".into(), 1, &allowances, [7; 32], random);
    Arc::new(context.remembering(Duration::ZERO))
}

fn network(number: usize) -> String {
    format!("198.51.{number}.1")
}

#[test]
fn an_account_is_guarded_against_guesses_from_everywhere() {
    let context = three_each();
    // Its owner has logged in from home, a moment ago or as the store knows.
    assert_eq!(login(&context, "192.0.2.1", "ann", true, false), "2 235 2.7.0");
    for number in 0..3 {
        assert_eq!(login(&context, &network(number), "ann", false, false), "2 535 5.7.8");
    }
    assert_eq!(login(&context, &network(4), "ann", true, false), "2 454 4.7.0");
    assert_eq!(login(&context, &network(4), "ann", true, true), "3 235 2.7.0");
    // That this network is known is not asked of the store: the login is on its way there.
    assert_eq!(login(&context, "192.0.2.2", "ann", true, false), "2 235 2.7.0");
    assert_eq!(login(&context, "192.0.2.64", "ann", true, false), "2 454 4.7.0");
    // What is refused does not count, and from this machine all may be tried.
    assert_eq!(login(&context, "127.0.0.1", "ann", false, false), "2 535 5.7.8");
    // Another account is not concerned.
    assert_eq!(login(&context, &network(5), "bea", false, false), "2 535 5.7.8");
}

#[test]
fn a_name_that_nobody_has_is_answered_alike() {
    let context = three_each();
    for number in 0..3 {
        assert_eq!(login(&context, &network(number), "bea", false, false), "2 535 5.7.8");
    }
    assert_eq!(login(&context, &network(4), "bea", false, false), "1 454 4.7.0");
}
