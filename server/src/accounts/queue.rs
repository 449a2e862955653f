//! Mail that leaves, as commands look at it and change it.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Effect;
use pillarbox_core::flow::Desk;
use pillarbox_store::{
    self as store, AccountId, Filter, Found, HoldId, HoldRule, QueueId, QueueRead, QueueWrite,
    Queued, Read, Suppressed, Try, Write, Written,
};

use super::find;
use crate::address::domain_name;
use crate::control::wire::Answer;
use crate::control::wire::queue::{
    HoldRow, QueueChange, QueueFilter, QueueRequest, QueueRow, State, SuppressedRow, TryRow,
};
use crate::job::{self, Job};
use crate::queue;

/// Rows in one answer.
const PAGE_MAX: usize = 500;

pub(super) async fn carry_out(
    desk: &Desk<Job>,
    request: QueueRequest,
    now: UnixSeconds,
) -> Result<Answer, String> {
    match request {
        QueueRequest::List { filter, after } => {
            let filter = read(desk, filter).await?;
            let (after, count_max) = (QueueId(after), PAGE_MAX);
            let Found::Queued(found) =
                ask(desk, QueueRead::List { filter, after, count_max }).await?
            else {
                return Err(job::astray("queue").to_string());
            };
            let more = found.len() == PAGE_MAX;
            Ok(Answer::Queued { rows: found.into_iter().map(row).collect(), more })
        }
        QueueRequest::Tries { id } => match ask(desk, QueueRead::Tries(QueueId(id))).await? {
            Found::Tries(found) => Ok(Answer::Tries(found.into_iter().map(tried).collect())),
            _ => Err(job::astray("tries").to_string()),
        },
        QueueRequest::Change { filter, change } => {
            let filter = read(desk, filter).await?;
            self::change(desk, filter, change, now).await
        }
        QueueRequest::Suppressed { account, after } => {
            let account = find(desk, &account).await?.account;
            let question = QueueRead::Suppressed(account, after, PAGE_MAX);
            let Found::Suppressed(found) = ask(desk, question).await? else {
                return Err(job::astray("suppressed").to_string());
            };
            let more = found.len() == PAGE_MAX;
            let row = |one: Suppressed| {
                let Suppressed { address, since, reason } = one;
                SuppressedRow { address, since: since.0, reason }
            };
            Ok(Answer::Suppressed { rows: found.into_iter().map(row).collect(), more })
        }
        QueueRequest::Suppress { account, address } => {
            let account = find(desk, &account).await?.account;
            let reason = "as the postmaster has said".to_owned();
            let one = Suppressed { address, since: now, reason };
            write(desk, QueueWrite::Suppress(account, one)).await?;
            Ok(Answer::Done)
        }
        QueueRequest::Allow { account, address } => {
            let account = find(desk, &account).await?.account;
            match write(desk, QueueWrite::Allow(account, address.clone())).await? {
                Written::Purged(1) => Ok(Answer::Done),
                _ => Err(format!("`{address}` is not suppressed")),
            }
        }
        QueueRequest::Holds => holds(desk).await,
        QueueRequest::AddHold(row) => {
            let account = match row.account {
                Some(login) => Some(find(desk, &login).await?.account),
                None => None,
            };
            let domain = |name: Option<String>| name.map(|name| domain_name(&name)).transpose();
            let (sender, recipient) = (domain(row.from)?, domain(row.to)?);
            write(desk, QueueWrite::AddHold(HoldRule { account, sender, recipient })).await?;
            log::info!("a rule holds outgoing mail, by command");
            Ok(Answer::Done)
        }
        QueueRequest::RemoveHold { id } => {
            match write(desk, QueueWrite::RemoveHold(HoldId(id))).await? {
                Written::Purged(1) => Ok(Answer::Done),
                _ => Err(format!("there is no rule {id}: `pillarbox queue rule list` shows all")),
            }
        }
    }
}

async fn change(
    desk: &Desk<Job>,
    filter: Filter,
    change: QueueChange,
    now: UnixSeconds,
) -> Result<Answer, String> {
    let what = format!("{change:?}");
    let change = match change {
        QueueChange::Hold => store::QueueChange::Hold,
        QueueChange::Release => store::QueueChange::Release,
        QueueChange::Retry(seconds) => {
            store::QueueChange::Reschedule(UnixSeconds(now.0.saturating_add(seconds)))
        }
        QueueChange::Transport(name) => store::QueueChange::Transport(name, now),
        QueueChange::Fail(why) => {
            // Those that are held are let go for it.
            let release = QueueWrite::Change(filter.clone(), store::QueueChange::Release);
            write(desk, release).await?;
            store::QueueChange::Transport(Some(format!("{}{why}", queue::FAIL)), now)
        }
        QueueChange::Drop => store::QueueChange::Drop(now),
        QueueChange::RequireTls(on) => return require_tls(desk, filter, on).await,
    };
    let Written::Purged(count) = write(desk, QueueWrite::Change(filter, change)).await? else {
        return Err(job::astray("queue").to_string());
    };
    log::info!(count, what = what.as_str(); "outgoing mail changed by command");
    desk.send(Effect::Notify(queue::CHANGED));
    Ok(Answer::Changed(count))
}

/// Of each message what MAIL says is written anew.
async fn require_tls(desk: &Desk<Job>, filter: Filter, on: bool) -> Result<Answer, String> {
    let (mut after, mut count, mut last) = (QueueId(0), 0, None);
    loop {
        let question = QueueRead::List { filter: filter.clone(), after, count_max: PAGE_MAX };
        let Found::Queued(found) = ask(desk, question).await? else {
            return Err(job::astray("queue").to_string());
        };
        for Queued { due, state, .. } in &found {
            after = due.id;
            if !state.is_open() || last.replace(due.message.id) == Some(due.message.id) {
                continue;
            }
            let Some(mail) = queue::requiring_tls(&due.message, on) else { continue };
            let one = Filter { ids: vec![due.id], ..Filter::default() };
            let change = QueueWrite::Change(one, store::QueueChange::Mail(mail));
            write(desk, change).await?;
            count += 1;
        }
        if found.len() < PAGE_MAX {
            desk.send(Effect::Notify(queue::CHANGED));
            return Ok(Answer::Changed(count));
        }
    }
}

async fn holds(desk: &Desk<Job>) -> Result<Answer, String> {
    let Found::Holds(found) = ask(desk, QueueRead::Holds).await? else {
        return Err(job::astray("rules").to_string());
    };
    let mut rows = Vec::with_capacity(found.len());
    for (id, HoldRule { account, sender, recipient }) in found {
        let account = match account {
            Some(account) => Some(name_of(desk, account).await?),
            None => None,
        };
        rows.push(HoldRow { id: id.0, account, from: sender, to: recipient });
    }
    Ok(Answer::Holds(rows))
}

/// The name of an account; of one that is no more, its number.
async fn name_of(desk: &Desk<Job>, account: AccountId) -> Result<String, String> {
    match job::read(desk, "account", Read::Account { account }).await {
        Ok(Found::Accounts(found)) => {
            Ok(found.into_iter().next().map_or_else(|| account.0.to_string(), |info| info.name))
        }
        Ok(_) => Err(job::astray("account").to_string()),
        Err(_) => Ok(account.0.to_string()),
    }
}

async fn read(desk: &Desk<Job>, filter: QueueFilter) -> Result<Filter, String> {
    let QueueFilter { ids, account, from, to, message_id, states } = filter;
    let account = match account {
        Some(login) => Some(find(desk, &login).await?.account),
        None => None,
    };
    let ids = ids.into_iter().map(QueueId).collect();
    let states = states.into_iter().map(stored).collect();
    Ok(Filter { ids, account, from, to, message_id, states })
}

const fn stored(state: State) -> store::State {
    match state {
        State::Waiting => store::State::Waiting,
        State::Held => store::State::Held,
        State::Delivered => store::State::Delivered,
        State::Failed => store::State::Failed,
        State::Dropped => store::State::Dropped,
    }
}

fn row(queued: Queued) -> QueueRow {
    let Queued { due, state, said } = queued;
    let told = State::ALL.into_iter().find(|told| stored(*told) == state);
    QueueRow {
        id: due.id.0,
        message: due.message.id.0,
        state: told.unwrap_or(State::Waiting),
        from: due.message.sender,
        to: due.address,
        message_id: due.message.message_id,
        cid: due.message.cid,
        size: due.message.size,
        since: due.message.since.0,
        next: due.next.0,
        attempts: due.attempts,
        transport: due.transport,
        said,
    }
}

fn tried((tried, said): (Try, String)) -> TryRow {
    let Try { began, server, address, tls, transcript } = tried;
    TryRow { began: began.0, server, address, tls, said, transcript }
}

async fn ask(desk: &Desk<Job>, question: QueueRead) -> Result<Found, String> {
    let found = job::read(desk, "queue", Read::Queue(question)).await;
    found.map_err(|error| error.to_string())
}

async fn write(desk: &Desk<Job>, job: QueueWrite) -> Result<Written, String> {
    let written = job::write(desk, "queue", Write::Queue(Box::new(job))).await;
    written.map_err(|error| error.to_string())
}
