//! A message on its way: its envelope is offered, then its bytes are read and sent.

use pillarbox_core::Outbox;
use pillarbox_core::dsn::Status;
use pillarbox_core::flow::Flow;
use pillarbox_core::smtp::client::{Ending, NotSent};
use pillarbox_store::{Found, OutgoingId, QueueRead, Read, StoreError};

use super::{Call, Over};
use crate::job;
use crate::queue::parcel::Parcel;
use crate::queue::settle::{End, Ruling};

/// A parcel that is being handed over.
pub(super) struct Present {
    pub(super) parcel: Parcel,
    offset: u64,
    /// What was read of it and not sent.
    piece: Option<Vec<u8>>,
    reading: Option<Flow<Result<Vec<u8>, StoreError>>>,
}

/// How much of a message is read at once.
const PIECE: usize = 128 << 10;

impl Call {
    /// Offers the server what is next.
    pub(super) fn begin(&mut self, parcel: Parcel, out: &mut Outbox) {
        if self.settled > 0 {
            self.transcript.clear();
            self.began = self.now.wall;
        }
        let Some(envelope) = parcel.envelope() else {
            let why = "what was kept of the envelope cannot be read";
            return self.give_up(parcel, Status::new(5, 3, 0), why);
        };
        match self.client.send(envelope, out) {
            Ok(()) => {
                let reading = Some(self.read(parcel.message.id, 0));
                self.present = Some(Present { parcel, offset: 0, piece: None, reading });
            }
            Err(NotSent::Exhausted) => {
                self.parcels.push_front(parcel);
                if self.client.quit(out).is_err() {
                    self.over = Some(Over::Quit);
                }
            }
            Err(why) => self.give_up(parcel, status_of(why), &why.to_string()),
        }
    }

    /// The server cannot take it, as it has said before it was asked.
    fn give_up(&mut self, parcel: Parcel, status: Status, why: &str) {
        self.transcript.note(why);
        let server = self.server.name.clone();
        let Parcel { message, to } = parcel;
        let rulings = to.into_iter().map(|to| Ruling {
            server: Some(server.clone()),
            ..Ruling::of_trouble(to, End::Never, status, why)
        });
        let rulings = rulings.collect();
        self.begin_settling(message, rulings);
    }

    fn read(&self, message: OutgoingId, offset: u64) -> Flow<Result<Vec<u8>, StoreError>> {
        let desk = self.desk.clone();
        Flow::new(async move {
            let question = QueueRead::Bytes { message, offset, count: PIECE };
            match job::read(&desk, "outgoing", Read::Queue(question)).await? {
                Found::Bytes(bytes) => Ok(bytes),
                _ => Err(job::astray("outgoing")),
            }
        })
    }

    /// Sends what there is of the body; false where it has to be waited for.
    pub(super) fn feed(&mut self, out: &mut Outbox) -> bool {
        if !out.below_mark() {
            return false;
        }
        let Some(present) = &mut self.present else { return false };
        if let Some(reading) = &mut present.reading {
            match reading.poll() {
                None => return false,
                Some(Ok(piece)) => present.piece = Some(piece),
                Some(Err(error)) => {
                    self.lose(&error);
                    return true;
                }
            }
            present.reading = None;
        }
        let Some(piece) = present.piece.take() else { return false };
        let id = present.parcel.message.id;
        present.offset += piece.len() as u64;
        let (offset, more) = (present.offset, present.offset < present.parcel.message.size);
        if !piece.is_empty() && self.client.body(&piece, out).is_err() {
            return false;
        }
        if more {
            let reading = Some(self.read(id, offset));
            if let Some(present) = &mut self.present {
                present.reading = reading;
            }
        } else if self.client.wants_body() {
            self.transcript.note(&format!("{offset} bytes"));
            return self.client.body_end(out).is_ok();
        } else if let Some(present) = &mut self.present {
            // Its last piece has to be answered before the end may be said; or it was one that must
            // not be sent, as the next look tells.
            present.piece = Some(Vec::new());
        }
        true
    }

    /// Our own store does not answer: nothing more is sent, and nothing is known of what is left.
    fn lose(&mut self, error: &StoreError) {
        let cid = self.present.as_ref().map_or("", |present| &present.parcel.message.cid);
        log::error!(cid, why:% = error; "outgoing mail cannot be read");
        self.hang_up(Ending::Withdrawn);
        let why = "the store does not answer".to_owned();
        self.over = Some(Over::Trouble(Status::new(4, 3, 0), why));
    }
}

/// RFC 3463 §3, RFC 6531 §3.6, RFC 8689 §4.2: what a message is whose server cannot take it.
const fn status_of(why: NotSent) -> Status {
    match why {
        NotSent::TooLarge(_) => Status::new(5, 3, 4),
        NotSent::SmtpUtf8 => Status::new(5, 6, 7),
        NotSent::NeedsSevenBit | NotSent::NeedsLines => Status::new(5, 6, 3),
        NotSent::TlsNotVerified | NotSent::RequireTls => Status::new(5, 7, 30),
        _ => Status::new(5, 3, 0),
    }
}
