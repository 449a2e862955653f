//! A message that waits for what DNS says of it.

use pillarbox_core::dns::{Hosts, Server as NameServer, Settings};

use super::*;
use crate::dns::{Resolver, Source};

/// A session whose message has come, while no name server answers; the questions are open.
fn waiting() -> Rig {
    let servers = vec![NameServer::at(([192, 0, 2, 53], 53).into())];
    let settings = Settings { servers, ..Settings::default() };
    let source = Source::Servers(settings, Hosts::default());
    let resolver = Arc::new(Resolver::new(source, || Box::new(Sevens)));
    let context =
        Context::new("localhost".into(), 1, &Allowances::default(), [0; 32], || Box::new(Sevens));
    let mut rig = Rig::new(&Arc::new(context.resolving(resolver)), false, "192.0.2.7");
    let door = Arc::get_mut(&mut rig.session.door).unwrap();
    door.checks = Some(Arc::default());
    rig.say(b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@localhost>\r\nDATA\r\n");
    rig.answer_recipient();
    rig.say(b"From: a@b.example\r\n\r\nHello\r\n.\r\n");
    rig.said();
    let asked = rig.effects();
    assert!(asked.iter().all(|(_, effect)| matches!(effect, Effect::Exchange { .. })), "{asked:?}");
    assert!(asked.len() >= 3, "{asked:?}");
    rig
}

#[test]
fn it_is_stored_once_the_time_is_over_whatever_is_known() {
    let mut rig = waiting();
    assert_eq!(rig.deadline(), Some(20));
    rig.wait(19);
    assert!(rig.effects().is_empty() && rig.said().is_empty());
    rig.wait(1);
    let effects = rig.effects();
    let deliver = |(_, effect): &(EffectId, Effect<Job>)| {
        matches!(effect, Effect::Job(Job::Write(Write::Deliver { .. })))
    };
    assert!(effects.iter().any(deliver), "{effects:?}");
}

#[test]
fn nothing_is_stored_for_a_client_that_goes_meanwhile() {
    let mut rig = waiting();
    rig.step(Input::Gone);
    assert!(rig.want.done || rig.want.stream == Stream::Abort);
    let effects = rig.effects();
    assert!(!effects.iter().any(|(_, effect)| matches!(effect, Effect::Job(_))), "{effects:?}");
}
