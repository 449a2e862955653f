//! Makes mailboxes as a transcript expects them: empty. It is a client like any other, and uses
//! nothing but what every IMAP server has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::address::imap::response::{Response, Value};
use crate::address::imap::{Server, Session};
use crate::address::link::Link;
use crate::address::names::Person;
use crate::address::{Capabilities, Target};

/// One session for each account.
#[derive(Debug)]
pub struct Keeper {
    /// With whether it is the second account's.
    sessions: Vec<(bool, Session)>,
    /// The mailboxes that each account had in the beginning; others are taken away again.
    first: Vec<BTreeSet<String>>,
    server: Server,
    patience: Duration,
}

impl Keeper {
    /// Logs in. Without an address for IMAP there is nothing to keep.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn new(target: &Target) -> Result<Self, String> {
        let mut keeper = Self {
            sessions: Vec::new(),
            first: Vec::new(),
            server: Server::default(),
            patience: target.patience,
        };
        if place(target).is_none() {
            return Ok(keeper);
        }
        let people = [(false, Some(&target.names.user)), (true, target.names.friend.as_ref())];
        for (is_friend, person) in people {
            let Some(person) = person else { continue };
            let mut session = connect(target)?;
            keeper.server.capabilities.extend(capabilities(&mut session)?);
            login(&mut session, person)?;
            keeper.server.capabilities.extend(capabilities(&mut session)?);
            keeper.first.push(mailboxes(&mut session)?);
            keeper.sessions.push((is_friend, session));
        }
        Ok(keeper)
    }

    /// What is known of the server now.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Empties all mailboxes, takes away those that transcripts have made, and makes those again that
    /// they have deleted.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn empty(&mut self) -> Result<(), String> {
        self.server.bases.clear();
        for ((is_friend, session), first) in self.sessions.iter_mut().zip(&self.first) {
            let now = mailboxes(session)?;
            // From the innermost outwards.
            for name in now.difference(first).collect::<Vec<_>>().into_iter().rev() {
                let _not_subscribed = session.ask("k", &format!("UNSUBSCRIBE {}", quoted(name)))?;
                succeed(session, &format!("DELETE {}", quoted(name)))?;
            }
            for name in first.difference(&now) {
                succeed(session, &format!("CREATE {}", quoted(name)))?;
            }
            for name in first {
                let _subscribed_already =
                    session.ask("k", &format!("SUBSCRIBE {}", quoted(name)))?;
            }
            for name in first {
                let uid_next = empty(session, name)?;
                let base = uid_next.saturating_sub(1);
                self.server.bases.insert((*is_friend, name.clone()), base);
            }
        }
        Ok(())
    }

    /// Waits until so many letters have come, all accounts together: a server may take a letter
    /// and deliver it a little later. Not all need come: one for two names of the same account may
    /// be delivered once, so this ends too once some have come and no more follow.
    ///
    /// # Errors
    /// Why it cannot be asked. Letters that do not come are no error here.
    pub fn settle(&mut self, promised: usize) -> Result<(), String> {
        let until = Instant::now() + self.patience;
        let mut last = (0, Instant::now());
        while promised > 0 && !self.sessions.is_empty() {
            let mut come = 0;
            for (_, session) in &mut self.sessions {
                let told = session.ask("k", "STATUS INBOX (MESSAGES)")?;
                come += told.iter().filter_map(messages).sum::<usize>();
            }
            if come != last.0 {
                last = (come, Instant::now());
            }
            let still = come > 0 && last.1.elapsed() > STILL;
            if come >= promised || still || Instant::now() >= until {
                break;
            }
            std::thread::sleep(BETWEEN);
        }
        Ok(())
    }
}

/// Where IMAP is spoken, and whether TLS comes with the first byte.
fn place(target: &Target) -> Option<(&str, bool)> {
    let clear = target.addresses.get("imap").map(|address| (address.as_str(), false));
    let secured = target.addresses.get("imaps").map(|address| (address.as_str(), true));
    clear.or(secured)
}

/// A session that has greeted, under TLS where that is wanted.
///
/// # Errors
/// Why there is none.
pub(crate) fn connect(target: &Target) -> Result<Session, String> {
    let (address, implicit) = place(target).ok_or("no address for IMAP: --imap, --imaps")?;
    let link = Link::open(address, target.patience)?;
    let mut session = Session::new(link, target.patience, Server::default());
    let why = |end| format!("{address}: {end:?}");
    if implicit {
        session.shake_hands().map_err(why)?;
    }
    session.greet().map_err(why)?;
    if target.tls && !implicit {
        session.secure().map_err(why)?;
    }
    Ok(session)
}

/// Logs somebody in.
///
/// # Errors
/// They are refused.
pub(crate) fn login(session: &mut Session, person: &Person) -> Result<(), String> {
    let command = format!("LOGIN {} {}", quoted(&person.login), quoted(&person.password));
    let answer = session.ask("k", &command)?;
    if is_ok(&answer) {
        return Ok(());
    }
    Err(format!(
        "{} cannot log in by IMAP: is the password right? A server that takes no passwords in \
         clear needs --tls or --imaps",
        person.login
    ))
}

/// What is announced now.
///
/// # Errors
/// There was no answer.
pub(crate) fn capabilities(session: &mut Session) -> Result<Capabilities, String> {
    let answer = session.ask("k", "CAPABILITY")?;
    Ok(answer.iter().flat_map(|response| data(response, "CAPABILITY")).map(Value::text).collect())
}

/// The names of all mailboxes that can be opened.
fn mailboxes(session: &mut Session) -> Result<BTreeSet<String>, String> {
    let answer = session.ask("k", "LIST \"\" \"*\"")?;
    let mut found = BTreeSet::new();
    for response in &answer {
        let values = data(response, "LIST");
        let attributes = values.first().map(Value::list).unwrap_or_default();
        let is_real = |value: &Value| !value.text().eq_ignore_ascii_case("\\Noselect");
        if attributes.iter().all(is_real)
            && let Some(name) = values.last().map(Value::text)
        {
            let inbox = name.eq_ignore_ascii_case("inbox");
            found.insert(if inbox { "INBOX".to_owned() } else { name });
        }
    }
    Ok(found)
}

/// Empties one mailbox and tells the next UID in it, 1 where the server does not say.
fn empty(session: &mut Session, name: &str) -> Result<u32, String> {
    let opened = succeed(session, &format!("SELECT {}", quoted(name)))?;
    let count = opened.iter().find_map(|response| match response {
        Response::Data { number, name, .. } if name == "EXISTS" => *number,
        _ => None,
    });
    if count.is_some_and(|count| count > 0) {
        succeed(session, "STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
        succeed(session, "EXPUNGE")?;
    }
    succeed(session, "CLOSE")?;
    let next = opened.iter().find_map(|response| match response {
        Response::Status { tag: None, code: Some((name, values)), .. } if name == "UIDNEXT" => {
            values.first()?.text().parse().ok()
        }
        _ => None,
    });
    Ok(next.unwrap_or(1))
}

fn messages(response: &Response) -> Option<usize> {
    let [_, items] = data(response, "STATUS") else { return None };
    items.list().last()?.text().parse().ok()
}

fn data<'a>(response: &'a Response, wanted: &str) -> &'a [Value] {
    match response {
        Response::Data { name, values, .. } if name == wanted => values,
        _ => &[],
    }
}

fn succeed(session: &mut Session, command: &str) -> Result<Vec<Response>, String> {
    let answer = session.ask("k", command)?;
    if is_ok(&answer) { Ok(answer) } else { Err(format!("{command}: {:?}", answer.last())) }
}

fn is_ok(answer: &[Response]) -> bool {
    matches!(answer.last(), Some(Response::Status { kind, .. }) if kind == "OK")
}

/// A quoted string.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Once letters have come, how long none may follow.
const STILL: Duration = Duration::from_secs(3);
/// Between two looks at a mailbox.
const BETWEEN: Duration = Duration::from_millis(20);
