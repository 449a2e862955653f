//! THREAD and UID THREAD (RFC 5256): what a search finds, as threads.

use pillarbox_core::UnixSeconds;
use pillarbox_core::imap::command::{SearchKey, UnknownCharset};
use pillarbox_core::imap::grammar::Algorithm;
use pillarbox_core::imap::thread::Threader;
use pillarbox_store::StoreError;

use super::commands::Answer;
use super::open::{GATHERED_MAX, Open, Tools};
use super::outlines::outlines;
use super::search::{Hunt, unknown_charset};
use crate::job;

/// Tells which messages satisfy the key, and which answers which.
pub(super) async fn thread(
    tools: &Tools,
    open: &mut Open,
    uid: bool,
    algorithm: Algorithm,
    key: Result<SearchKey, UnknownCharset>,
    now: UnixSeconds,
) -> Result<Answer, StoreError> {
    let Ok(hunt) = Hunt::begin(open, uid, None, key, now) else { return Ok(unknown_charset()) };
    let found = hunt.find(tools, open).await?;
    let mut threader = Box::new(Threader::new(algorithm));
    outlines(tools, open, &found, true, |facts, header| {
        let number = if uid { Some(facts.uid) } else { open.view.sequence_of(facts.uid) };
        if let Some(number) = number {
            threader.push(number, facts.internaldate, header);
        }
    })
    .await?;
    let mut threads = job::thread(&tools.desk, threader).await?;
    loop {
        let room = |out: &Vec<u8>| out.len() < GATHERED_MAX;
        if !tools.pen.write(|out| threads.write(out, room)) {
            return Ok(Answer::ok("done"));
        }
        tools.pen.room().await;
    }
}
