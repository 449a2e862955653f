//! Mail from files and to files, with Python's `mailbox` on the other side.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::commands::done;
use crate::server::{Place, pillarbox, run, script, succeed};
use crate::talk::{Imap, Talk, letter};

fn python(words: &[&str], path: &Path) -> String {
    let script = script("moving_session.py");
    let said = succeed(Command::new("python3").arg(script).args(words).arg(path));
    String::from_utf8(said).unwrap()
}

/// What a mailbox holds: flags, date and bytes of each message, but no UIDs.
fn look(place: &Place, user: &str, mailbox: &str) -> Vec<Vec<u8>> {
    let mut imap = Imap::login(place.imap(), user);
    let selected = imap.command(&format!("EXAMINE {mailbox}"));
    if selected.iter().any(|line| line == b"* 0 EXISTS") {
        return Vec::new();
    }
    imap.command("FETCH 1:* (INTERNALDATE FLAGS BODY.PEEK[])")
}

fn text(parts: &[Vec<u8>]) -> String {
    parts.iter().map(|part| String::from_utf8_lossy(part) + "\n").collect()
}

fn append(imap: &mut Imap, mailbox: &str, text: &[u8]) {
    let answer = imap.append(mailbox, text);
    assert!(answer.starts_with("OK"), "{answer}");
}

/// Messages that are hard on files.
fn odd() -> Vec<Vec<u8>> {
    let from = "From a@b.example Thu Mar  4 05:06:07 2021\r\n";
    let mut large = b"Subject: large\r\n\r\n".to_vec();
    while large.len() < 3 << 20 {
        large.extend_from_slice(b">From here on it is long, and there is a lot of it.\r\n");
    }
    vec![
        b"Subject: plain\r\n\r\nhello\r\n".to_vec(),
        format!("Subject: lines\r\n\r\n{from}{from}\r\n{from}>{from}>>{from}\r\n\r\n").into_bytes(),
        b"Status: own\r\nX-Status: own\r\nX-Keywords: own\r\nX-UID: 7\r\n\r\nx\r\n".to_vec(),
        b" begins with a blank\r\n\r\nx\r\n".to_vec(),
        b"Subject: single CR\r\n\r\na\rb\r\r\n\r\n".to_vec(),
        b"\r\nno header\r\n".to_vec(),
        b"no body\r\n".to_vec(),
        large,
        // Twice is twice.
        b"Subject: plain\r\n\r\nhello\r\n".to_vec(),
    ]
}

fn furnish(place: &Place) {
    let mut imap = Imap::login(place.imap(), "user");
    for name in ["\"A/B.c &- d\"", "\"Sub.x/Deep\""] {
        imap.command(&format!("CREATE {name}"));
    }
    for text in odd() {
        append(&mut imap, "INBOX (\\Seen \\Flagged Blue) \"04-Mar-2021 05:06:07 +0000\"", &text);
        append(&mut imap, "\"A/B.c &- d\" ($Forwarded)", &text);
    }
    append(&mut imap, "Sent (\\Answered \\Draft \\Deleted)", &letter("sent", 100));
    append(&mut imap, "\"Sub.x/Deep\"", &letter("deep", 100));
}

const MAILBOXES: [&str; 5] = ["INBOX", "Sent", "A", "\"A/B.c &- d\"", "\"Sub.x/Deep\""];

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let place = Place::new("smol");
    let server = place.localserve();
    furnish(&place);
    let all = |user| MAILBOXES.map(|mailbox| look(&place, user, mailbox));
    let before = all("user");
    let mut imap = Imap::login(place.imap(), "friend");
    for format in ["maildir", "mbox"] {
        let to = place.beside(format);
        let path = to.to_str().unwrap();
        let said = done(&place.dir(), &["mail", "export", "user", path, "--format", format]);
        assert!(said.contains("20 messages from 10 mailboxes"), "{said}");
        let said = done(&place.dir(), &["mail", "import", "friend@localhost", path]);
        assert_eq!(said, "20 messages imported into friend\n");
        for (mailbox, (found, expected)) in MAILBOXES.iter().zip(all("friend").iter().zip(&before))
        {
            let mut found = found.clone();
            if format == "maildir" {
                // A folder has no order.
                found = in_order(found, expected);
            }
            assert!(found == *expected, "{mailbox}:\n{}\n{}", text(&found), text(expected));
        }
        // Nothing comes twice.
        let said = done(&place.dir(), &["mail", "import", "friend", path]);
        assert_eq!(said, "0 messages imported into friend; 20 messages had come before\n");
        for mailbox in MAILBOXES {
            imap.command(&format!("SELECT {mailbox}"));
            imap.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted)");
            imap.command("EXPUNGE");
        }
    }
    // Exported again: new messages and new flags.
    let to = place.beside("maildir");
    let mut imap = Imap::login(place.imap(), "user");
    append(&mut imap, "Sent", &letter("new", 100));
    imap.command("SELECT Sent");
    imap.command("STORE 1 FLAGS (\\Seen)");
    let said = done(&place.dir(), &["mail", "export", "user", to.to_str().unwrap()]);
    assert!(said.contains("1 message from 10 mailboxes; 20"), "{said}");
    let found = python(&["read"], &to);
    assert!(found.contains("[\".Sent\", \"S\"") || found.contains("[\"Sent\", \"S\""), "{found}");
    assert_eq!(found.matches("\"Sent\"").count(), 2, "{found}");

    // The same of a stopped server.
    server.stop();
    let other = place.beside("stopped");
    let said = done(&place.dir(), &["mail", "export", "user", other.to_str().unwrap()]);
    assert!(said.contains("21 messages"), "{said}");
    assert_eq!(python(&["read"], &other), python(&["read"], &to));
    let said = done(&place.dir(), &["mail", "forget", "friend"]);
    assert!(said.ends_with(" forgotten\n"), "{said}");
    let said = done(&place.dir(), &["mail", "import", "friend", other.to_str().unwrap()]);
    assert_eq!(said, "21 messages imported into friend\n");
    place.verify();
}

/// The flags and date of a message, its bytes, and what ends its line.
type Fetched = (Vec<Vec<u8>>, Vec<u8>, Vec<u8>);

/// Messages (a line, a literal and a line each) in the order of others.
fn in_order(found: Vec<Vec<u8>>, expected: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let number =
        |line: &[u8]| line.split(|byte| *byte == b' ').skip(2).map(<[u8]>::to_vec).collect();
    let messages = |parts: &[Vec<u8>]| -> Vec<Fetched> {
        let each = parts.chunks(3);
        each.map(|part| (number(&part[0]), part[1].clone(), part[2].clone())).collect()
    };
    let (mut left, mut ordered) = (messages(&found), Vec::new());
    for (message, part) in messages(expected).iter().zip(expected.chunks(3)) {
        if let Some(at) = left.iter().position(|other| other == message) {
            left.remove(at);
            ordered.extend_from_slice(part);
        }
    }
    if left.is_empty() { ordered } else { found }
}

#[test]
fn python_writes_what_we_import_and_reads_what_we_export() {
    let place = Place::new("smol");
    let _server = place.localserve();
    let from = place.beside("from");
    fs::create_dir(&from).unwrap();
    python(&["write"], &from);
    let path = |name: &str| from.join(name).to_str().unwrap().to_owned();
    let said = done(&place.dir(), &["mail", "import", "user", &path("maildir")]);
    assert_eq!(said, "6 messages imported into user\n");
    let said = done(&place.dir(), &["mail", "import", "user", &path("box"), "--into", "Box"]);
    assert_eq!(said, "4 messages imported into user\n");

    let inbox = text(&look(&place, "user", "INBOX"));
    assert_eq!(inbox.matches("Subject: maildir").count(), 3, "{inbox}");
    for (flags, date) in [
        ("(\\Answered \\Flagged \\Seen)", "13-Sep-2020 12:26:41 +0000"),
        ("(\\Draft)", "13-Sep-2020 12:26:42 +0000"),
    ] {
        let has = |line: &str| line.contains(date) && same_flags(line, flags);
        assert!(inbox.lines().any(has), "{flags} {date}: {inbox}");
    }
    let lists = text(&look(&place, "user", "Lists/B&APw-cher"));
    assert!(lists.contains("$Forwarded") && lists.contains("\\Deleted"), "{lists}");
    assert!(text(&look(&place, "user", "Junk")).contains("maildir 4"));
    let found = text(&look(&place, "user", "Box"));
    assert_eq!(found.matches("From the start").count(), 4, "{found}");
    assert!(!found.contains("Status:") && !found.contains(">From"), "{found}");
    assert!(found.contains(" 4-Mar-2021 05:06:02 +0000"), "{found}");

    let to = place.beside("to");
    done(&place.dir(), &["mail", "export", "user", to.to_str().unwrap()]);
    // Those that came from its own maildir have their own bytes and flags again.
    let ours: Vec<serde_json::Value> = serde_json::from_str(&python(&["read"], &to)).unwrap();
    let own: Vec<serde_json::Value> =
        serde_json::from_str(&python(&["read"], &from.join("maildir"))).unwrap();
    for message in own {
        let same = |other: &&serde_json::Value| {
            other[1] == message[1] && other[2] == message[2] && other[3] == message[3]
        };
        assert!(ours.iter().any(|other| same(&other)), "{message}: {ours:?}");
    }
    let to = place.beside("boxes");
    let words = ["mail", "export", "user", to.to_str().unwrap(), "--format", "mbox"];
    done(&place.dir(), &[&words[..], &["--mailbox", "Box"]].concat());
    let found = python(&["read"], &to.join("Box.mbox"));
    for (flags, second) in [("O", 0), ("RO", 1), ("ROFA", 2), ("ODT", 3)] {
        let expected = format!("Thu Mar  4 05:06:0{second} 2021\", \"mbox {second}\"]");
        let line = found.split("[\"\", ").find(|line| line.contains(&expected));
        let line = line.unwrap_or_else(|| panic!("{expected}: {found}"));
        assert!(flags.chars().all(|flag| line[..8].contains(flag)), "{flags}: {found}");
    }
}

/// Whether a FETCH line has just these flags, in any order.
fn same_flags(line: &str, flags: &str) -> bool {
    let set = |text: &str| {
        let mut words: Vec<String> = text.split([' ', '(', ')']).map(str::to_owned).collect();
        words.retain(|word| !word.is_empty() && word != "\\Recent");
        words.sort();
        words
    };
    let found = line.split("FLAGS (").nth(1).and_then(|rest| rest.split(')').next());
    found.is_some_and(|found| set(found) == set(flags))
}

#[test]
fn an_import_that_is_killed_goes_on_and_brings_nothing_twice() {
    let place = Place::new("smol");
    let server = place.localserve();
    let file = place.beside("many");
    let mut out = std::io::BufWriter::new(fs::File::create(&file).unwrap());
    let number = 3_000;
    for index in 0..number {
        let text = letter(&format!("many{index}"), if index % 100 == 0 { 100_000 } else { 0 });
        let text = String::from_utf8(text).unwrap().replace("\r\n", "\n");
        write!(out, "From a@b.example Thu Mar  4 05:06:07 2021\n{text}\n").unwrap();
    }
    out.into_inner().unwrap().sync_all().unwrap();
    let words = ["mail", "import", "user", file.to_str().unwrap(), "--into", "Many", "--dir"];
    for round in 0..4_u32 {
        let mut child = pillarbox()
            .args(words)
            .arg(place.dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed once there is more than before.
        let seen = |imap: &mut Imap| {
            let found = imap.command("LIST \"\" Many");
            let wanted = usize::try_from(round).unwrap() * 300;
            !found.is_empty()
                && imap.command("STATUS Many (MESSAGES)").iter().any(|line| {
                    let line = String::from_utf8_lossy(line);
                    let count = line.split("MESSAGES ").nth(1).unwrap_or("0").trim_end_matches(')');
                    count.parse::<usize>().unwrap() > wanted
                })
        };
        let mut imap = Imap::login(place.imap(), "user");
        while !seen(&mut imap) && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        // The server takes mail meanwhile.
        let reply = Talk::smtp(place.smtp()).unwrap().deliver(&["user@localhost"], &letter("x", 0));
        assert!(reply.unwrap().starts_with("250"));
    }
    done(&place.dir(), &words[..6]);
    let mut imap = Imap::login(place.imap(), "user");
    imap.command("EXAMINE Many");
    let mut subjects: Vec<_> = imap.command("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
    subjects.retain(|part| part.starts_with(b"Subject: many"));
    assert_eq!(subjects.len(), number);
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), number);
    server.stop();
    place.verify();
}

#[test]
fn memory_does_not_grow_with_a_message() {
    let place = Place::new("smol");
    let server = place.localserve();
    let file = place.beside("large");
    let mut out = std::io::BufWriter::new(fs::File::create(&file).unwrap());
    let line =
        "The quick brown fox jumps over the lazy dog again and again and again.\n".repeat(100);
    write!(out, "From a@b.example Thu Mar  4 05:06:07 2021\nSubject: large\n\n").unwrap();
    for _ in 0..15_000 {
        out.write_all(line.as_bytes()).unwrap();
    }
    drop(out);
    let measure = |words: &[&str]| {
        let mut command = Command::new("python3");
        command.arg(script("moving_session.py")).arg("measure");
        command.arg(env!("CARGO_BIN_EXE_pillarbox")).args(words).arg("--dir").arg(place.dir());
        let said = String::from_utf8(succeed(&mut command)).unwrap();
        said.trim().parse::<u64>().unwrap()
    };
    let import = measure(&["mail", "import", "user", file.to_str().unwrap()]);
    let to = place.beside("to");
    let export = measure(&["mail", "export", "user", to.to_str().unwrap()]);
    // The message has 100 MB.
    assert!(import < 60_000 && export < 60_000, "{import} {export} KiB");
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    let peak: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 100_000, "{peak} KiB in the server");
}

#[test]
fn what_is_no_mail_is_said_so() {
    let place = Place::new("smol");
    drop(place.localserve());
    let file = place.beside("text");
    fs::write(&file, "hello\n").unwrap();
    let refused = |words: &[&str], because: &str| {
        let output = run(pillarbox().args(words).arg("--dir").arg(place.dir()));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(because), "{words:?}: {said}");
    };
    let path = file.to_str().unwrap();
    refused(&["mail", "import", "user", path], "is no mbox: it does not begin");
    refused(&["mail", "import", "nobody", path], "there is no account or address `nobody`");
    refused(&["mail", "import", "user", "/no/such"], "cannot read /no/such");
    refused(
        &["mail", "import", "user", place.beside("data").to_str().unwrap()],
        "neither a maildir",
    );
    refused(&["mail", "export", "user", path], "cannot write");
    refused(&["mail", "export", "user", "x", "--mailbox", "no"], "has no mailbox `no`");
    fs::write(&file, "From a Thu Mar  4 05:06:07 2021\nSubject: big\n\n0123456789\n").unwrap();
    done(&place.dir(), &["account", "quota", "user", "10"]);
    refused(&["mail", "import", "user", path], "pillarbox account quota");
    done(&place.dir(), &["account", "quota", "user", "none"]);
    assert_eq!(
        done(&place.dir(), &["mail", "import", "user", path]),
        "1 message imported into user\n"
    );
    refused(&["mail", "import", "user", path, "--into", "a//b"], "no level of a mailbox name");
}
