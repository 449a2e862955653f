//! The step to version 4: names that were kept with capitals or letters in pieces, other than ASCII.

use pillarbox_core::international::fold;
use rusqlite::{Connection, params};

use crate::sql;

/// Folds all names. One that another holds already stays as it is, and leads nowhere from now on:
/// whose it should be is for the operator to say.
pub(super) fn fold_names(conn: &Connection) -> rusqlite::Result<()> {
    for (id, name) in unfolded(conn, "SELECT id, name FROM account")? {
        let folded = params![id, fold(&name)];
        if sql::run(conn, "UPDATE OR IGNORE account SET name = ?2 WHERE id = ?1", folded)? == 0 {
            taken(&name);
        }
    }
    for (domain, localpart) in unfolded(conn, "SELECT domain, localpart FROM address")? {
        let folded = params![domain, localpart, fold(&localpart)];
        let changed = sql::run(
            conn,
            "UPDATE OR IGNORE address SET localpart = ?3 WHERE domain = ?1 AND localpart = ?2 \
             AND NOT EXISTS (SELECT 1 FROM alias WHERE domain = ?1 AND localpart = ?3)",
            folded,
        )?;
        if changed == 0 {
            taken(&localpart);
            continue;
        }
        let member = "UPDATE member SET localpart = ?3 WHERE domain = ?1 AND localpart = ?2";
        sql::run(conn, member, folded)?;
    }
    for (domain, localpart) in unfolded(conn, "SELECT domain, localpart FROM alias")? {
        let changed = sql::run(
            conn,
            "UPDATE OR IGNORE alias SET localpart = ?3 WHERE domain = ?1 AND localpart = ?2 \
             AND NOT EXISTS (SELECT 1 FROM address WHERE domain = ?1 AND localpart = ?3)",
            params![domain, localpart, fold(&localpart)],
        )?;
        if changed == 0 {
            taken(&localpart);
        }
    }
    Ok(())
}

/// The rows whose name is not what it would be now.
fn unfolded(conn: &Connection, query: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    let all = sql::all(conn, query, [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    Ok(all.into_iter().filter(|(_, name)| fold(name) != name.as_str()).collect())
}

fn taken(name: &str) {
    log::warn!(name; "this name is now the same as another one, which has its mail: give it another");
}
