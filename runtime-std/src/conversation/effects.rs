//! Carries out what a machine asks for.

use pillarbox_core::effect::{Effect, Job, Topic};
use pillarbox_core::{EffectId, Moment};

use super::{Birth, Conversation, Report};
use crate::exchange::Question;
use crate::lanes::ReplyTo;
use crate::link::{Dial, Socket};

impl<J: Job, S: Socket> Conversation<J, S> {
    /// Starts one effect; its answer comes to the mailbox.
    pub(super) fn carry_out(&mut self, now: Moment, id: EffectId, effect: Effect<J>) {
        match effect {
            Effect::Connect { to, from, within } => {
                self.connect(Dial { id, to, from, until: now + within });
            }
            Effect::Exchange { over, to, question, answer_max, within } => {
                self.seat.services.statistics.exchanges.add(1);
                self.seat.services.exchanges.ask(Question {
                    over,
                    to,
                    bytes: question,
                    answer_max,
                    until: self.seat.services.clock.instant(now + within),
                    reply_to: self.reply_to(id),
                });
            }
            Effect::File(handle, work) => {
                self.seat.services.lanes.file(handle, work, self.reply_to(id));
            }
            Effect::Start(factory) => {
                let report = Report { to: self.reply_to(id), outcome: None };
                self.births.push(Birth { factory, report });
            }
            Effect::Outcome(answer) => {
                if let Some(report) = &mut self.report {
                    report.outcome = Some(answer);
                }
            }
            Effect::Watch(topic) => self.watch(id, topic),
            Effect::Release(watch) => self.release(watch),
            Effect::Notify(topic) => self.seat.services.topics.notify(topic),
            Effect::Job(job) => self.seat.services.lanes.job(job, self.reply_to(id)),
        }
    }

    fn reply_to(&self, id: EffectId) -> ReplyTo<J> {
        ReplyTo { mailbox: self.seat.mailbox.clone(), id }
    }

    fn watch(&mut self, id: EffectId, topic: Topic) {
        // One id is one watch: a second one under it would never be released.
        self.release(id);
        self.seat.services.topics.watch(topic, id, &self.seat.mailbox);
        self.watches.push((id, topic));
    }

    fn release(&mut self, watch: EffectId) {
        if let Some(at) = self.watches.iter().position(|(id, _)| *id == watch) {
            let (id, topic) = self.watches.swap_remove(at);
            self.seat.services.topics.release(topic, id, &self.seat.mailbox);
        }
    }
}
