//! Messages with a NUL in them, as a literal8 brings them (RFC 3516 §4.4).
//!
//! FETCH could not send such a message: BODY is sent in literals without NUL, and has to be as
//! BODYSTRUCTURE says (RFC 3516 §6). So its binary parts are stored in base64, without loss, and
//! BINARY takes that away again. A message without a NUL is never changed.

use pillarbox_core::Random;
use pillarbox_core::imap::response::Code;
use pillarbox_core::mime::{PARTS_MAX, Reencoder};
use pillarbox_store::StoreError;

use super::Refusal;
use crate::imap::commands::Answer;
use crate::imap::open::Tools;
use crate::job;
use crate::smtp::spool::Spool;

/// The same message as one of lines; or why it cannot be one.
pub(super) async fn lines(
    tools: &Tools,
    random: &mut dyn Random,
    spool: Spool,
) -> Result<Spool, Refusal> {
    let mut lines = Spool::default();
    let encoded = encode(tools, random, &spool, &mut lines).await;
    spool.discard(&tools.desk);
    match encoded {
        Ok(()) => Ok(lines),
        Err(refusal) => {
            lines.discard(&tools.desk);
            Err(refusal)
        }
    }
}

async fn encode(
    tools: &Tools,
    random: &mut dyn Random,
    from: &Spool,
    into: &mut Spool,
) -> Result<(), Refusal> {
    let refused = |fault| {
        let text = format!("this cannot be stored without loss: {fault}");
        Refusal::Answer(Answer::no(Some(Code::UnknownCte), text))
    };
    let mut reencoder = Reencoder::new(PARTS_MAX);
    let mut offset = 0;
    loop {
        let piece = from.piece(&tools.desk, offset).await.map_err(StoreError::Fault)?;
        let mut text = Vec::new();
        if piece.is_empty() {
            if offset < from.size() {
                return Err(job::astray("a body shorter than its size").into());
            }
            let result = reencoder.finish(&mut text);
            into.push(&text);
            return result.map_err(refused);
        }
        reencoder.push(&piece, &mut text).map_err(refused)?;
        into.push(&text);
        offset += piece.len() as u64;
        if into.is_due() {
            let (spool, written) =
                std::mem::take(into).write_out(tools.desk.clone(), &mut *random).await;
            *into = spool;
            written.map_err(StoreError::Fault)?;
        }
    }
}
