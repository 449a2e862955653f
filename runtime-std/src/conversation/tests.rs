use std::net::TcpStream;

use pillarbox_core::effect::{Crew, Effect, Hands, Lane};
use pillarbox_core::{Machine, Now};

use super::*;
use crate::{Limits, Statistics, Stopper};

struct Nothing;
impl Job for Nothing {
    type Answer = ();
    fn lane(&self) -> Lane {
        Lane::Read
    }
}
impl Hands<Self> for Nothing {
    fn carry_out(&mut self, jobs: Vec<Self>, answers: &mut Vec<()>) {
        answers.extend(jobs.into_iter().map(|_| ()));
    }
}

/// Watches two topics, and counts the notices in its outcome.
struct Watcher;
impl Machine for Watcher {
    type Effect = Effect<Nothing>;
    type Completion = Completion<Nothing>;
    fn step(
        &mut self,
        _: Now,
        input: Input<Completion<Nothing>>,
        io: &mut Io<'_, Effect<Nothing>>,
    ) -> Want {
        if matches!(input, Input::Start) {
            io.effects.push((EffectId(1), Effect::Watch(Topic(1))));
            io.effects.push((EffectId(2), Effect::Watch(Topic(2))));
            // The same id again: the watch moves.
            io.effects.push((EffectId(2), Effect::Watch(Topic(3))));
        }
        if matches!(input, Input::Stop) { Want::END } else { Want::READ }
    }
}

fn services() -> (tempfile::TempDir, Arc<Services<Nothing>>) {
    let folder = tempfile::tempdir().unwrap();
    let crew = Crew {
        writer: Box::new(Nothing),
        readers: vec![Box::new(Nothing)],
        workers: vec![Box::new(Nothing)],
    };
    let statistics = Arc::new(Statistics::default());
    let limits = Limits::default();
    let stopper = Stopper::new();
    let services = Services::begin(crew, folder.path(), limits, statistics, &stopper).unwrap();
    (folder, services)
}

fn watcher(services: &Arc<Services<Nothing>>) -> Conversation<Nothing, TcpStream> {
    Conversation::task(Seat::take(services), Box::new(|| Box::new(Watcher)), None).unwrap()
}

#[test]
fn watches_vanish_with_the_machine() {
    let (_folder, services) = services();
    let dropped = watcher(&services);
    let mut ended = watcher(&services);
    assert_eq!(services.topics.count(), 4);
    assert_eq!(services.roll.count(), 2);
    drop(dropped);
    assert_eq!(services.topics.count(), 2);
    ended.mailbox().stop(Stopping::Graceful);
    assert_eq!(ended.turn(Ready::default()), Turn::Ended);
    assert_eq!(services.topics.count(), 0);
    drop(ended);
    assert_eq!(services.roll.count(), 0);
    services.end();
}

#[test]
fn a_conversation_is_small() {
    // A machine and its buffers come on top; an idle one has no buffers.
    let size = size_of::<Conversation<Nothing, TcpStream>>();
    assert!(size <= 400, "{size}");
}
