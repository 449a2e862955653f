//! What an attempt came to: kept in the store, with when it is tried again and what the sender is
//! told, all in one commit.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use pillarbox_core::delivery::Next;
use pillarbox_core::dsn::{Action, Outcome, Status, is_due};
use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_core::smtp::address::ReversePath;
use pillarbox_core::smtp::client::{At, Ending, Fate};
use pillarbox_core::smtp::command::{Mail, OriginalRecipient, Return};
use pillarbox_core::smtp::reply::Class;
use pillarbox_core::{Random, UnixSeconds};
use pillarbox_store::{
    Found, Outgoing, QueueRead, QueueWrite, Read, Report, Settled, Settlement, StoreError, Try,
    Write, Written,
};

use super::Post;
use super::parcel::{Parcel, To, begins, mail};
use super::report::{About, Telling, WHOLE_BYTES_MAX};
use crate::job::{self, Job};

/// What is to become of a recipient's copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) to: To,
    pub(super) end: End,
    pub(super) status: Status,
    /// What a server said, with its codes.
    pub(super) said: Option<String>,
    /// What we have to say.
    pub(super) why: Option<String>,
    /// The server that said so.
    pub(super) server: Option<String>,
    /// The server has promised to report itself what the sender wants to hear.
    pub(super) reports: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    /// It may be tried again.
    Later,
    Never,
}

impl Ruling {
    /// What was wrong before any server had a word about this recipient.
    pub(super) fn of_trouble(to: To, end: End, status: Status, why: &str) -> Self {
        let why = Some(why.to_owned());
        Self { to, end, status, said: None, why, server: None, reports: false }
    }

    /// What a server made of it; `None` where it is for another transaction.
    pub(super) fn of_fate(to: To, fate: &Fate, server: &str, reports: bool) -> Option<Self> {
        let (answer, at) = match fate {
            Fate::Delivered(answer) => (answer, None),
            Fate::Refused { at, answer } => (answer, Some(*at)),
            Fate::Another(_) => return None,
            // It is the message that cannot be sent, to no server.
            Fate::NotHandedOver(ending @ Ending::BareEnd(_)) => {
                let why = ending.to_string();
                return Some(Self::of_trouble(to, End::Never, Status::new(5, 6, 0), &why));
            }
            Fate::NotHandedOver(ending) => {
                let why = ending.to_string();
                return Some(Self::of_trouble(to, End::Later, Status::new(4, 4, 2), &why));
            }
            Fate::Unknown(ending) => {
                let why = format!("the server may have it: {ending}");
                return Some(Self::of_trouble(to, End::Later, Status::new(4, 4, 2), &why));
            }
        };
        let (end, class) = match answer.class() {
            Class::Done => (End::Delivered, 2),
            Class::Permanent => (End::Never, 5),
            Class::Temporary | Class::GoOn => (End::Later, 4),
        };
        let status = answer.enhanced.map_or_else(
            || match (class, at) {
                (2, _) => Status::new(2, 0, 0),
                // RFC 3463 §3.2: what a refusal at this place is mostly about.
                (5, Some(At::Rcpt)) => Status::new(5, 1, 1),
                (class, _) => Status::new(class, 0, 0),
            },
            |enhanced| Status::new(class, enhanced.subject(), enhanced.detail()),
        );
        Some(Self {
            to,
            end,
            status,
            said: Some(answer.to_string()),
            why: None,
            server: Some(server.to_owned()),
            reports: reports && class == 2,
        })
    }

    fn words(&self) -> String {
        match (&self.said, &self.why) {
            (Some(said), _) => said.clone(),
            (None, Some(why)) => format!("{} {why}", self.status),
            (None, None) => self.status.to_string(),
        }
    }
}

/// Keeps what came of a message for some of its recipients.
///
/// # Errors
/// The store's reason: nothing is kept then, and it is tried again.
pub(super) async fn settle(
    desk: Desk<Job>,
    post: Arc<Post>,
    message: Outgoing,
    rulings: Vec<Ruling>,
    tried: Try,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let mut settlements = Vec::with_capacity(rulings.len());
    let mut told = Vec::new();
    let mut to = Vec::with_capacity(rulings.len());
    for ruling in rulings {
        let (outcome, action, until) = decide(&post, &message, &ruling, now);
        let (id, said, suppresses) = (ruling.to.id, ruling.words(), suppresses(&ruling));
        settlements.push(Settlement { id, outcome, said, suppresses });
        to.push(ruling.to.address.clone());
        if let Some(action) = action
            && is_due(&message.sender, ruling.to.asked(), action)
        {
            told.push((ruling, action, until));
        }
    }
    let reports = report(&desk, &post, &message, &told, now).await?.into_iter().collect();
    let (server, settled) = (tried.server.clone(), settlements.clone());
    let job = QueueWrite::Settle { tried, settlements, reports, now };
    let Written::Delivered(inward) =
        job::write(&desk, "settle", Write::Queue(Box::new(job))).await?
    else {
        return Err(job::astray("settle"));
    };
    log_settled(&post, &message, &server, to.iter().zip(&settled));
    for delivered in inward {
        desk.send(Effect::Notify(crate::topic_of(delivered.mailbox)));
    }
    if !told.is_empty() && message.account.is_none() {
        desk.send(Effect::Notify(super::TOPIC));
    }
    Ok(())
}

/// A line for each recipient, once it is kept.
fn log_settled<'a>(
    post: &Post,
    message: &Outgoing,
    server: &str,
    settled: impl Iterator<Item = (&'a String, &'a Settlement)>,
) {
    let cid = message.cid.as_str();
    for (to, Settlement { id, outcome, said, .. }) in settled {
        let (queue, to, said) = (id.0, to.as_str(), said.as_str());
        match outcome {
            Settled::Delivered => {
                post.context.counters.messages_sent.count();
                log::info!(cid, queue, to, server, said; "message delivered");
            }
            Settled::Failed => log::warn!(cid, queue, to, server, said; "message failed"),
            Settled::Again { next, .. } => {
                log::info!(cid, queue, to, server, said, next = next.0; "message put off");
            }
        }
    }
}

/// What becomes of it; what the sender could be told; and until when it is tried.
fn decide(
    post: &Post,
    message: &Outgoing,
    ruling: &Ruling,
    now: UnixSeconds,
) -> (Settled, Option<Action>, UnixSeconds) {
    let schedule = &post.rules.schedule;
    let since = begins(message);
    let until = schedule.end(since);
    let (settled, action) = match ruling.end {
        // RFC 3461 §5.2.2, §5.3: whoever does not promise to report leaves that to us.
        End::Delivered if ruling.reports => (Settled::Delivered, None),
        End::Delivered => (Settled::Delivered, Some(Action::Relayed)),
        End::Never => (Settled::Failed, Some(Action::Failed)),
        End::Later => {
            let attempts = ruling.to.attempts.saturating_add(1);
            let mut chance = Together::of(&ruling.to.domain, attempts, now);
            match schedule.next(attempts, since, now, &mut chance) {
                Next::GiveUp => (Settled::Failed, Some(Action::Failed)),
                Next::At(next) => {
                    let late = schedule.is_late(since, now) && !ruling.to.warned;
                    let warned =
                        late && is_due(&message.sender, ruling.to.asked(), Action::Delayed);
                    (Settled::Again { next, warned }, warned.then_some(Action::Delayed))
                }
            }
        }
    };
    (settled, action, until)
}

/// Whether nothing more is to go there, once it has failed (RFC 3463 §3.2, §3.3): the address is none, or
/// its mailbox is out of use; or it was tried in vain to the end.
const fn suppresses(ruling: &Ruling) -> bool {
    match (ruling.end, ruling.status.subject(), ruling.status.detail()) {
        (End::Never, 1, 1 | 2 | 3 | 6 | 10) | (End::Never, 2, 1) => ruling.server.is_some(),
        (End::Later, 1 | 2 | 4, _) => true,
        _ => false,
    }
}

/// The chance by which a pause is longer or shorter: the same for all that failed together, so that it
/// goes together the next time.
struct Together(DefaultHasher);

impl Together {
    fn of(domain: &str, attempts: u32, now: UnixSeconds) -> Self {
        let mut hasher = DefaultHasher::new();
        (domain, attempts, now.0).hash(&mut hasher);
        Self(hasher)
    }
}

impl Random for Together {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0.write_u8(0);
            for (byte, drawn) in chunk.iter_mut().zip(self.0.finish().to_le_bytes()) {
                *byte = drawn;
            }
        }
    }
}

/// What the sender is told, if anything.
async fn report(
    desk: &Desk<Job>,
    post: &Post,
    message: &Outgoing,
    told: &[(Ruling, Action, UnixSeconds)],
    now: UnixSeconds,
) -> Result<Option<Report>, StoreError> {
    if told.is_empty() {
        return Ok(None);
    }
    let mail = mail(message).unwrap_or_else(|| Mail::new(ReversePath::Null));
    let failed = told.iter().any(|(_, action, _)| *action == Action::Failed);
    // RFC 8689 §5: what was to be kept secret on its way does not go back in clear.
    let whole = failed
        && mail.ret == Some(Return::Full)
        && message.size <= WHOLE_BYTES_MAX
        && !mail.require_tls;
    let text = read(desk, message, WHOLE_BYTES_MAX).await?;
    let originals: Vec<Option<OriginalRecipient<'static>>> =
        told.iter().map(|(ruling, ..)| ruling.to.rcpt().and_then(|rcpt| rcpt.original)).collect();
    let outcomes: Vec<Outcome<'_>> = told
        .iter()
        .zip(&originals)
        .map(|((ruling, action, until), original)| Outcome {
            address: &ruling.to.address,
            original: original.as_ref().map(|original| (&*original.kind, &*original.address)),
            action: *action,
            status: status_for(*action, ruling.status),
            server: ruling.server.as_deref(),
            said: ruling.said.as_deref(),
            why: ruling.why.as_deref(),
            last_attempt: Some(now),
            retry_until: Some(*until),
        })
        .collect();
    let about = About {
        hostname: &post.context.hostname,
        mail: &mail,
        cid: &message.cid,
        text: &text,
        whole,
        size: message.size,
        since: message.since,
        now,
    };
    let random = &mut *post.context.random();
    Ok(match (message.account, Telling::write(&about, &outcomes, random)) {
        (_, None) => None,
        (Some(account), Some(telling)) => Some(telling.inward(&about, account)),
        (None, Some(telling)) => {
            telling.outward(&about).map(|(message, body)| Report::Outward(message, body))
        }
    })
}

/// What failed for good after it could have been tried again tells its last trouble.
fn status_for(action: Action, status: Status) -> Status {
    let class = match action {
        Action::Failed => 5,
        Action::Delayed => 4,
        Action::Delivered | Action::Relayed | Action::Expanded => 2,
    };
    Status::new(class, status.subject(), status.detail())
}

/// The beginning of a message.
async fn read(desk: &Desk<Job>, message: &Outgoing, count: u64) -> Result<Vec<u8>, StoreError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let question = QueueRead::Bytes { message: message.id, offset: 0, count };
    match job::read(desk, "outgoing", Read::Queue(question)).await? {
        Found::Bytes(bytes) => Ok(bytes),
        _ => Err(job::astray("outgoing")),
    }
}

/// One ruling for all recipients of parcels, for what none of them can help.
pub(super) async fn settle_all(
    desk: &Desk<Job>,
    post: &Arc<Post>,
    parcels: Vec<Parcel>,
    (end, status, why): (End, Status, &str),
    tried: &Try,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    for Parcel { message, to } in parcels {
        let rulings = to.into_iter().map(|to| Ruling::of_trouble(to, end, status, why)).collect();
        settle(desk.clone(), Arc::clone(post), message, rulings, tried.clone(), now).await?;
    }
    Ok(())
}
