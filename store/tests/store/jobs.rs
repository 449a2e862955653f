//! Accounts, addresses, secrets; and what a batch of jobs does to each other.

use pillarbox_store::{
    AccountId, Addressee, Counts, CramKeys, Found, Holder, MailboxId, NewBody, Place, Read,
    ScramKeys, Secret, Special, StoreError, Write, Written,
};

use crate::aliases::resolve;
use crate::fixture::{Fixture, NOW, deliver, inline, message, recipient};

#[test]
fn an_account_has_its_mailboxes() {
    let mut fixture = Fixture::new();
    let account = fixture.ann;
    let Ok(Found::Mailboxes(list)) = fixture.read(Read::Mailboxes { account }) else { panic!() };
    let names: Vec<_> = list.iter().map(|info| (info.name.as_str(), info.special)).collect();
    assert_eq!(
        names,
        [
            ("Archive", Some(Special::Archive)),
            ("Drafts", Some(Special::Drafts)),
            ("INBOX", None),
            ("Junk", Some(Special::Junk)),
            ("Sent", Some(Special::Sent)),
            ("Trash", Some(Special::Trash)),
        ]
    );
    let subscribed = fixture.read(Read::Subscriptions { account });
    let names = list.iter().map(|info| info.name.clone()).collect();
    assert_eq!(subscribed, Ok(Found::Subscriptions(names)));
    let inbox = fixture.inbox();
    assert_eq!(fixture.mailbox(account, "inBox"), inbox);
    let lower = Read::MailboxByName { account, name: "sent".into() };
    assert_eq!(fixture.read(lower), Err(StoreError::NoSuchMailbox));
    let nobody = Read::Mailboxes { account: AccountId(99) };
    assert_eq!(fixture.read(nobody), Err(StoreError::NoSuchAccount));
}

#[test]
fn uidvalidity_is_never_given_twice() {
    let mut fixture = Fixture::new();
    let mut given = Vec::new();
    for account in [fixture.ann, fixture.bob] {
        let Ok(Found::Mailboxes(list)) = fixture.read(Read::Mailboxes { account }) else {
            panic!()
        };
        for info in list {
            let status = fixture.read(Read::Status { by: account, mailbox: info.id });
            let Ok(Found::Status(status)) = status else { panic!() };
            given.push(status.uidvalidity);
        }
    }
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 12);
    assert_eq!(i64::from(given[0]), NOW.0);
}

#[test]
fn names_are_taken_once_and_in_any_case() {
    let mut fixture = Fixture::new();
    let account = |name: &str| Write::CreateAccount { name: name.into(), now: NOW };
    assert_eq!(fixture.write(account("ANN")), Err(StoreError::AlreadyExists));
    assert!(matches!(fixture.write(account("a@b")), Err(StoreError::Misuse(_))));
    assert!(matches!(fixture.write(account("")), Err(StoreError::Misuse(_))));
    let domain = |name: &str| Write::CreateDomain { name: name.into() };
    fixture.done(domain("Example.org"));
    assert_eq!(fixture.write(domain("example.ORG")), Err(StoreError::AlreadyExists));
    let address = |localpart: &str, account| Write::CreateAddress {
        localpart: localpart.into(),
        domain: "example.org".into(),
        account,
    };
    let (ann, bob) = (fixture.ann, fixture.bob);
    fixture.done(address("Ann", ann));
    assert_eq!(fixture.write(address("ann", bob)), Err(StoreError::AlreadyExists));
    assert_eq!(fixture.write(address("x", AccountId(99))), Err(StoreError::NoSuchAccount));
}

#[test]
fn an_address_leads_to_its_account() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let of = |account| {
        let holder = Holder { account, disabled: false, room: None };
        Ok(Found::Addressee(Addressee::Account(holder), None))
    };
    assert_eq!(fixture.read(resolve("ann", "localhost")), Err(StoreError::NotOurDomain));
    fixture.done(Write::CreateDomain { name: "localhost".into() });
    assert_eq!(fixture.read(resolve("ann", "localhost")), Err(StoreError::NoSuchAddress));
    fixture.done(Write::CreateAddress {
        localpart: "ann".into(),
        domain: "LOCALHOST".into(),
        account: ann,
    });
    assert_eq!(fixture.read(resolve("ANN", "localhost")), of(ann));
    let catch_all = |account| Write::SetCatchAll { domain: "localhost".into(), account };
    fixture.done(catch_all(Some(bob)));
    assert_eq!(fixture.read(resolve("anybody", "Localhost")), of(bob));
    assert_eq!(fixture.read(resolve("ann", "localhost")), of(ann));
    fixture.done(catch_all(None));
    assert_eq!(fixture.read(resolve("anybody", "localhost")), Err(StoreError::NoSuchAddress));
    let elsewhere = Write::SetCatchAll { domain: "elsewhere".into(), account: None };
    assert_eq!(fixture.write(elsewhere), Err(StoreError::NotOurDomain));
}

#[test]
fn an_account_sends_as_its_own_addresses_only() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    for domain in ["localhost", "caught.example"] {
        fixture.done(Write::CreateDomain { name: domain.into() });
    }
    fixture.done(Write::SetCatchAll { domain: "caught.example".into(), account: Some(ann) });
    for (localpart, domain, account) in [
        ("ann", "localhost", ann),
        ("ann+special", "localhost", bob),
        ("bob", "localhost", bob),
        ("bob", "caught.example", bob),
    ] {
        let (localpart, domain) = (localpart.into(), domain.into());
        fixture.done(Write::CreateAddress { localpart, domain, account });
    }
    for (address, separators, own) in [
        ("ann@localhost", "+", true),
        ("ANN@LocalHost", "", true),
        ("ann+lists@localhost", "+", true),
        ("ann-x+y@localhost", "+-", true),
        ("ann+lists@localhost", "", false),
        ("ann+special@localhost", "+", false),
        ("+lists@localhost", "+", false),
        ("nobody@localhost", "+", false),
        ("bob@localhost", "+", false),
        ("nobody@caught.example", "+", true),
        ("bob@caught.example", "+", false),
        ("bob+x@caught.example", "+", false),
        ("ann@elsewhere.example", "+", false),
        ("ann@", "+", false),
    ] {
        let (localpart, domain) = address.split_once('@').unwrap();
        let foreign = fixture.read(Read::Foreign {
            account: ann,
            addresses: vec![("ann".into(), "localhost".into()), (localpart.into(), domain.into())],
            separators: separators.into(),
        });
        let expected = if own { Vec::new() } else { vec![1] };
        assert_eq!(foreign, Ok(Found::Foreign(expected)), "{address} {separators}");
    }
}

#[test]
fn credentials_are_found_by_name_and_by_address() {
    let mut fixture = Fixture::new();
    let account = fixture.ann;
    let keys = |salt: u8| ScramKeys {
        salt: vec![salt; 16],
        iterations: 4096,
        stored_key: vec![1; 32],
        server_key: vec![2; 32],
    };
    let secrets = vec![
        Secret::Argon2id("$argon2id$v=19$…".into()),
        Secret::ScramSha256(keys(1)),
        Secret::ScramSha1(keys(2)),
    ];
    fixture.done(Write::SetSecrets { account, secrets: vec![Secret::ScramSha1(keys(9))] });
    fixture.done(Write::SetSecrets { account, secrets: secrets.clone() });
    fixture.done(Write::CreateDomain { name: "localhost".into() });
    fixture.done(Write::SetCatchAll { domain: "localhost".into(), account: Some(account) });
    fixture.done(Write::CreateAddress {
        localpart: "a.n".into(),
        domain: "localhost".into(),
        account,
    });
    for login in ["ann", "Ann", "a.n@localhost", "A.N@LOCALHOST"] {
        match fixture.read(Read::Credentials { login: login.into() }) {
            Ok(Found::Credentials(found)) => {
                assert_eq!((found.account, found.name.as_str()), (account, "ann"));
                assert_eq!(found.secrets, secrets);
            }
            other => panic!("{login}: {other:?}"),
        }
    }
    for login in ["", "nobody", "nobody@localhost", "ann@elsewhere", "@"] {
        let found = fixture.read(Read::Credentials { login: login.into() });
        assert_eq!(found, Err(StoreError::NoSuchAccount), "{login}");
    }
}

#[test]
fn refused_secrets_leave_the_old_ones() {
    let mut fixture = Fixture::new();
    let account = fixture.ann;
    let one = Secret::Argon2id("one".into());
    fixture.done(Write::SetSecrets { account, secrets: vec![one.clone()] });
    let twice = vec![Secret::Argon2id("two".into()), Secret::Argon2id("three".into())];
    let refused = fixture.write(Write::SetSecrets { account, secrets: twice });
    assert!(matches!(refused, Err(StoreError::Misuse(_))));
    let Ok(Found::Credentials(found)) = fixture.read(Read::Credentials { login: "ann".into() })
    else {
        panic!()
    };
    assert_eq!(found.secrets, [one]);
}

#[test]
fn a_job_that_fails_spoils_no_other() {
    let mut fixture = Fixture::new();
    let (ann, bob) = (fixture.ann, fixture.bob);
    let inbox = fixture.inbox();
    let answers = fixture.writer.commit(vec![
        deliver(vec![recipient(ann, Place::Inbox)], inline("one")),
        // Fails at its second recipient, after it put a body and a message.
        deliver(
            vec![recipient(ann, Place::Inbox), recipient(bob, Place::Mailbox(MailboxId(99)))],
            inline("two"),
        ),
        deliver(vec![recipient(ann, Place::Inbox), recipient(bob, Place::Inbox)], inline("three")),
        deliver(vec![recipient(bob, Place::Mailbox(inbox))], inline("four")),
        deliver(vec![], inline("five")),
    ]);
    let [Ok(Written::Delivered(one)), two, Ok(Written::Delivered(three)), four, five] =
        answers.as_slice()
    else {
        panic!("{answers:?}")
    };
    assert_eq!((one[0].uid, three[0].uid, three[1].uid), (1, 2, 1));
    assert_eq!(*two, Err(StoreError::NoSuchMailbox));
    assert_eq!(*four, Err(StoreError::NotPermitted));
    assert!(matches!(five, Err(StoreError::Misuse(_))));
    assert_eq!(fixture.select(inbox).status.messages, 2);
    let (_, found) = fixture.verified();
    assert_eq!(found, [""; 0]);
}

#[test]
fn no_account_touches_another_ones_mailbox() {
    let mut fixture = Fixture::new();
    fixture.deliver("private");
    let (by, mailbox) = (fixture.bob, fixture.inbox());
    let own = fixture.mailbox(by, "INBOX");
    let uids = vec![pillarbox_store::UidRange::ALL];
    let writes = [
        Write::Append { by, mailbox, messages: vec![message("x")], replaces: None, now: NOW },
        Write::Append {
            by,
            mailbox: own,
            messages: vec![message("x")],
            replaces: Some(pillarbox_store::Replaced { mailbox, uid: 1 }),
            now: NOW,
        },
        Write::Copy { by, from: mailbox, uids: uids.clone(), to: own, now: NOW },
        Write::Copy { by, from: own, uids: uids.clone(), to: mailbox, now: NOW },
        Write::StoreFlags {
            by,
            mailbox,
            uids: uids.clone(),
            unchanged_since: None,
            change: pillarbox_store::Change::Add,
            flags: pillarbox_store::Flags::DELETED,
            keywords: vec!["x".into()],
        },
        Write::Expunge { by, mailbox, uids: None },
        Write::Move { by, from: mailbox, uids: uids.clone(), to: own, now: NOW },
        Write::Move { by, from: own, uids: uids.clone(), to: mailbox, now: NOW },
        Write::Claim { by, mailbox, up_to: 1 },
    ];
    for job in writes {
        let name = format!("{job:?}");
        assert_eq!(fixture.write(job), Err(StoreError::NotPermitted), "{name}");
    }
    let what = pillarbox_store::What::Facts;
    let reads = [
        Read::Select { by, mailbox, since: None },
        Read::Status { by, mailbox },
        Read::Recent { by, mailbox, above: 0 },
        Read::Changes { by, mailbox, since: 0 },
        Read::Messages { by, mailbox, uids, after: 0, count_max: 9, what, also_expunged: true },
        Read::Bytes { by, mailbox, uid: 1, offset: 0, count: 9, also_expunged: true },
    ];
    for job in reads {
        let name = format!("{job:?}");
        assert_eq!(fixture.read(job), Err(StoreError::NotPermitted), "{name}");
    }
    assert!(fixture.select(mailbox).keywords.is_empty());
}

#[test]
fn counts_add_up() {
    let mut fixture = Fixture::new();
    fixture.done(Write::CreateDomain { name: "localhost".into() });
    fixture.deliver("12345");
    let expected = Counts {
        accounts: 2,
        domains: 1,
        cram_md5_domains: 0,
        mailboxes: 12,
        messages: 1,
        bytes: 5 + b"Received: here\r\n".len() as u64,
    };
    assert_eq!(fixture.read(Read::Counts), Ok(Found::Counts(expected)));
}

#[test]
fn debug_output_holds_no_contents() {
    let job = deliver(
        vec![recipient(AccountId(1), Place::Inbox)],
        NewBody::Inline(b"secret letter".to_vec()),
    );
    let secrets = vec![Secret::Argon2id("secret hash".into())];
    let job2 = Write::SetSecrets { account: AccountId(1), secrets };
    assert!(!format!("{job:?}{job2:?}").contains("secret "));
}

#[test]
fn keys_of_cram_md5_are_kept_only_where_a_domain_wants_them() {
    let mut fixture = Fixture::new();
    let account = fixture.ann;
    let cram = || Secret::CramMd5(CramKeys { inner: [1; 16], outer: [2; 16] });
    let secrets = || vec![Secret::Argon2id("$x".into()), cram()];
    let kept = |fixture: &mut Fixture| {
        let question = Read::Credentials { login: "ann".into() };
        let Ok(Found::Credentials(found)) = fixture.reader.read(question) else { panic!() };
        found.secrets.contains(&cram())
    };
    fixture.done(Write::SetSecrets { account, secrets: secrets() });
    assert!(!kept(&mut fixture));
    for name in ["old.example", "new.example"] {
        fixture.done(Write::CreateDomain { name: name.into() });
    }
    let address = |domain: &str| Write::CreateAddress {
        localpart: "ann".into(),
        domain: domain.into(),
        account,
    };
    fixture.done(address("new.example"));
    let want = |domain: &str, on| Write::SetCramMd5 { domain: domain.into(), on };
    fixture.done(want("old.example", true));
    fixture.done(Write::SetSecrets { account, secrets: secrets() });
    assert!(!kept(&mut fixture), "no address there");
    fixture.done(address("old.example"));
    assert!(!kept(&mut fixture), "the password was set before");
    fixture.done(Write::SetSecrets { account, secrets: secrets() });
    assert!(kept(&mut fixture));
    fixture.done(want("old.example", false));
    assert!(!kept(&mut fixture));
    fixture.done(want("old.example", true));
    fixture.done(Write::SetSecrets { account, secrets: secrets() });
    let (localpart, domain) = ("ann".into(), "old.example".into());
    fixture.done(Write::RemoveAddress { localpart, domain });
    assert!(!kept(&mut fixture));
}
