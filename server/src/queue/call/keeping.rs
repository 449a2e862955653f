//! What came of a parcel on its way to the store.

use std::sync::Arc;
use std::time::Duration;

use pillarbox_core::Moment;
use pillarbox_core::flow::Flow;
use pillarbox_store::{Outgoing, StoreError, Try};

use super::Call;
use crate::queue::settle::{Ruling, settle};

/// How long to wait before what could not be kept is tried again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// What came of a parcel, until it is kept: a server that has taken a message must not get it again
/// because our own disk is full.
pub(super) struct Settling {
    kept: Kept,
    /// `None`: it has failed, and is tried again then.
    flow: Result<Flow<Result<(), StoreError>>, Moment>,
}

/// What is to be kept.
#[derive(Clone)]
struct Kept {
    message: Outgoing,
    rulings: Vec<Ruling>,
    tried: Try,
}

impl Call {
    /// Whether what came of a parcel is not kept yet. Nothing else is begun meanwhile; at the server's
    /// stop it is given up.
    pub(super) fn is_settling(&mut self) -> bool {
        let Some(Settling { kept, flow }) = &mut self.settling else { return false };
        match flow {
            Ok(running) => match running.poll() {
                None => return true,
                Some(Ok(())) => self.settled += 1,
                Some(Err(error)) => {
                    log::error!(cid = kept.message.cid.as_str(), why:% = error;
                        "what came of outgoing mail cannot be kept yet");
                    *flow = Err(self.now.moment + KEEP_AGAIN);
                    return !self.stopping;
                }
            },
            Err(_) if self.stopping => {}
            Err(again) if *again > self.now.moment => return true,
            Err(_) => {
                let kept = kept.clone();
                self.begin_keeping(kept);
                return self.is_settling();
            }
        }
        self.settling = None;
        false
    }

    /// When what could not be kept is tried again.
    pub(super) fn keep_again(&self) -> Option<Moment> {
        self.settling.as_ref().and_then(|settling| settling.flow.as_ref().err().copied())
    }

    fn begin_keeping(&mut self, kept: Kept) {
        let (desk, post, now) = (self.desk.clone(), Arc::clone(&self.post), self.now.wall);
        let Kept { message, rulings, tried } = kept.clone();
        let flow = Ok(Flow::new(settle(desk, post, message, rulings, tried, now)));
        self.settling = Some(Settling { kept, flow });
    }

    pub(super) fn begin_settling(&mut self, message: Outgoing, rulings: Vec<Ruling>) {
        let tried = self.tried();
        self.begin_keeping(Kept { message, rulings, tried });
    }
}
