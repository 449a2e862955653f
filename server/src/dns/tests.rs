use pillarbox_core::EffectId;
use pillarbox_core::dns::{Data, Kind, Name, Server};
use pillarbox_core::flow::Flow;

use super::*;
use crate::context::SystemRandom;

fn random() -> Box<dyn Random> {
    Box::new(SystemRandom::default())
}

fn servers(count: u8) -> Source {
    let server = |number| Server::at(([192, 0, 2, number], 53).into());
    let servers = (1..=count).map(server).collect();
    Source::Servers(Settings { servers, ..Settings::default() }, Hosts::parse("192.0.2.9 own"))
}

fn question(name: &str) -> Question {
    Question { name: Name::parse(name).unwrap(), kind: Kind::A }
}

/// Begins a lookup and says which servers it asks, each of which is silent.
fn asked(resolver: &Arc<Resolver>, name: &str) -> (Vec<String>, Lookup) {
    let desk = Desk::default();
    let mut flow = {
        let (resolver, desk, question) = (Arc::clone(resolver), desk.clone(), question(name));
        Flow::new(async move { resolver.lookup(&desk, Moment::START, &question).await })
    };
    let mut asked = Vec::new();
    loop {
        if let Some(lookup) = flow.poll() {
            return (asked, lookup);
        }
        let mut effects: Vec<(EffectId, Effect<Job>)> = Vec::new();
        desk.take_effects(&mut effects);
        for (id, effect) in effects {
            let Effect::Exchange { to, question, .. } = effect else { panic!("{effect:?}") };
            let answer = if to.ip().to_string() == "192.0.2.2" {
                // Flags, one answer, and that one: the name asked for, A, IN, 60 seconds.
                let mut answer = question[..question.len() - 11].to_vec();
                answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
                Ok(answer)
            } else {
                Err(Fault::new(FaultKind::TimedOut, format!("{to} did not answer in time")))
            };
            asked.push(to.to_string());
            desk.deliver(id, Completion::Exchanged(answer));
        }
    }
}

#[test]
fn what_was_found_is_remembered_and_who_found_it() {
    let resolver = Arc::new(Resolver::new(servers(2), random));
    let (servers_asked, lookup) = asked(&resolver, "a.example");
    assert_eq!(servers_asked, ["192.0.2.1:53", "192.0.2.2:53"]);
    assert_eq!(lookup.clone().unwrap().records, [Data::A([192, 0, 2, 7].into())]);
    assert_eq!(asked(&resolver, "A.example"), (Vec::new(), lookup));
    assert_eq!(asked(&resolver, "b.example").0, ["192.0.2.2:53"]);
    assert_eq!(asked(&resolver, "a.localhost").0, [""; 0]);
    // What is to be proved by DNS is asked there.
    assert_eq!(asked(&resolver, "own").0, ["192.0.2.2:53"]);
    let own = resolver.host(&question("own")).unwrap().unwrap();
    assert_eq!(own.records, [Data::A([192, 0, 2, 9].into())]);
    assert_eq!(resolver.host(&question("a.example")), None);
    // What other servers would say is not known.
    resolver.replace(servers(1));
    let (servers_asked, lookup) = asked(&resolver, "a.example");
    assert_eq!(servers_asked, ["192.0.2.1:53", "192.0.2.1:53"]);
    let why = "192.0.2.1:53 did not answer in time";
    assert_eq!(lookup, Err(Failure::Trouble(why.into())));
    assert_eq!(asked(&resolver, "a.example").0, [""; 0], "not at once again");
}

#[test]
fn a_zone_answers_in_the_place_of_all() {
    let mut zone = Zone::default();
    zone.read("a.example. A 192.0.2.3\nlocalhost. A 192.0.2.4", &Name::root()).unwrap();
    let resolver = Arc::new(Resolver::new(Source::Zone(zone), random));
    for (name, found) in [("a.example", true), ("localhost", true), ("own", false)] {
        let (servers_asked, lookup) = asked(&resolver, name);
        assert_eq!((servers_asked, lookup.is_ok()), (Vec::new(), found), "{name}");
    }
}
