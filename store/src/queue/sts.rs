//! What domains want of TLS on the way to them (RFC 8461 §3.3), kept over restarts: who keeps us from
//! fetching it anew must not have mail sent without.

use pillarbox_core::UnixSeconds;
use rusqlite::{Connection, params};

use super::StsPolicy;
use crate::{StoreError, sql};

pub(super) fn keep(
    conn: &Connection,
    policy: &StsPolicy,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    sql::run(conn, "DELETE FROM sts_policy WHERE expires <= ?1", [now.0])?;
    let StsPolicy { domain, id, policy, fetched, expires } = policy;
    sql::run(
        conn,
        "INSERT INTO sts_policy (domain, id, policy, fetched, expires) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (domain) DO UPDATE SET id = ?2, policy = ?3, fetched = ?4, expires = ?5",
        params![domain, id, policy, fetched.0, expires.0],
    )?;
    Ok(())
}

pub(super) fn look(conn: &Connection, domain: &str) -> Result<Option<StsPolicy>, StoreError> {
    Ok(sql::first(
        conn,
        "SELECT id, policy, fetched, expires FROM sts_policy WHERE domain = ?1",
        [domain],
        |row| {
            Ok(StsPolicy {
                domain: domain.to_owned(),
                id: row.get(0)?,
                policy: row.get(1)?,
                fetched: UnixSeconds(row.get(2)?),
                expires: UnixSeconds(row.get(3)?),
            })
        },
    )?)
}
