//! Policy written straight down: an `async fn` that awaits effects, polled by hand from within a
//! machine's step. No executor, no `unsafe`; and no waker, unless the machine polls with one.
//!
//! ```text
//! async fn recipient(desk: Desk<MyJob>, address: Address) -> Reply {
//!     match desk.job("recipient", MyJob::Look(address)).await { … }
//! }
//! ```
//!
//! The machine keeps the [`Flow`], hands each completion to the [`Desk`], polls, and takes what
//! the flow has asked meanwhile as its own effects.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::effect::{Completion, Effect, Fault, FaultKind, FileWork, Handle, Job};
use crate::{EffectId, Outbox};

/// Where the flows of one machine put their questions and find the answers.
pub struct Desk<J: Job>(Rc<RefCell<Papers<J>>>);

struct Papers<J: Job> {
    next_id: u64,
    /// Asked and not yet taken by the machine.
    out: Vec<(EffectId, Effect<J>)>,
    waiting: BTreeMap<EffectId, Waiting<J>>,
}

struct Waiting<J: Job> {
    label: &'static str,
    answer: Option<Completion<J>>,
    /// Of whoever polled last. A machine with one flow polls it anyway; one with many wants to know
    /// which of them can go on.
    waker: Waker,
}

impl<J: Job> Clone for Desk<J> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<J: Job> Default for Desk<J> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Papers {
            next_id: 0,
            out: Vec::new(),
            waiting: BTreeMap::new(),
        })))
    }
}

impl<J: Job> Desk<J> {
    /// Asks, and waits for the answer. The label tells what a stuck flow waits for.
    ///
    /// Dropping the returned future forgets the question; its late answer is ignored.
    pub fn ask(&self, label: &'static str, effect: Effect<J>) -> Ask<J> {
        let id = self.send(effect);
        let waiting = Waiting { label, answer: None, waker: Waker::noop().clone() };
        self.0.borrow_mut().waiting.insert(id, waiting);
        Ask { desk: self.clone(), id }
    }

    /// Asks for a job and waits for its answer.
    ///
    /// # Errors
    /// The fault of the hands that were to carry it out.
    pub async fn job(&self, label: &'static str, job: J) -> Result<J::Answer, Fault> {
        match self.ask(label, Effect::Job(job)).await {
            Completion::Answer(answer) => answer,
            other => Err(mismatch(label, &other)),
        }
    }

    /// Asks for work on a body's file and waits for it; the bytes are those read.
    ///
    /// # Errors
    /// The fault of the file system.
    pub async fn file(
        &self,
        label: &'static str,
        handle: Handle,
        work: FileWork,
    ) -> Result<Vec<u8>, Fault> {
        match self.ask(label, Effect::File(handle, work)).await {
            Completion::File(result) => result,
            other => Err(mismatch(label, &other)),
        }
    }

    /// Asks without waiting for an answer. The id is for what is answered to the machine itself,
    /// such as a watch, and for its release.
    pub fn send(&self, effect: Effect<J>) -> EffectId {
        let mut papers = self.0.borrow_mut();
        papers.next_id += 1;
        let id = EffectId(papers.next_id);
        papers.out.push((id, effect));
        id
    }

    /// Lays an answer on the desk, and wakes the flow that waits for it. Says whether one does.
    pub fn deliver(&self, id: EffectId, completion: Completion<J>) -> bool {
        let mut papers = self.0.borrow_mut();
        let Some(waiting) = papers.waiting.get_mut(&id) else { return false };
        waiting.answer = Some(completion);
        let waker = waiting.waker.clone();
        drop(papers);
        waker.wake();
        true
    }

    /// Moves what was asked into the step's effects.
    pub fn take_effects(&self, into: &mut Vec<(EffectId, Effect<J>)>) {
        into.append(&mut self.0.borrow_mut().out);
    }

    /// The labels of what is waited for.
    #[must_use]
    pub fn waits(&self) -> Vec<&'static str> {
        self.0.borrow().waiting.values().map(|waiting| waiting.label).collect()
    }
}

impl<J: Job> fmt::Debug for Desk<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk(waits for {:?})", self.waits())
    }
}

/// A runtime that answers an effect with another's completion is broken; that is a fault of this
/// one flow, not the end of the program.
fn mismatch<J: Job>(label: &str, got: &Completion<J>) -> Fault {
    Fault::new(FaultKind::Unknown, format!("{label} was answered with {got:?}"))
}

/// A question that waits for its answer.
#[derive(Debug)]
#[must_use = "an answer nobody awaits is thrown away: use `send` where none is wanted"]
pub struct Ask<J: Job> {
    desk: Desk<J>,
    id: EffectId,
}

impl<J: Job> Future for Ask<J> {
    type Output = Completion<J>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut papers = self.desk.0.borrow_mut();
        let Some(waiting) = papers.waiting.get_mut(&self.id) else { return Poll::Pending };
        match waiting.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                waiting.waker.clone_from(context.waker());
                Poll::Pending
            }
        }
    }
}

impl<J: Job> Drop for Ask<J> {
    fn drop(&mut self) {
        self.desk.0.borrow_mut().waiting.remove(&self.id);
    }
}

/// A flow under way, polled by hand.
pub struct Flow<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> Flow<T> {
    /// Begins a flow; nothing runs until the first poll.
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(future))
    }

    /// Goes on as far as the answers allow; the result once it has ended. Not polled after that.
    pub fn poll(&mut self) -> Option<T> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }
}

impl<T> fmt::Debug for Flow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flow")
    }
}

/// Waits for both, polling the first first, so that a seed replays.
pub async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let (mut one, mut two) = (None, None);
    std::future::poll_fn(move |context| {
        if one.is_none() {
            one = ready(first.as_mut().poll(context));
        }
        if two.is_none() {
            two = ready(second.as_mut().poll(context));
        }
        match (one.take(), two.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (one, two) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Waits for all, polling them in their order, so that a seed replays.
pub async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut done = true;
        for (future, result) in &mut waiting {
            if result.is_none() {
                *result = ready(future.as_mut().poll(context));
                done &= result.is_some();
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, result)| result).collect()
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What a flow writes to the peer. The machine pours it into the outbox after each poll.
///
/// A flow that writes much awaits [`room`](Self::room) between pieces: that is how a large
/// answer waits for a slow peer without being held in memory.
#[derive(Debug, Clone, Default)]
pub struct Pen(Rc<RefCell<Page>>);

#[derive(Default)]
struct Page {
    written: Vec<u8>,
    /// The outbox was above its mark at the last pouring.
    blocked: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({} bytes)", self.written.len())
    }
}

impl Pen {
    /// Appends to what goes out. `write` must not await.
    pub fn write<R>(&self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        write(&mut self.0.borrow_mut().written)
    }

    /// Waits until what was written has left, as far as the outbox's mark asks for it.
    pub async fn room(&self) {
        std::future::poll_fn(|_| {
            let page = self.0.borrow();
            if page.written.is_empty() && !page.blocked { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Moves what was written to the outbox; true if anything was. Call after each poll of the
    /// flow, and before polling again at [`Input::Drained`](crate::Input::Drained).
    pub fn pour(&self, outbox: &mut Outbox) -> bool {
        let mut page = self.0.borrow_mut();
        let written = std::mem::take(&mut page.written);
        let any = !written.is_empty();
        if any {
            outbox.push_vec(written);
        }
        page.blocked = !outbox.below_mark();
        any
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::effect::Lane;

    #[derive(Debug)]
    struct Double(u32);
    impl Job for Double {
        type Answer = u32;
        fn lane(&self) -> Lane {
            Lane::Read
        }
    }

    async fn double(desk: Desk<Double>, number: u32) -> u32 {
        desk.job("double", Double(number)).await.unwrap()
    }

    fn asked(desk: &Desk<Double>) -> Vec<(EffectId, u32)> {
        let mut effects = Vec::new();
        desk.take_effects(&mut effects);
        effects
            .into_iter()
            .map(|(id, effect)| {
                let Effect::Job(Double(number)) = effect else { panic!("{effect:?}") };
                (id, number)
            })
            .collect()
    }

    #[test]
    fn a_flow_waits_for_both_answers_in_any_order() {
        let desk = Desk::default();
        let mut flow = Flow::new(both(double(desk.clone(), 3), double(desk.clone(), 4)));
        assert_eq!(flow.poll(), None);
        assert_eq!(desk.waits(), ["double", "double"]);
        let questions = asked(&desk);
        assert_eq!(questions.iter().map(|q| q.1).collect::<Vec<_>>(), [3, 4]);
        assert!(desk.deliver(questions[1].0, Completion::Answer(Ok(8))));
        assert_eq!(flow.poll(), None);
        assert!(desk.deliver(questions[0].0, Completion::Answer(Ok(6))));
        assert_eq!(flow.poll(), Some((6, 8)));
        assert_eq!(desk.waits(), [""; 0]);
    }

    #[test]
    fn a_dropped_flow_forgets_its_questions() {
        let desk = Desk::default();
        let mut flow = Flow::new(double(desk.clone(), 1));
        assert_eq!(flow.poll(), None);
        let id = asked(&desk)[0].0;
        drop(flow);
        assert!(!desk.deliver(id, Completion::Answer(Ok(2))));
    }

    #[test]
    fn an_answer_wakes_whoever_polled_for_it() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let counts = [0, 1].map(|_| Arc::new(Count(AtomicUsize::new(0))));
        let desk = Desk::default();
        let mut flows = [3, 4].map(|number| Box::pin(double(desk.clone(), number)));
        for (flow, count) in flows.iter_mut().zip(&counts) {
            let waker = Waker::from(Arc::clone(count));
            assert!(flow.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let questions = asked(&desk);
        assert!(desk.deliver(questions[1].0, Completion::Answer(Ok(8))));
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [0, 1]);
    }

    #[test]
    fn a_pen_waits_for_the_outbox() {
        let pen = Pen::default();
        let mut outbox = Outbox::new(4);
        let mut flow = Flow::new({
            let pen = pen.clone();
            async move {
                for _ in 0..2 {
                    pen.write(|out| out.extend_from_slice(b"12345"));
                    pen.room().await;
                }
            }
        });
        assert_eq!(flow.poll(), None);
        pen.pour(&mut outbox);
        assert_eq!(flow.poll(), None);
        assert_eq!(outbox.unsent(), b"12345");
        outbox.sent(2);
        pen.pour(&mut outbox);
        assert_eq!(flow.poll(), None);
        pen.pour(&mut outbox);
        assert_eq!(outbox.unsent(), b"34512345");
    }
}
