//! An SMTP client as other servers are: it sends, and sends again until it knows.

use std::collections::VecDeque;

use super::ledger::{ACCOUNTS, Kind, Ledger};
use super::prng::Prng;

/// A client with letters to send.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// Numbers of letters that are not settled.
    pub(super) todo: VecDeque<usize>,
    /// The letter under way.
    now: Option<usize>,
    /// The replies that are to come, in order.
    expected: VecDeque<Await>,
    /// Of each letter under way: whether all before DATA was accepted.
    accepted: bool,
    pipelined: bool,
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Await {
    Greeting,
    Hello,
    Mail,
    Rcpt(usize),
    Data,
    Final,
    Broken,
    Quit,
}

impl Sender {
    /// A connection begins.
    pub(super) fn connected(&mut self) {
        self.expected = VecDeque::from([Await::Greeting]);
        self.line.clear();
    }

    /// The connection has ended; what was sent whole and not answered is in doubt.
    pub(super) fn lost(&mut self, ledger: &mut Ledger) {
        if self.expected.contains(&Await::Final)
            && let Some(letter) = self.now.and_then(|number| ledger.letters.get_mut(number))
        {
            letter.doubts += 1;
        }
        self.now = None;
        self.expected.clear();
    }

    /// Takes in what the server says; answers into `out`. False: close the connection.
    pub(super) fn heard(
        &mut self,
        bytes: &[u8],
        ledger: &mut Ledger,
        prng: &mut Prng,
        out: &mut Vec<u8>,
    ) -> bool {
        for &byte in bytes {
            self.line.push(byte);
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                if line.as_bytes().get(3) != Some(&b'-') && !self.reply(&line, ledger, prng, out) {
                    return false;
                }
            }
        }
        true
    }

    fn reply(
        &mut self,
        line: &str,
        ledger: &mut Ledger,
        prng: &mut Prng,
        out: &mut Vec<u8>,
    ) -> bool {
        let code: u32 = line.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        let Some(awaited) = self.expected.pop_front() else {
            if code < 400 {
                ledger.violation(format!("a reply that nothing was asked for: {line:?}"));
            }
            return false;
        };
        if code == 421 {
            // The server closes: nothing that waited will be answered.
            if awaited == Await::Final {
                self.settle(code, line, ledger);
            }
            return false;
        }
        match awaited {
            Await::Greeting if code == 220 => {
                out.extend_from_slice(b"EHLO client.example\r\n");
                self.expected.push_back(Await::Hello);
                true
            }
            Await::Hello if code == 250 => self.begin(ledger, prng, out),
            Await::Mail => {
                self.accepted = code == 250;
                self.next_in_turn(Await::Mail, ledger, out)
            }
            Await::Rcpt(index) => {
                self.accepted &= code == 250;
                self.next_in_turn(Await::Rcpt(index), ledger, out)
            }
            Await::Data if code == 354 => {
                self.send_body(ledger, out);
                true
            }
            Await::Final => {
                self.settle(code, line, ledger);
                // After a refusal for smuggling nobody stays in step for certain.
                code == 250 && self.begin(ledger, prng, out)
            }
            Await::Broken => {
                if code < 500 {
                    ledger.violation(format!("a broken command was answered with {line:?}"));
                }
                true
            }
            Await::Greeting | Await::Hello | Await::Data | Await::Quit => false,
        }
    }

    /// Begins the next letter, or ends.
    fn begin(&mut self, ledger: &Ledger, prng: &mut Prng, out: &mut Vec<u8>) -> bool {
        while self.todo.front().is_some_and(|number| ledger.is_settled(*number)) {
            self.todo.pop_front();
        }
        self.now = None;
        if prng.once_in(12) {
            let broken: [&[u8]; 4] = [
                b"FROB x\r\n",
                b"MAIL FROM:<a@b\r\n",
                b"RCPT TO:<user@localhost>\r\n",
                b"DATA\r\n",
            ];
            out.extend_from_slice(broken.get(prng.below(4)).copied().unwrap_or_default());
            self.expected.push_back(Await::Broken);
        }
        let Some(&number) = self.todo.front() else {
            out.extend_from_slice(b"QUIT\r\n");
            self.expected.push_back(Await::Quit);
            return true;
        };
        let Some(letter) = ledger.letters.get(number) else { return false };
        self.now = Some(number);
        self.accepted = true;
        self.pipelined = prng.once_in(2);
        out.extend_from_slice(b"MAIL FROM:<sender@client.example>\r\n");
        self.expected.push_back(Await::Mail);
        if self.pipelined {
            for (index, &account) in letter.to.iter().enumerate() {
                self.send_rcpt(index, account, out);
            }
            out.extend_from_slice(b"DATA\r\n");
            self.expected.push_back(Await::Data);
        }
        true
    }

    fn send_rcpt(&mut self, index: usize, account: usize, out: &mut Vec<u8>) {
        let name = ACCOUNTS.get(account).unwrap_or(&"nobody");
        out.extend_from_slice(format!("RCPT TO:<{name}@localhost>\r\n").as_bytes());
        self.expected.push_back(Await::Rcpt(index));
    }

    /// Without pipelining: the command after the one that was answered.
    fn next_in_turn(&mut self, answered: Await, ledger: &Ledger, out: &mut Vec<u8>) -> bool {
        if self.pipelined {
            return true;
        }
        if !self.accepted {
            return false;
        }
        let Some(letter) = self.now.and_then(|number| ledger.letters.get(number)) else {
            return false;
        };
        let next = if let Await::Rcpt(index) = answered { index + 1 } else { 0 };
        match letter.to.get(next) {
            Some(&account) => self.send_rcpt(next, account, out),
            None => {
                out.extend_from_slice(b"DATA\r\n");
                self.expected.push_back(Await::Data);
            }
        }
        true
    }

    /// RFC 5321 §4.5.2: a dot more in front of each line that begins with one.
    fn send_body(&mut self, ledger: &Ledger, out: &mut Vec<u8>) {
        let letter = self.now.and_then(|number| ledger.letters.get(number));
        let Some(letter) = letter else { return };
        for line in letter.text.split_inclusive(|&byte| byte == b'\n') {
            // A smuggler does not stuff what is to be taken for an end.
            if line.starts_with(b".") && letter.kind != Kind::Smuggling {
                out.push(b'.');
            }
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b".\r\n");
        self.expected.push_back(Await::Final);
    }

    /// The last word on the letter under way.
    fn settle(&mut self, code: u32, line: &str, ledger: &mut Ledger) {
        let Some(number) = self.now.take() else { return };
        let accepted = self.accepted;
        let Some(letter) = ledger.letters.get_mut(number) else { return };
        let kind = letter.kind;
        match code {
            250 => letter.acknowledged = true,
            500..=599 => letter.refused = true,
            _ => {}
        }
        if !(400..=499).contains(&code) {
            self.todo.retain(|other| *other != number);
        }
        if kind == Kind::Smuggling && code < 400 {
            ledger.violation(format!("smuggling letter {number} was answered with {line:?}"));
        }
        if kind == Kind::Plain && (!(250..500).contains(&code) || !accepted) {
            ledger.violation(format!("plain letter {number} was answered with {line:?}"));
        }
    }
}
