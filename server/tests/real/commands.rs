//! Accounts and domains by command, on a running server and on a stopped one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pillarbox_store::{Found, Options, Read, Store};

use crate::on_each_runtime;
use crate::server::{PASSWORD, PATIENCE, Place, Server, pillarbox, run};
use crate::talk::{Imap, Talk, letter};

on_each_runtime!(
    manages_a_running_server,
    manages_who_gets_the_mail,
    ends_the_sessions_of_a_changed_account,
    a_removal_that_is_killed_is_finished_at_the_next_start,
    a_removal_is_finished_though_its_command_is_gone,
);

/// `pillarbox WORDS --dir DIR`.
fn command(dir: &Path, words: &[&str]) -> Command {
    let mut command = pillarbox();
    command.args(words).arg("--dir").arg(dir);
    command
}

fn outcome(output: &Output) -> (i32, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// A command that must be done; what it said.
pub(crate) fn done(dir: &Path, words: &[&str]) -> String {
    let (code, said) = outcome(&run(&mut command(dir, words)));
    assert_eq!(code, 0, "{words:?}: {said}");
    said
}

/// A command that must be refused in one line with this in it.
pub(crate) fn refused(dir: &Path, words: &[&str], because: &str) {
    let (code, said) = outcome(&run(&mut command(dir, words)));
    assert_eq!(code, 1, "{words:?}: {said}");
    assert!(said.starts_with("pillarbox: ") && said.contains(because), "{words:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A command that reads a password.
pub(crate) fn with_password(dir: &Path, words: &[&str], password: &str) -> (i32, String) {
    let mut child = command(dir, words)
        .arg("--password-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses early does not read it.
    let _refused = child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes());
    outcome(&child.wait_with_output().unwrap())
}

fn rcpt(place: &Place, address: &str) -> String {
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    assert!(talk.say("MAIL FROM:<ann@client.example>").unwrap().starts_with("250"));
    talk.say(&format!("RCPT TO:<{address}>")).unwrap()
}

fn deliver(place: &Place, to: &[&str]) {
    let mut talk = Talk::smtp(place.smtp()).unwrap();
    let reply = talk.deliver(to, &letter("hello", 0)).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
}

/// A place with a server that runs, and `example.org` with alice.
fn with_alice(runtime: &'static str) -> (Place, Server) {
    let place = Place::new(runtime);
    let server = place.localserve();
    done(&place.dir(), &["domain", "add", "example.org"]);
    let words = ["account", "add", "alice@example.org", "--address", "info@example.org"];
    let (code, said) = with_password(&place.dir(), &words, "first secret");
    assert_eq!(
        (code, said.as_str()),
        (0, "account `alice` added: alice@example.org, info@example.org\n")
    );
    (place, server)
}

fn enter(place: &Place, login: &str, password: &str) -> Result<Imap, String> {
    Imap::enter(place.imap(), login, &format!("\"{password}\""))
}

fn manages_a_running_server(runtime: &'static str) {
    let (place, server) = with_alice(runtime);
    let dir = place.dir();
    deliver(&place, &["alice@example.org", "INFO@example.org", "user@localhost"]);
    for login in ["alice", "Alice@example.org", "info@example.org"] {
        assert_eq!(enter(&place, login, "first secret").unwrap().inbox().len(), 2);
    }
    let listed = done(&dir, &["account", "list", "--json"]);
    let alice = "{\"name\":\"alice\",\"addresses\":[\"alice@example.org\",\"info@example.org\"],\
                 \"mailboxes\":6,\"messages\":2,\"bytes\":";
    assert!(listed.starts_with(&format!("[{alice}")) && listed.ends_with("}]\n"), "{listed}");
    assert!(done(&dir, &["account", "list"]).starts_with("NAME    ADDRESSES"));
    let domains = done(&dir, &["domain", "list"]);
    assert!(
        domains.contains("example.org          2  -\nlocalhost            2  user\n"),
        "{domains}"
    );

    // What is in the way is named, with what to do.
    for words in [["account", "add", "alice@localhost"], ["account", "add", "ALICE@LOCALHOST"]] {
        refused(&dir, &words, "pillarbox address add alice@localhost alice");
    }
    refused(&dir, &["account", "add", "alice@example.org"], "pillarbox account password alice");
    refused(&dir, &["account", "add", "bob@elsewhere.org"], "pillarbox domain add elsewhere.org");
    refused(
        &dir,
        &["account", "add", "info@example.org"],
        "info@example.org belongs to the account `alice`",
    );
    refused(
        &dir,
        &["domain", "add", "Example.org"],
        "example.org is a domain of this server already",
    );
    refused(&dir, &["domain", "remove", "example.org"], "--with-addresses");
    refused(&dir, &["domain", "remove", "elsewhere.org"], "not a domain of this server");
    refused(&dir, &["account", "password", "nobody"], "no account or address `nobody`");
    refused(&dir, &["address", "remove", "x@example.org"], "no address x@example.org");
    refused(&dir, &["account", "add", "bob@example.org", "--ask"], "--password-stdin");
    let (code, said) = with_password(&dir, &["account", "add", "bob@example.org"], "short");
    assert_eq!(code, 1);
    assert!(said.contains("fewer than 8 characters"), "{said}");

    // Addresses come and go at once.
    assert!(rcpt(&place, "sales@example.org").starts_with("550"));
    done(&dir, &["address", "add", "sales@example.org", "alice"]);
    assert!(rcpt(&place, "sales@example.org").starts_with("250"));
    done(&dir, &["address", "remove", "sales@example.org"]);
    assert!(rcpt(&place, "sales@example.org").starts_with("550"));
    done(&dir, &["domain", "catch-all", "example.org", "user"]);
    assert!(rcpt(&place, "sales@example.org").starts_with("250"));
    done(&dir, &["domain", "catch-all", "example.org", "--none"]);
    assert!(rcpt(&place, "sales@example.org").starts_with("550"));

    // The account goes only if it is said twice; its mail with it, the others' stays.
    refused(&dir, &["account", "remove", "alice"], "2 messages");
    assert_eq!(enter(&place, "alice", "first secret").unwrap().inbox().len(), 2);
    let mut late = Talk::smtp(place.smtp()).unwrap();
    assert!(late.say("MAIL FROM:<ann@client.example>").unwrap().starts_with("250"));
    for to in ["alice@example.org", "friend@localhost"] {
        assert!(late.say(&format!("RCPT TO:<{to}>")).unwrap().starts_with("250"));
    }
    let said = done(&dir, &["account", "remove", "info@example.org", "--yes"]);
    assert!(said.contains("account `alice` removed, with 2 messages"), "{said}");
    assert!(enter(&place, "alice", "first secret").is_err());
    assert!(rcpt(&place, "alice@example.org").starts_with("550"));
    // What was promised to nobody yet is put off as a whole; with the next try she is unknown.
    assert!(late.say("DATA").unwrap().starts_with("354"));
    late.send(b"Subject: late\r\n\r\n.\r\n").unwrap();
    assert!(late.reply().unwrap().starts_with("451"));
    assert_eq!(Imap::login(place.imap(), "friend").inbox().len(), 0);
    assert!(!done(&dir, &["account", "list"]).contains("alice"));
    assert_eq!(Imap::login(place.imap(), "user").inbox().len(), 1);
    done(&dir, &["domain", "remove", "example.org"]);
    let reply = rcpt(&place, "alice@example.org");
    assert!(reply.contains("does not take mail for that domain"), "{reply}");
    server.stop();
    place.verify();
}

fn manages_who_gets_the_mail(runtime: &'static str) {
    let (place, server) = with_alice(runtime);
    let dir = place.dir();
    let count = |login: &str| enter(&place, login, PASSWORD).unwrap().inbox().len();

    // An alias from its beginning to its end.
    let (team, alice) = ("team@example.org", "alice@example.org");
    let said = done(&dir, &["alias", "add", "Team@example.org", alice, "user@localhost"]);
    assert_eq!(
        said,
        "alias team@example.org added with 2 members; only its members may write to it\n"
    );
    assert!(rcpt(&place, team).starts_with("550 5.7.2"));
    done(&dir, &["alias", "set", team, "--post-public", "true", "--list-members", "true"]);
    deliver(&place, &[team, "user@localhost"]);
    assert_eq!(count("user"), 1);
    assert_eq!(enter(&place, "alice", "first secret").unwrap().inbox().len(), 1);
    done(&dir, &["alias", "member", "add", team, "friend@localhost"]);
    done(&dir, &["alias", "member", "remove", team, alice, "user@localhost"]);
    deliver(&place, &["team+news@example.org"]);
    assert_eq!((count("user"), count("friend")), (1, 1));
    let listed = done(&dir, &["alias", "list", "--json"]);
    assert_eq!(
        listed,
        "[{\"address\":\"team@example.org\",\"post_public\":true,\"list_members\":true,\
         \"allow_from\":false,\"members\":[\"friend@localhost\"]}]\n"
    );
    assert!(done(&dir, &["alias", "list"]).contains("friend@localhost"));
    assert!(enter(&place, team, PASSWORD).is_err());

    // What is in the way is named.
    refused(&dir, &["alias", "add", team], "team@example.org is an alias already");
    refused(&dir, &["alias", "add", alice], "belongs to the account `alice`");
    refused(&dir, &["alias", "add", "all@elsewhere.org"], "pillarbox domain add elsewhere.org");
    let add = ["alias", "add", "all@example.org", team];
    refused(&dir, &add, "team@example.org is no address of an account");
    refused(&dir, &["address", "add", team, "alice"], "team@example.org is an alias already");
    refused(&dir, &["alias", "member", "add", team, "x@localhost"], "x@localhost are addresses");
    refused(&dir, &["alias", "member", "add", team, "friend@localhost"], "already");
    refused(&dir, &["alias", "member", "remove", team, alice], "are members of team@example.org");
    refused(&dir, &["alias", "set", "x@example.org", "--allow-from", "true"], "no alias x@");
    refused(&dir, &["alias", "remove", "x@example.org"], "pillarbox alias list");
    refused(&dir, &["domain", "remove", "example.org"], "--with-addresses");
    done(&dir, &["account", "remove", "friend", "--yes"]);
    assert!(rcpt(&place, team).starts_with("550 5.2.4"));
    done(&dir, &["alias", "remove", team]);
    assert!(rcpt(&place, team).starts_with("550 5.1.1"));

    // A quota, and out of use, on a session that is under way.
    assert_eq!(
        done(&dir, &["account", "quota", "alice", "4kB"]),
        "account `alice` may have: 4.0 kB\n"
    );
    let listed = done(&dir, &["account", "list", "--json"]);
    assert!(listed.contains("\"quota\":{\"bytes\":4000},\"disabled\":false"), "{listed}");
    deliver(&place, &[alice]);
    done(&dir, &["account", "quota", alice, "0"]);
    assert!(rcpt(&place, alice).starts_with("452 4.2.2"));
    done(&dir, &["account", "quota", "alice", "none"]);
    assert!(rcpt(&place, alice).starts_with("250"));
    let mut quiet = enter(&place, "alice", "first secret").unwrap();
    done(&dir, &["account", "disable", alice]);
    assert!(quiet.is_dismissed());
    assert!(enter(&place, "alice", "first secret").is_err());
    assert!(rcpt(&place, alice).starts_with("550 5.2.1"));
    assert!(done(&dir, &["account", "list"]).contains("disabled"));
    done(&dir, &["account", "enable", "alice"]);
    assert_eq!(enter(&place, "alice", "first secret").unwrap().inbox().len(), 2);
    server.stop();
    place.verify();
}

/// A submission session that has logged in.
fn submit(place: &Place, login: &str, password: &str) -> Talk {
    let mut talk = Talk::smtp(place.submission()).unwrap();
    let response = BASE64.encode(format!("\0{login}\0{password}"));
    let reply = talk.say(&format!("AUTH PLAIN {response}")).unwrap();
    assert!(reply.starts_with("235"), "{reply}");
    talk
}

fn ends_the_sessions_of_a_changed_account(runtime: &'static str) {
    let (place, server) = with_alice(runtime);
    let old = "first secret";
    let mut user = Imap::login(place.imap(), "user");
    for words in [["account", "password", "alice"], ["account", "remove", "alice"]] {
        let mut quiet = enter(&place, "alice", old).unwrap();
        let mut idle = enter(&place, "alice", old).unwrap();
        idle.inbox();
        idle.idle();
        let mut selected = enter(&place, "alice", old).unwrap();
        selected.command("SELECT INBOX");
        let mut sending = submit(&place, "alice", old);
        assert!(sending.say("MAIL FROM:<alice@example.org>").unwrap().starts_with("250"));
        if words[1] == "password" {
            let (code, said) = with_password(&place.dir(), &words, "second secret");
            assert_eq!((code, said.as_str()), (0, "account `alice` has a new password\n"));
            assert!(enter(&place, "alice", old).is_err());
            enter(&place, "alice", "second secret").unwrap();
            let (code, _) = with_password(&place.dir(), &words, old);
            assert_eq!(code, 0);
        } else {
            done(&place.dir(), &[&words[..], &["--yes"]].concat());
            assert!(enter(&place, "alice", old).is_err());
        }
        assert!(quiet.is_dismissed() && idle.is_dismissed() && selected.is_dismissed());
        assert!(sending.reply().unwrap().starts_with("421") && sending.at_end());
    }
    // Nobody else has noticed.
    user.command("NOOP");
    server.stop();
    place.verify();
}

/// Fills user@localhost with so many messages, by a hundred recipients each.
fn fill(place: &Place, count: usize) {
    let names: Vec<_> = (0..100).map(|number| format!("x{number}@localhost")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for _ in 0..count.div_ceil(100) {
        deliver(place, &names);
    }
}

/// Begins to remove `user`, and waits until a part is gone.
fn begin_removal(place: &Place) -> Child {
    let mut child = command(&place.dir(), &["account", "remove", "user", "--yes"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("messages left\n"), "{line}");
    child
}

fn messages_left(dir: &Path) -> u64 {
    let store = Store::open(dir, &Options::default()).unwrap();
    match store.reader().unwrap().read(Read::Counts) {
        Ok(Found::Counts(counts)) => counts.messages,
        other => panic!("{other:?}"),
    }
}

fn a_removal_that_is_killed_is_finished_at_the_next_start(runtime: &'static str) {
    // A machine that is quicker than the kill gets more to do.
    for count in [3_000, 6_000, 12_000] {
        let place = Place::new(runtime);
        let server = place.localserve();
        fill(&place, count);
        deliver(&place, &["friend@localhost"]);
        let mut child = begin_removal(&place);
        server.kill();
        let status = child.wait().unwrap();
        let left = messages_left(&place.dir());
        if left <= 1 {
            continue;
        }
        assert_eq!(status.code(), Some(1));
        place.verify();
        let server = place.localserve();
        // Gone from the first moment on, whatever is left of its mail.
        assert!(enter(&place, "user", PASSWORD).is_err());
        assert!(rcpt(&place, "user@localhost").starts_with("550"));
        assert!(!done(&place.dir(), &["account", "list"]).contains("user"));
        assert_eq!(Imap::login(place.imap(), "friend").inbox().len(), 1);
        server.stop();
        // The rest goes by itself, each start of the server a part at least.
        let until = Instant::now() + PATIENCE;
        while messages_left(&place.dir()) > 1 {
            assert!(Instant::now() < until, "{} are left", messages_left(&place.dir()));
            let server = place.localserve();
            thread::sleep(Duration::from_millis(100));
            server.stop();
        }
        place.verify();
        return;
    }
    panic!("12,000 messages are removed before a kill comes");
}

fn a_removal_is_finished_though_its_command_is_gone(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    fill(&place, 2_000);
    let mut child = begin_removal(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    // Others are served meanwhile, and the next removal ends after the first.
    deliver(&place, &["friend@localhost"]);
    done(&place.dir(), &["account", "remove", "friend", "--yes"]);
    server.stop();
    assert_eq!(messages_left(&place.dir()), 0);
    place.verify();
}

#[test]
fn manages_a_stopped_server() {
    let place = Place::new("smol");
    let dir = place.dir();
    refused(&dir, &["account", "list"], "holds no mail");
    place.localserve().stop();
    done(&dir, &["domain", "add", "example.org", "--catch-all", "friend@localhost"]);
    let (code, said) = with_password(&dir, &["account", "add", "alice@example.org"], PASSWORD);
    assert_eq!(code, 0, "{said}");
    refused(&dir, &["account", "add", "bob@elsewhere.org"], "pillarbox domain add elsewhere.org");
    let domains = done(&dir, &["domain", "list", "--json"]);
    assert!(
        domains.contains(
            r#"{"name":"example.org","addresses":1,"catch_all":"friend","cram_md5":false}"#
        ),
        "{domains}"
    );
    let said = done(&dir, &["account", "remove", "user", "--yes"]);
    assert!(said.contains("`user` removed, with 0 messages"), "{said}");
    done(&dir, &["alias", "add", "all@example.org", "alice@example.org", "--post-public", "true"]);
    done(&dir, &["account", "quota", "alice", "5GB"]);
    refused(&dir, &["alias", "add", "all@example.org"], "is an alias already");
    place.verify();

    let server = place.localserve();
    deliver(&place, &["alice@example.org", "anybody@example.org"]);
    deliver(&place, &["all@example.org"]);
    assert_eq!(enter(&place, "alice", PASSWORD).unwrap().inbox().len(), 2);
    assert_eq!(Imap::login(place.imap(), "friend").inbox().len(), 1);
    assert!(rcpt(&place, "user@localhost").starts_with("550"));
    server.stop();
    place.verify();
}

#[test]
fn a_new_server_has_its_accounts_before_its_first_start() {
    let place = Place::new("smol");
    let server = place.localserve();
    server.stop();
    let text = fs::read_to_string(place.dir().join("pillarbox.toml")).unwrap();
    let file = place.dir().join("new.toml");
    fs::write(&file, text.replace("data = \".\"", "data = \"new\"")).unwrap();
    let on = |words: &[&str]| {
        let mut command = pillarbox();
        command.args(words).arg("--config").arg(&file);
        command
    };
    let (code, said) = outcome(&run(&mut on(&["domain", "add", "example.org"])));
    assert_eq!(code, 0, "{said}");
    let mut child = on(&["account", "add", "alice@example.org", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"pillarbox").unwrap();
    assert!(child.wait().unwrap().success());
    let server = Server::spawn(pillarbox().args(["serve", "--config"]).arg(&file));
    assert!(server.stderr.wait_for(|line| line.contains(" ready ")).is_some());
    deliver(&place, &["alice@example.org"]);
    assert_eq!(enter(&place, "alice", PASSWORD).unwrap().inbox().len(), 1);
    server.stop();
}

#[test]
fn commands_wait_for_each_other() {
    let place = Place::new("smol");
    place.localserve().stop();
    let dir = place.dir();
    thread::scope(|scope| {
        for number in 0..6 {
            let dir = &dir;
            scope.spawn(move || done(dir, &["domain", "add", &format!("d{number}.example")]));
        }
    });
    assert_eq!(done(&dir, &["domain", "list"]).lines().count(), 8);
}

#[test]
fn what_one_server_exports_another_imports() {
    let (from, server) = with_alice("smol");
    let alias = ["alias", "add", "all@example.org", "info@example.org", "user@localhost"];
    done(&from.dir(), &[&alias[..], &["--post-public", "true", "--allow-from", "true"]].concat());
    done(&from.dir(), &["account", "quota", "alice", "none"]);
    done(&from.dir(), &["account", "quota", "user", "5GB"]);
    done(&from.dir(), &["account", "disable", "friend"]);
    let file = from.beside("accounts.toml");
    let path = file.to_str().unwrap().to_owned();
    let said = done(&from.dir(), &["export", &path]);
    assert!(said.contains("2 domains and 3 accounts") && said.contains("secrets"), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("first secret") && text.contains("holds secrets"));
    assert_eq!(done(&from.dir(), &["export"]), text);
    assert!(done(&from.dir(), &["import", &path]).starts_with("nothing added; 6 "));
    server.stop();

    let to = Place::new("std");
    to.localserve().stop();
    // Its own user and friend have other keys, though of the same password: nothing is imported.
    let (code, said) = outcome(&run(&mut command(&to.dir(), &["import", &path])));
    assert_eq!(code, 1);
    let at = |word: &str| 1 + text.lines().position(|line| line == word).unwrap();
    for name in ["friend", "user"] {
        let place =
            format!("{path}:{}:8: there is an account `{name}`", at(&format!("name = \"{name}\"")));
        assert!(said.contains(&place), "{said}");
    }
    assert!(said.ends_with("nothing was imported\n"), "{said}");
    assert!(!done(&to.dir(), &["account", "list"]).contains("alice"));
    for name in ["user", "friend"] {
        done(&to.dir(), &["account", "remove", name, "--yes"]);
    }
    let server = to.localserve();
    let said = done(&to.dir(), &["import", &path]);
    assert_eq!(
        said,
        "1 domain, 3 accounts, 4 addresses, 1 alias, 1 catch-all, 2 quotas added; 1 domain, account \
         or alias was there already\n"
    );
    deliver(&to, &["info@example.org", "anybody@localhost"]);
    deliver(&to, &["all@example.org"]);
    assert_eq!(enter(&to, "alice", "first secret").unwrap().inbox().len(), 2);
    assert_eq!(Imap::login(to.imap(), "user").inbox().len(), 2);
    assert!(rcpt(&to, "friend@localhost").starts_with("550 5.2.1"));
    assert_eq!(done(&to.dir(), &["export"]), text);
    server.stop();
    to.verify();
}

#[test]
fn domains_and_names_in_other_letters_are_one_in_each_spelling() {
    let place = Place::new("smol");
    place.localserve().stop();
    let dir = place.dir();
    let said = done(&dir, &["domain", "add", "B\u{fc}cher.example"]);
    assert_eq!(said, "domain b\u{fc}cher.example (xn--bcher-kva.example) added\n");
    refused(&dir, &["domain", "add", "XN--bcher-kva.example"], "already");
    let add = ["account", "add", "JO\u{308}RG@xn--bcher-kva.example"];
    let (code, said) = with_password(&dir, &add, "first secret");
    assert_eq!(code, 0, "{said}");
    refused(&dir, &["address", "add", "j\u{f6}rg@b\u{fc}cher.example", "user"], "already");
    done(&dir, &["address", "add", "post@b\u{fc}cher.example", "J\u{d6}RG"]);
    let list = "\u{d6}l@bu\u{308}cher.example";
    done(&dir, &["alias", "add", list, "post@xn--bcher-kva.example", "--post-public", "true"]);
    done(&dir, &["alias", "member", "add", "o\u{308}l@xn--bcher-kva.example", "user@localhost"]);
    let server = place.localserve();
    deliver(&place, &["post@xn--bcher-kva.example", "POST@XN--BCHER-KVA.EXAMPLE"]);
    assert!(rcpt(&place, "post@xn--bcher-kv.example").starts_with("550 5.7.1"));
    // One address, and so one copy. IMAP has no other letters in LOGIN (RFC 3501 §4.3); by AUTH PLAIN see the transcripts.
    let login = "Post@XN--Bcher-KVA.example";
    assert_eq!(enter(&place, login, "first secret").unwrap().inbox().len(), 1);
    // A file written by hand may have them in either form.
    let text = done(&dir, &["export"]);
    assert!(text.contains("\"j\u{f6}rg@xn--bcher-kva.example\""), "{text}");
    let file = place.beside("accounts.toml");
    let by_hand = text.replace("xn--bcher-kva", "BU\u{308}CHER").replace('\u{f6}', "o\u{308}");
    fs::write(&file, by_hand).unwrap();
    let said = done(&dir, &["import", file.to_str().unwrap()]);
    assert!(said.starts_with("nothing added"), "{said}");
    done(&dir, &["alias", "remove", "\u{f6}l@b\u{fc}cher.example"]);
    done(&dir, &["address", "remove", "POST@b\u{fc}cher.example"]);
    let said = done(&dir, &["domain", "remove", "b\u{fc}cher.example", "--with-addresses"]);
    assert_eq!(said, "domain b\u{fc}cher.example (xn--bcher-kva.example) removed\n");
    server.stop();
    place.verify();
}

/// The command on a terminal, with these lines typed.
fn typed(dir: &Path, words: &[&str], lines: &str) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/terminal.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(lines).arg(env!("CARGO_BIN_EXE_pillarbox")).args(words);
    outcome(&run(python.arg("--dir").arg(dir)))
}

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let place = Place::new("smol");
    let server = place.localserve();
    let (dir, words) = (place.dir(), ["account", "add", "alice@localhost", "--ask"]);
    let (code, said) = typed(&dir, &words, "one secret,another secret");
    assert_eq!(code, 1);
    assert!(said.contains("not the same") && !said.contains("one secret"), "{said}");
    let (code, said) = typed(&dir, &words, "short");
    assert_eq!(code, 1);
    assert!(said.contains("fewer than 8"), "{said}");
    let (code, said) = typed(&dir, &words, "typed secret,typed secret");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("New password for alice: ") && said.contains("Once more: "), "{said}");
    assert!(!said.contains("secret"), "{said}");
    enter(&place, "alice", "typed secret").unwrap();
    // Nobody is asked in vain.
    let (code, said) = typed(&dir, &words, "typed secret,typed secret");
    assert_eq!(code, 1);
    assert!(!said.contains("New password"), "{said}");
    server.stop();
}

#[test]
fn a_password_is_made_up_and_told_once() {
    let place = Place::new("smol");
    let server = place.localserve();
    let told = |words: &[&str]| {
        let said = done(&place.dir(), words);
        let last = said.lines().last().unwrap();
        last.strip_prefix("password: ").unwrap().to_owned()
    };
    let first = told(&["account", "add", "alice@localhost"]);
    enter(&place, "alice", &first).unwrap();
    let second = told(&["account", "password", "alice"]);
    assert_ne!(first, second);
    assert!(enter(&place, "alice", &first).is_err());
    enter(&place, "alice", &second).unwrap();
    server.stop();
}

#[test]
fn a_line_that_cannot_be_understood_is_told_so() {
    let place = Place::new("smol");
    for words in [
        &["account", "add", "alice"][..],
        &["account", "add", "alice@"],
        &["account", "add", "alice@example.org", "--name", "a@b"],
        &["domain", "add", "a b"],
        &["domain", "catch-all", "example.org"],
        &["domain", "add", "münchen.a_b"],
        &["domain", "add", "xn--a.example"],
        &["account", "fly"],
        &["account", "quota", "alice", "much"],
        &["alias", "add", "team"],
        &["alias", "set", "team@example.org"],
        &["alias", "member", "add", "team@example.org"],
    ] {
        let (code, said) = outcome(&run(&mut command(&place.dir(), words)));
        assert_eq!(code, 2, "{words:?}: {said}");
    }
    for words in [["account", "add"], ["account", "remove"], ["domain", "add"]] {
        let help = String::from_utf8(run(pillarbox().args(words).arg("--help")).stdout).unwrap();
        assert!(help.contains("Example") && help.contains("--config"), "{help}");
    }
    let nowhere = place.beside("nowhere");
    let output = run(pillarbox().args(["account", "list"]).env("XDG_DATA_HOME", &nowhere));
    let (code, said) = outcome(&output);
    assert_eq!(code, 1);
    assert!(said.contains("--config FILE or --dir DIR"), "{said}");
    assert!(!nowhere.exists());
}

#[test]
fn without_a_place_it_is_localserves() {
    let place = Place::new("smol");
    let data = place.beside("home");
    fs::create_dir(&data).unwrap();
    let server = place.localserve();
    server.stop();
    fs::rename(place.dir(), data.join("pillarbox")).unwrap();
    let output = run(pillarbox().args(["account", "list"]).env("XDG_DATA_HOME", &data));
    let (code, said) = outcome(&output);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("friend@localhost"), "{said}");
}
