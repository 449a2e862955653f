//! What was found of messages from domains that publish a DMARC policy, for the reports to them
//! (RFC 7489 §7.2). Kept for [`DAYS_KEPT`], and never more than [`ROWS_MAX`] rows of one day,
//! whatever strangers send.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use crate::{StoreError, sql};

/// Messages of which the same was found on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcSeen {
    /// The first second of the day, in UTC.
    pub day: UnixSeconds,
    /// Whose policy it was.
    pub domain: String,
    /// What was found, as JSON.
    pub facts: String,
    /// How many messages.
    pub count: u64,
}

/// Of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Messages that came (DMARC).
    Messages,
    /// How TLS went on the way to others (RFC 8460).
    Tls,
}

impl About {
    const fn table(self) -> &'static str {
        match self {
            Self::Messages => "dmarc_seen",
            Self::Tls => "tls_seen",
        }
    }
}

/// Counts in what was found, and forgets what is old.
pub(crate) fn note(
    conn: &Connection,
    about: About,
    seen: &[DmarcSeen],
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let table = about.table();
    let oldest = now.0.saturating_sub(now.0.rem_euclid(DAY)).saturating_sub(DAYS_KEPT * DAY);
    sql::run(conn, &format!("DELETE FROM {table} WHERE day < ?1"), [oldest])?;
    for DmarcSeen { day, domain, facts, count } in seen {
        let count = count.cast_signed();
        let known = sql::run(
            conn,
            &format!(
                "UPDATE {table} SET count = count + ?4 \
                 WHERE day = ?1 AND domain = ?2 AND facts = ?3"
            ),
            params![day.0, domain, facts, count],
        )?;
        if known == 0 {
            sql::run(
                conn,
                &format!(
                    "INSERT INTO {table} (day, domain, facts, count) SELECT ?1, ?2, ?3, ?4 \
                     WHERE (SELECT count(*) FROM {table} WHERE day = ?1) < ?5"
                ),
                params![day.0, domain, facts, count, ROWS_MAX],
            )?;
        }
    }
    Ok(())
}

/// What was found on one day, by domain, behind a domain and at most so many rows.
pub(crate) fn list(
    conn: &Connection,
    about: About,
    day: UnixSeconds,
    skip: usize,
    count_max: usize,
) -> Result<Vec<DmarcSeen>, StoreError> {
    Ok(sql::all(
        conn,
        &format!(
            "SELECT domain, facts, count FROM {} WHERE day = ?1 ORDER BY domain, id \
             LIMIT ?2 OFFSET ?3",
            about.table()
        ),
        params![day.0, sql::count(count_max), sql::count(skip)],
        |row| {
            Ok(DmarcSeen {
                day,
                domain: row.get(0)?,
                facts: row.get(1)?,
                count: sql::u64_at(row, 2)?,
            })
        },
    )?)
}

/// For how many days it is kept.
const DAYS_KEPT: i64 = 14;
const DAY: i64 = 86_400;
const ROWS_MAX: i64 = 10_000;
