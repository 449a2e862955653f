//! Questions to the index: which messages of a mailbox may be found.

use pillarbox_core::imap::search::trigrams::{Filter, MARK_BITS};
use rusqlite::{Connection, params};

use super::block;
use crate::rights::{Principal, Right, may};
use crate::store::Shared;
use crate::{AccountId, MailboxId, StoreError, UidRange, sql};

/// A mailbox with fewer messages than this for each block of the index is looked through without.
const MESSAGES_A_BLOCK: u64 = 2;

/// A reader's connection to the index, opened when it is asked for first.
#[derive(Debug, Default)]
pub(crate) struct Index(Option<Connection>);

impl Index {
    /// The messages of a mailbox that a filter lets pass, as far as it can be told, with those that
    /// are not indexed yet. `None` where it is better to look through all: there is no index, or
    /// most of them pass.
    pub(crate) fn ask(
        &mut self,
        mail: &Connection,
        shared: &Shared,
        by: AccountId,
        mailbox: MailboxId,
        filter: &Filter,
    ) -> Result<Option<Vec<UidRange>>, StoreError> {
        let opened = may(mail, Principal::Account(by), Right::Read, mailbox)?;
        if self.0.is_none() {
            self.0 = super::connect_to_ask(&shared.index()).ok();
        }
        let Some(conn) = &self.0 else { return Ok(None) };
        match known(conn, filter, opened.status.messages) {
            Ok(Some(known)) => {
                let passing = passing(mail, mailbox, filter, &known)?;
                // Many questions for single messages would cost more than one for all.
                let count: u64 =
                    passing.iter().map(|run| u64::from(run.last - run.first) + 1).sum();
                Ok((count <= opened.status.messages / 2).then_some(passing))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                // Broken, or being made anew: the next question opens what is there then.
                log::debug!(why:% = error; "the index of texts cannot be asked");
                self.0 = None;
                Ok(None)
            }
        }
    }
}

/// What the index knows.
struct Known {
    /// Of bodies with a higher id it knows nothing.
    last: i64,
    /// For each of the filter's sets of marks, in the order of its leaves: who has them, as sorted
    /// ranges of ids with both ends in them.
    who: Vec<Vec<(i64, i64)>>,
}

/// Asks for all sets of marks, from one snapshot.
fn known(conn: &Connection, filter: &Filter, messages: u64) -> Result<Option<Known>, StoreError> {
    let snapshot = conn.unchecked_transaction()?;
    let last = sql::first(&snapshot, "SELECT last FROM state", [], |row| row.get(0))?;
    let last = last.ok_or_else(|| StoreError::corrupt("the index has no state"))?;
    let blocks: Vec<(i64, u32)> = sql::all(&snapshot, "SELECT id, bits FROM block", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    if sql_count(blocks.len()).saturating_mul(MESSAGES_A_BLOCK) > messages {
        return Ok(None);
    }
    let mut sets = Vec::new();
    leaves(filter, &mut sets);
    let mut who = Vec::with_capacity(sets.len());
    for set in sets {
        let mut found = Vec::new();
        for (block, bits) in &blocks {
            in_block(&snapshot, *block, *bits, set, &mut found)?;
        }
        in_pending(&snapshot, set, &mut found)?;
        found.sort_unstable();
        who.push(found);
    }
    Ok(Some(Known { last, who }))
}

fn sql_count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The sets of marks of a filter in their order.
fn leaves<'f>(filter: &'f Filter, sets: &mut Vec<&'f [u32]>) {
    match filter {
        Filter::Any => {}
        Filter::Has(marks) => sets.push(marks),
        Filter::All(filters) | Filter::One(filters) => {
            filters.iter().for_each(|filter| leaves(filter, sets));
        }
    }
}

/// Where there are fewer marks, these are the full ones without their low bits, and sorted too.
fn in_block(
    conn: &Connection,
    block: i64,
    bits: u32,
    set: &[u32],
    found: &mut Vec<(i64, i64)>,
) -> Result<(), StoreError> {
    let (mut who, mut before) = (u128::MAX, None);
    for mark in set.iter().map(|mark| mark >> MARK_BITS.saturating_sub(bits)) {
        if before == Some(mark) {
            continue;
        }
        before = Some(mark);
        who &= block::who_has(conn, block, mark)?;
        if who == 0 {
            return Ok(());
        }
    }
    let docs = block::docs(conn, block)?;
    let marked = docs.iter().enumerate().filter(|(number, _)| who >> number & 1 == 1);
    found.extend(marked.map(|(_, doc)| (doc.first, doc.last)));
    Ok(())
}

fn in_pending(
    conn: &Connection,
    set: &[u32],
    found: &mut Vec<(i64, i64)>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached("SELECT first, last, bits, marks FROM pending")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let bits: u32 = row.get(2)?;
        let marks = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        let has = |mark: &u32| {
            let mark = mark >> MARK_BITS.saturating_sub(bits);
            let place = usize::try_from(mark / 8).unwrap_or(usize::MAX);
            marks.get(place).is_some_and(|byte| byte & 1 << (mark % 8) != 0)
        };
        if bits == 0 || set.iter().all(has) {
            found.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(())
}

/// The messages whose body or lines in front are among those found, or not known.
fn passing(
    mail: &Connection,
    mailbox: MailboxId,
    filter: &Filter,
    known: &Known,
) -> Result<Vec<UidRange>, StoreError> {
    // Whoever passes is between the first and the last that have any of the marks: where these are
    // few, that spares a look at most rows.
    let first = known.who.iter().filter_map(|who| who.first()).map(|(first, _)| *first).min();
    let last = known.who.iter().flatten().map(|(_, last)| *last).max();
    let mut statement = mail.prepare_cached(
        "SELECT uid, body, prefix FROM message WHERE mailbox = ?1 \
         AND (body BETWEEN ?2 AND ?3 OR body > ?4 OR prefix BETWEEN ?2 AND ?3 OR prefix > ?4) \
         ORDER BY uid",
    )?;
    let span = (first.unwrap_or(i64::MAX), last.unwrap_or(i64::MIN));
    let mut rows = statement.query(params![mailbox.0, span.0, span.1, known.last])?;
    let mut passing = Vec::new();
    while let Some(row) = rows.next()? {
        let (body, prefix): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let is_new = body > known.last || prefix.is_some_and(|prefix| prefix > known.last);
        if is_new || passes(filter, known, &mut 0, body, prefix) {
            UidRange::push(&mut passing, row.get(0)?);
        }
    }
    Ok(passing)
}

/// Whether a message passes; `leaf` counts the sets of marks.
fn passes(
    filter: &Filter,
    known: &Known,
    leaf: &mut usize,
    body: i64,
    prefix: Option<i64>,
) -> bool {
    match filter {
        Filter::Any => true,
        Filter::Has(_) => {
            let who = known.who.get(*leaf);
            *leaf += 1;
            who.is_none_or(|who| {
                is_among(who, body) || prefix.is_some_and(|prefix| is_among(who, prefix))
            })
        }
        // Each is asked, so that the leaves are counted.
        Filter::All(filters) => {
            filters.iter().fold(true, |all, f| passes(f, known, leaf, body, prefix) & all)
        }
        Filter::One(filters) => {
            filters.iter().fold(false, |one, f| passes(f, known, leaf, body, prefix) | one)
        }
    }
}

fn is_among(ranges: &[(i64, i64)], id: i64) -> bool {
    let at = ranges.partition_point(|(first, _)| *first <= id);
    at.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| id <= *last)
}
