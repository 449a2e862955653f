//! Asks once, at the start, whether the servers that are believed to validate do so.

use std::fmt;
use std::sync::Arc;

use pillarbox_core::dns::{Failure, Kind, Name, Question};
use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::{Input, Io, Machine, Now, Stream, Want};

use super::{Resolver, Source};
use crate::job::Job;

/// The machine that asks.
pub(crate) struct Probe {
    resolver: Arc<Resolver>,
    desk: Desk<Job>,
    asking: Option<Flow<()>>,
}

impl Probe {
    pub(crate) fn machine(resolver: Arc<Resolver>) -> BoxMachine<Job> {
        Box::new(Self { resolver, desk: Desk::default(), asking: None })
    }

    fn begin(&mut self, now: Now) {
        let (resolver, desk) = (Arc::clone(&self.resolver), self.desk.clone());
        self.asking = Some(Flow::new(async move {
            if let Source::Servers(settings, _) = &*resolver.source()
                && settings.is_validating()
            {
                // The root is signed.
                let question = Question { name: Name::root(), kind: Kind::Ns };
                let said = resolver.lookup(&desk, now.moment, &question).await;
                if let Some(why) = doubt(said.map(|answer| answer.secure)) {
                    log::warn!(why = why.as_str(); "DNS: the servers that are believed to validate \
                        (DNSSEC) do not seem to");
                } else {
                    log::info!("DNS: the root's servers are proved (DNSSEC)");
                }
            }
        }));
    }
}

/// What speaks against it.
fn doubt(said: Result<bool, Failure>) -> Option<String> {
    match said {
        Ok(true) => None,
        Ok(false) => Some("they do not say that the root's own servers are proved".into()),
        Err(failure) => Some(failure.to_string()),
    }
}

impl Machine for Probe {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        match input {
            Input::Start => self.begin(now),
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Stop => self.asking = None,
            Input::Bytes | Input::Eof | Input::Drained | Input::Timer | Input::Gone => {}
        }
        if self.asking.as_mut().is_some_and(|asking| asking.poll().is_some()) {
            self.asking = None;
        }
        self.desk.take_effects(io.effects);
        let done = self.asking.is_none();
        Want { read: false, hold: false, deadline: None, stream: Stream::Keep, done }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}
