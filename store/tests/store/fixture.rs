//! A store with two accounts in a folder of its own, and the answers without their wrapping.

use pillarbox_core::UnixSeconds;
use pillarbox_core::effect::Handle;
use pillarbox_store::{
    AccountId, Change, Changes, Delivered, Flags, Found, Leaving, MailboxId, Message, NewBody,
    NewMessage, Options, Place, Read, Reader, Recipient, Selected, Store, StoreError, Sync,
    UidRange, What, Write, Writer, Written,
};
use tempfile::TempDir;

pub(crate) const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) ann: AccountId,
    pub(crate) bob: AccountId,
}

/// Small and unsynced: tests of what is in the store, not of when.
pub(crate) fn options() -> Options {
    Options { sync: Sync::Off, wal_size: 0, ..Options::default() }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(&options())
    }

    pub(crate) fn with(options: &Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), options).unwrap();
        let mut writer = store.writer().unwrap();
        let reader = store.reader().unwrap();
        let account = |name: &str| Write::CreateAccount { name: name.into(), now: NOW };
        let made = writer.commit(vec![account("ann"), account("bob")]);
        let [Ok(Written::Account(ann)), Ok(Written::Account(bob))] = made.as_slice() else {
            panic!("{made:?}")
        };
        Self { dir, store, writer, reader, ann: *ann, bob: *bob }
    }

    /// Closes the store and opens it again in the same folder.
    pub(crate) fn reopen(self) -> Self {
        let Self { dir, store, writer, reader, ann, bob } = self;
        drop((store, writer, reader));
        let store = Store::open(dir.path(), &options()).unwrap();
        let (writer, reader) = (store.writer().unwrap(), store.reader().unwrap());
        Self { dir, store, writer, reader, ann, bob }
    }

    pub(crate) fn write(&mut self, job: Write) -> Result<Written, StoreError> {
        let mut answers = self.writer.commit(vec![job]);
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    pub(crate) fn done(&mut self, job: Write) -> Written {
        self.write(job).unwrap()
    }

    pub(crate) fn read(&mut self, job: Read) -> Result<Found, StoreError> {
        self.reader.read(job)
    }

    pub(crate) fn mailbox(&mut self, account: AccountId, name: &str) -> MailboxId {
        match self.read(Read::MailboxByName { account, name: name.into() }) {
            Ok(Found::Mailbox(info)) => info.id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn inbox(&mut self) -> MailboxId {
        self.mailbox(self.ann, "INBOX")
    }

    pub(crate) fn deliver(&mut self, text: &str) -> Delivered {
        match self.done(deliver(vec![recipient(self.ann, Place::Inbox)], inline(text))) {
            Written::Delivered(delivered) => delivered[0],
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn flag(&mut self, uids: &[UidRange], change: Change, flags: Flags) -> Written {
        let mailbox = self.inbox();
        self.done(Write::StoreFlags {
            by: self.ann,
            mailbox,
            uids: uids.to_vec(),
            unchanged_since: None,
            change,
            flags,
            keywords: vec![],
        })
    }

    pub(crate) fn select(&mut self, mailbox: MailboxId) -> Selected {
        match self.read(Read::Select { by: self.ann, mailbox, since: None }) {
            Ok(Found::Selected(selected)) => selected,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn changes(&mut self, mailbox: MailboxId, since: u64) -> Changes {
        match self.read(Read::Changes { by: self.ann, mailbox, since }) {
            Ok(Found::Changes(changes)) => changes,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn messages(&mut self, mailbox: MailboxId, also_expunged: bool) -> Vec<Message> {
        let what = What::Text { each_max: u64::MAX, all_max: u64::MAX };
        let job = Read::Messages {
            by: self.ann,
            mailbox,
            uids: vec![UidRange::ALL],
            after: 0,
            count_max: usize::MAX,
            what,
            also_expunged,
        };
        match self.read(job) {
            Ok(Found::Messages(found)) => found.messages,
            other => panic!("{other:?}"),
        }
    }

    /// A body's file, as the runtime would have written it.
    pub(crate) fn file(&self, number: u8, bytes: &[u8]) -> NewBody {
        let handle = Handle([number; 16]);
        let path = pillarbox_store::body_path(self.store.bodies(), handle);
        std::fs::write(path, bytes).unwrap();
        NewBody::File { handle, size: bytes.len() as u64 }
    }

    pub(crate) fn body_files(&self) -> usize {
        std::fs::read_dir(self.store.bodies()).unwrap().count()
    }

    /// What `verify` finds, each as its line. The store is opened again afterwards.
    pub(crate) fn verified(self) -> (Self, Vec<String>) {
        let Self { dir, store, writer, reader, ann, bob } = self;
        drop((store, writer, reader));
        let mut found = Vec::new();
        pillarbox_store::verify::verify(dir.path(), &mut |finding| found.push(finding.to_string()))
            .unwrap();
        let store = Store::open(dir.path(), &options()).unwrap();
        let (writer, reader) = (store.writer().unwrap(), store.reader().unwrap());
        (Self { dir, store, writer, reader, ann, bob }, found)
    }
}

pub(crate) fn recipient(account: AccountId, into: Place) -> Recipient {
    Recipient {
        account,
        into,
        prefix: b"Received: here\r\n".to_vec(),
        flags: Flags::NONE,
        alias: None,
    }
}

pub(crate) fn deliver(recipients: Vec<Recipient>, body: NewBody) -> Write {
    Write::Deliver { recipients, body, leaving: Leaving::default(), received: NOW }
}

pub(crate) fn inline(text: &str) -> NewBody {
    NewBody::Inline(text.as_bytes().to_vec())
}

/// What a client appends without flags.
pub(crate) fn message(text: &str) -> NewMessage {
    let (flags, keywords) = (Flags::NONE, vec![]);
    NewMessage { flags, keywords, internaldate: NOW, body: inline(text) }
}

pub(crate) fn range(first: u32, last: u32) -> UidRange {
    UidRange { first, last }
}
