//! What a crash left behind, put away at the start by whoever holds the lock.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use pillarbox_core::effect::Handle;
use rusqlite::Connection;

use crate::{MailboxId, OpenError, StoreError, body_path, expunge, sql};

/// Purges expunged messages, which no session can number any more, and removes files that no row
/// names: bodies whose delivery never came to its commit.
pub(crate) fn sweep(conn: &Connection, bodies: &Path) -> Result<(), OpenError> {
    let transaction = conn.unchecked_transaction()?;
    let mailboxes = sql::all(
        &transaction,
        "SELECT DISTINCT mailbox FROM message INDEXED BY message_expunged WHERE expunged = 1",
        [],
        |row| row.get(0).map(MailboxId),
    )?;
    for mailbox in mailboxes {
        // The files go with the others that no row names.
        expunge::purge_all(&transaction, mailbox, u64::MAX, &mut Vec::new())?;
    }
    transaction.commit()?;
    let named = named(conn)?;
    for (name, handle) in files(bodies)? {
        if handle.is_none_or(|handle| !named.contains(&handle)) {
            let path = bodies.join(&name);
            log::info!(file:? = name; "a file that no message names is removed");
            fs::remove_file(&path).map_err(|error| OpenError::Io(path, error))?;
        }
    }
    Ok(())
}

/// The handles that rows name.
pub(crate) fn named(conn: &Connection) -> Result<HashSet<Handle>, StoreError> {
    let handles = sql::all(
        conn,
        "SELECT handle FROM body INDEXED BY body_handle WHERE handle IS NOT NULL",
        [],
        |row| row.get(0).map(Handle),
    )?;
    Ok(handles.into_iter().collect())
}

/// The files in the folder of bodies, with the handle where the name is one. Folders are not ours
/// and are left alone.
pub(crate) fn files(bodies: &Path) -> Result<Vec<(std::ffi::OsString, Option<Handle>)>, OpenError> {
    let fault = |error| OpenError::Io(bodies.to_owned(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(bodies).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if entry.file_type().map_err(fault)?.is_file() {
            let name = entry.file_name();
            let handle = name.to_str().and_then(parse_handle);
            files.push((name, handle));
        }
    }
    Ok(files)
}

/// A handle from the 32 hex digits of its file's name.
fn parse_handle(name: &str) -> Option<Handle> {
    let value = u128::from_str_radix(name, 16).ok()?;
    let handle = Handle(value.to_be_bytes());
    // Only as we write it: `+`, capitals and other lengths are somebody else's.
    (body_path(Path::new(""), handle).to_str() == Some(name)).then_some(handle)
}
