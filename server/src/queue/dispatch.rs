//! Who is served when: one machine that reads what is due, and starts couriers.
//!
//! What is due lies in the store. Of it, a bounded part is at hand: for each destination, in turns of
//! those who have sent it. For each domain of which something is at hand it is known how far it was
//! read; once nothing is, it is read from the beginning again. So nothing is taken twice, and nothing
//! has to be written for that.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::effect::{BoxMachine, Completion, Effect};
use pillarbox_core::flow::{Desk, Flow};
use pillarbox_core::{EffectId, Input, Io, Machine, Moment, Now, Stream, UnixSeconds, Want};
use pillarbox_store::{
    AccountId, Due, DueCursor, Found, QueueRead, QueueWrite, Read, StoreError, Write, Written,
};

use super::courier::{Carried, Courier};
use super::parcel::Parcel;
use super::way::Way;
use super::{CHANGED, Post, TOPIC};
use crate::job::{self, Answer, Job};

/// The machine that starts couriers.
pub(crate) struct Dispatcher {
    post: Arc<Post>,
    desk: Desk<Job>,
    /// The watch that tells of what operators have changed.
    changes: EffectId,
    /// What is at hand or under way, by destination.
    destinations: BTreeMap<Way, Destination>,
    /// Of each domain of which something is at hand or under way.
    domains: BTreeMap<String, Reading>,
    /// Couriers under way.
    couriers: BTreeMap<EffectId, Trip>,
    /// Of those, how many go where it did not go well before.
    doubtful: usize,
    waiting: usize,
    reading: Option<Flow<Result<Page, StoreError>>>,
    /// Behind which domain is read on.
    page: String,
    /// Something may be due that was not seen.
    unseen: bool,
    /// When something is due next.
    next: Option<Moment>,
    cleaning: Option<Flow<Result<u64, StoreError>>>,
    clean_at: Moment,
    stopping: bool,
}

/// A destination and what is at hand for it.
#[derive(Default)]
struct Destination {
    /// By whoever has sent it.
    parcels: BTreeMap<Option<AccountId>, VecDeque<Parcel>>,
    /// Whose turn it was.
    turn: Option<Option<AccountId>>,
    couriers: usize,
    /// The last one got through.
    good: bool,
    /// Nobody goes there before.
    pause: Option<Moment>,
}

/// How far a domain was read.
struct Reading {
    cursor: DueCursor,
    /// How many recipients are at hand or under way.
    open: usize,
    /// Its servers take mail: more of it can be read. Else what waits for those who do not answer
    /// would leave no room for others.
    eager: bool,
}

/// A courier under way.
struct Trip {
    way: Way,
    /// By domain, how many recipients it has.
    domains: BTreeMap<String, usize>,
    doubtful: bool,
}

/// What was read.
struct Page {
    due: Vec<Due>,
    /// Where to go on; `None`: that was all.
    after: Option<String>,
    /// When the next is due, where that was all.
    next: Option<UnixSeconds>,
    now: UnixSeconds,
}

/// So many recipients are at hand before no more is read.
const WAITING_MAX: usize = 4_000;
/// Domains that are read at once.
const DOMAINS_MAX: usize = 100;
/// Recipients that are read at once of one domain: what one courier takes along, or a little more.
const OF_A_DOMAIN_MAX: usize = 100;
/// Parcels that a courier takes along.
const PARCELS_MAX: usize = 50;
/// Recipients in a parcel: RFC 5321 §4.5.3.1.8 has every server take so many.
const RECIPIENTS_MAX: usize = 100;
/// How long a destination is left alone that has enough of us.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked whether something has been kept for long enough.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

impl Dispatcher {
    pub(crate) fn machine(post: Arc<Post>) -> BoxMachine<Job> {
        Box::new(Self {
            post,
            desk: Desk::default(),
            changes: EffectId::default(),
            destinations: BTreeMap::new(),
            domains: BTreeMap::new(),
            couriers: BTreeMap::new(),
            doubtful: 0,
            waiting: 0,
            reading: None,
            page: String::new(),
            unseen: true,
            next: None,
            cleaning: None,
            clean_at: Moment::START,
            stopping: false,
        })
    }

    fn advance(&mut self, now: Now) {
        loop {
            if let Some(reading) = &mut self.reading
                && let Some(result) = reading.poll()
            {
                self.reading = None;
                self.take_page(result, now);
            }
            self.start_couriers(now.moment);
            if !self.read_on(now) {
                break;
            }
        }
        self.clean(now);
    }

    /// Reads what is due, where there is room for it; false where nothing is begun.
    fn read_on(&mut self, now: Now) -> bool {
        if self.next.is_some_and(|next| next <= now.moment) {
            (self.next, self.unseen) = (None, true);
        }
        let wanted = self.unseen || !self.page.is_empty();
        if self.stopping || self.reading.is_some() || !wanted || self.waiting >= WAITING_MAX {
            return false;
        }
        if self.page.is_empty() {
            self.unseen = false;
        }
        let place = |reading: &Reading| reading.eager.then_some(reading.cursor);
        let cursors = self.domains.iter().map(|(name, reading)| (name.clone(), place(reading)));
        let (desk, after) = (self.desk.clone(), std::mem::take(&mut self.page));
        self.reading = Some(Flow::new(read(desk, after, cursors.collect(), now.wall)));
        true
    }

    fn take_page(&mut self, result: Result<Page, StoreError>, now: Now) {
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                log::error!(why:% = error; "what is to be sent cannot be read");
                self.look_again(now.moment + PAUSE);
                return;
            }
        };
        for due in &page.due {
            let start = Reading { cursor: DueCursor::START, open: 0, eager: false };
            let reading = self.domains.entry(due.domain.clone()).or_insert(start);
            reading.cursor = reading.cursor.max(DueCursor { next: due.next, id: due.id });
            reading.open += 1;
        }
        self.waiting += page.due.len();
        self.sort_out(page.due);
        match page.after {
            Some(after) => self.page = after,
            None => {
                let wait = |next: UnixSeconds| {
                    let seconds = u64::try_from(next.0.saturating_sub(page.now.0)).unwrap_or(0);
                    now.moment + Duration::from_secs(seconds.max(1))
                };
                if let Some(next) = page.next {
                    self.look_again(wait(next));
                }
            }
        }
    }

    /// Lays what is due beside others of its destination.
    fn sort_out(&mut self, due: Vec<Due>) {
        let mut by_way: BTreeMap<Way, Vec<Due>> = BTreeMap::new();
        for due in due {
            by_way.entry(Way::of(&due, &self.post)).or_default().push(due);
        }
        for (way, due) in by_way {
            let destination = self.destinations.entry(way).or_default();
            for parcel in Parcel::pack(due) {
                destination.put(parcel);
            }
        }
    }

    /// One after the other for each destination, so that none waits for another one's many.
    fn start_couriers(&mut self, now: Moment) {
        let room = |own: &Self| own.couriers.len() < own.post.rules.connections_max;
        let mut more = !self.stopping && room(self);
        while more {
            more = false;
            let ways: Vec<Way> = self.destinations.keys().cloned().collect();
            for way in ways {
                if !room(self) {
                    return;
                }
                more |= self.start_courier(way, now);
            }
        }
        self.destinations.retain(|_, destination| !destination.is_idle(now));
    }

    fn start_courier(&mut self, way: Way, now: Moment) -> bool {
        let Some(destination) = self.destinations.get_mut(&way) else { return false };
        let most = if destination.good { self.post.rules.per_destination_max } else { 1 };
        let doubtful = destination.is_doubtful();
        // Half of all connections is enough for those who do not answer.
        let full = doubtful && self.doubtful >= self.post.rules.connections_max.div_ceil(2);
        if destination.couriers >= most || full || destination.rests(now) {
            return false;
        }
        let parcels = destination.take();
        if parcels.is_empty() {
            return false;
        }
        destination.couriers += 1;
        let mut domains: BTreeMap<String, usize> = BTreeMap::new();
        for to in parcels.iter().flat_map(|parcel| &parcel.to) {
            *domains.entry(to.domain.clone()).or_default() += 1;
            self.waiting -= 1;
        }
        self.doubtful += usize::from(doubtful);
        let (post, courier_way) = (Arc::clone(&self.post), way.clone());
        let factory = Box::new(move || Courier::machine(post, courier_way, parcels));
        let id = self.desk.send(Effect::Start(factory));
        self.couriers.insert(id, Trip { way, domains, doubtful });
        true
    }

    fn came_back(&mut self, id: EffectId, carried: Option<Carried>, now: Moment) {
        let Some(Trip { way, mut domains, doubtful }) = self.couriers.remove(&id) else { return };
        self.doubtful -= usize::from(doubtful);
        let destination = self.destinations.entry(way).or_default();
        destination.couriers = destination.couriers.saturating_sub(1);
        let Carried { left, reached, pause } = carried.unwrap_or_else(|| {
            log::error!("a courier has fallen: what it carried is tried again");
            Carried { left: Vec::new(), reached: false, pause: true }
        });
        if pause {
            destination.pause = Some(now + PAUSE);
        } else {
            destination.good = reached;
        }
        for parcel in left {
            for to in &parcel.to {
                if let Some(count) = domains.get_mut(&to.domain) {
                    *count = count.saturating_sub(1);
                }
                self.waiting += 1;
            }
            destination.put(parcel);
        }
        for (domain, count) in domains {
            if reached && let Some(reading) = self.domains.get_mut(&domain) {
                reading.eager = true;
                self.unseen = true;
            }
            self.let_go(&domain, count);
        }
        if pause {
            // What it carried and did not bring back lies in the store, and is due.
            self.look_again(now + PAUSE);
        }
    }

    /// It is looked for what is due then, or before.
    fn look_again(&mut self, at: Moment) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// So many recipients of a domain are settled.
    fn let_go(&mut self, domain: &str, count: usize) {
        let Some(reading) = self.domains.get_mut(domain) else { return };
        reading.open = reading.open.saturating_sub(count);
        if reading.open == 0 {
            self.domains.remove(domain);
            // What came meanwhile before the place up to which it was read.
            self.unseen = true;
        }
    }

    /// What is at hand may have been held, dropped or sent another way: it is read again.
    fn forget_at_hand(&mut self) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for destination in self.destinations.values_mut() {
            for parcel in std::mem::take(&mut destination.parcels).into_values().flatten() {
                for to in parcel.to {
                    *counts.entry(to.domain).or_default() += 1;
                    self.waiting -= 1;
                }
            }
        }
        for (domain, count) in counts {
            self.let_go(&domain, count);
        }
    }

    /// Forgets what has been kept for long enough.
    fn clean(&mut self, now: Now) {
        if let Some(result) = self.cleaning.as_mut().and_then(Flow::poll) {
            self.cleaning = None;
            match result {
                // There is more of it.
                Ok(count) if count > 0 => self.clean_at = now.moment,
                Ok(_) => {}
                Err(error) => log::error!(why:% = error; "what was sent cannot be forgotten"),
            }
        }
        if self.cleaning.is_none() && self.clean_at <= now.moment && !self.stopping {
            self.clean_at = now.moment + CLEAN_EVERY;
            let kept = i64::try_from(self.post.rules.kept.as_secs()).unwrap_or(i64::MAX);
            let (desk, before) = (self.desk.clone(), UnixSeconds(now.wall.0.saturating_sub(kept)));
            let mut cleaning = Flow::new(forget(desk, before));
            if cleaning.poll().is_none() {
                self.cleaning = Some(cleaning);
            }
        }
    }

    fn deadline(&self, now: Moment) -> Option<Moment> {
        let rests = self.destinations.values().filter_map(|of| of.pause).filter(|at| *at > now);
        let times = rests.chain(self.next).chain(std::iter::once(self.clean_at));
        if self.stopping { None } else { times.min() }
    }
}

impl Destination {
    fn put(&mut self, parcel: Parcel) {
        let queue = self.parcels.entry(parcel.message.account).or_default();
        let (mut rest, message) = (parcel.to, parcel.message);
        while !rest.is_empty() {
            let others = rest.split_off(rest.len().min(RECIPIENTS_MAX));
            queue.push_back(Parcel { message: message.clone(), to: rest });
            rest = others;
        }
    }

    /// What a courier takes along: one of each sender by turns.
    fn take(&mut self) -> Vec<Parcel> {
        let mut taken = Vec::new();
        while taken.len() < PARCELS_MAX {
            let behind = |turn: Option<AccountId>| {
                (std::ops::Bound::Excluded(turn), std::ops::Bound::Unbounded)
            };
            let next = self.turn.and_then(|turn| self.parcels.range(behind(turn)).next());
            let next = next.or_else(|| self.parcels.iter().next());
            let Some((account, _)) = next else { break };
            let account = *account;
            self.turn = Some(account);
            if let Some(queue) = self.parcels.get_mut(&account) {
                taken.extend(queue.pop_front());
                if queue.is_empty() {
                    self.parcels.remove(&account);
                }
            }
        }
        taken
    }

    /// Whether all that is at hand has been tried in vain before.
    fn is_doubtful(&self) -> bool {
        let tried = |parcel: &Parcel| parcel.to.iter().all(|to| to.attempts > 0);
        !self.good && self.parcels.values().flatten().all(tried)
    }

    fn rests(&self, now: Moment) -> bool {
        self.pause.is_some_and(|pause| pause > now)
    }

    /// Whether there is nothing to be known of it but how it went.
    fn is_idle(&self, now: Moment) -> bool {
        self.couriers == 0 && self.parcels.is_empty() && !self.rests(now)
    }
}

/// One page of what is due.
async fn read(
    desk: Desk<Job>,
    after: String,
    cursors: BTreeMap<String, Option<DueCursor>>,
    now: UnixSeconds,
) -> Result<Page, StoreError> {
    let question = QueueRead::Destinations { now, after, count_max: DOMAINS_MAX };
    let found = job::read(&desk, "destinations", Read::Queue(question)).await?;
    let Found::Destinations(names) = found else { return Err(job::astray("destinations")) };
    let after = names.last().filter(|_| names.len() == DOMAINS_MAX).cloned();
    let from = |name: &String| cursors.get(name).copied().unwrap_or(Some(DueCursor::START));
    let place = |name: String| from(&name).map(|cursor| (name, cursor));
    let domains: Vec<_> = names.into_iter().filter_map(place).collect();
    let mut due = Vec::new();
    if !domains.is_empty() {
        let question = QueueRead::Due { now, domains, count_max: OF_A_DOMAIN_MAX };
        due = match job::read(&desk, "due", Read::Queue(question)).await? {
            Found::Due(due) => due,
            _ => return Err(job::astray("due")),
        };
    }
    let mut next = None;
    if after.is_none() {
        next = match job::read(&desk, "next due", Read::Queue(QueueRead::Next(now))).await? {
            Found::NextDue(next) => next,
            _ => return Err(job::astray("next due")),
        };
    }
    Ok(Page { due, after, next, now })
}

async fn forget(desk: Desk<Job>, before: UnixSeconds) -> Result<u64, StoreError> {
    let job = Write::Queue(Box::new(QueueWrite::Forget(before)));
    match job::write(&desk, "forget", job).await? {
        Written::Purged(count) => Ok(count),
        _ => Err(job::astray("forget")),
    }
}

impl Machine for Dispatcher {
    type Effect = Effect<Job>;
    type Completion = Completion<Job>;

    fn step(
        &mut self,
        now: Now,
        input: Input<Completion<Job>>,
        io: &mut Io<'_, Effect<Job>>,
    ) -> Want {
        match input {
            Input::Start => {
                self.desk.send(Effect::Watch(TOPIC));
                self.changes = self.desk.send(Effect::Watch(CHANGED));
            }
            Input::Done(id, Completion::Noticed) => {
                if id == self.changes {
                    self.forget_at_hand();
                }
                self.unseen = true;
            }
            Input::Done(id, Completion::Outcome(answer)) => {
                let carried = match answer {
                    Some(Answer::Carried(carried)) => Some(*carried),
                    _ => None,
                };
                self.came_back(id, carried, now.moment);
            }
            Input::Done(id, completion) => {
                self.desk.deliver(id, completion);
            }
            Input::Stop => self.stopping = true,
            Input::Bytes | Input::Eof | Input::Drained | Input::Timer | Input::Gone => {}
        }
        self.advance(now);
        self.desk.take_effects(io.effects);
        Want {
            read: false,
            hold: false,
            deadline: self.deadline(now.moment),
            stream: Stream::Keep,
            done: self.stopping && self.couriers.is_empty(),
        }
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dispatcher({} at hand, {} couriers)", self.waiting, self.couriers.len())
    }
}
