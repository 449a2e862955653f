//! The versions of the schema, and the way from each to the next.

use rusqlite::{Connection, TransactionBehavior};

use crate::OpenError;

mod folded;

/// Step n leads from version n to version n + 1. A step that was released is never changed.
const STEPS: [&str; 17] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
    include_str!("schema/12.sql"),
    include_str!("schema/13.sql"),
    include_str!("schema/14.sql"),
    include_str!("schema/15.sql"),
    include_str!("schema/16.sql"),
    include_str!("schema/17.sql"),
];

/// The step to this version goes on in Rust.
const FOLDED: i64 = 4;

/// The version that this program writes.
pub(crate) fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// The version of a database; 0 is an empty one.
pub(crate) fn version(conn: &Connection) -> Result<i64, OpenError> {
    let found = conn.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    let known = known();
    if (0..=known).contains(&found) { Ok(found) } else { Err(OpenError::Newer { found, known }) }
}

/// Brings the database to the version that this program writes, each step in one transaction.
pub(crate) fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let from = version(conn)?;
    for (target, step) in (1_i64..).zip(STEPS) {
        if target <= from {
            continue;
        }
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        if target == FOLDED {
            folded::fold_names(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", target)?;
        transaction.commit()?;
    }
    Ok(())
}
