//! A server somewhere: it takes mail, or does what servers do.

use std::net::IpAddr;

use super::prng::Prng;

/// What a server is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes all.
    Good,
    /// Nobody answers there.
    Away,
    /// It connects and says nothing.
    Tarpit,
    /// It refuses each recipient, for good.
    Refuses,
    /// It says no for now, once in so many commands.
    Doubtful(usize),
    /// It closes, once in so many commands.
    Closes(usize),
}

/// A server.
#[derive(Debug)]
pub(super) struct Peer {
    mood: Mood,
    pipelining: bool,
    chunking: bool,
    /// Whose messages it has.
    pub(super) taken: Vec<String>,
}

/// A conversation with it.
#[derive(Debug)]
pub(super) struct Talk {
    /// The server.
    pub(super) ip: IpAddr,
    /// It has closed.
    pub(super) closed: bool,
    heard: Vec<u8>,
    recipients: Vec<String>,
    data: bool,
    /// How many bytes a chunk has, and whether it is the last.
    chunk: Option<(usize, bool)>,
}

/// What came of some bytes.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What it says.
    pub(super) says: String,
    /// For whom it has taken a message.
    pub(super) taken: Vec<String>,
}

impl Mood {
    pub(super) fn draw(prng: &mut Prng) -> Self {
        match prng.below(8) {
            0 => Self::Away,
            1 => Self::Tarpit,
            2 => Self::Refuses,
            3 | 4 => Self::Doubtful(prng.between(2, 8)),
            5 => Self::Closes(prng.between(2, 8)),
            _ => Self::Good,
        }
    }
}

impl Peer {
    pub(super) fn new(mood: Mood, prng: &mut Prng) -> Self {
        let (pipelining, chunking) = (prng.once_in(2), prng.once_in(2));
        Self { mood, pipelining, chunking, taken: Vec::new() }
    }

    /// Somebody connects; what is said at once.
    pub(super) fn answer(
        &mut self,
        ip: IpAddr,
        healed: bool,
        prng: &mut Prng,
    ) -> Option<(Talk, &'static str)> {
        self.heal(healed);
        let mut talk = Talk {
            ip,
            closed: false,
            heard: Vec::new(),
            recipients: Vec::new(),
            data: false,
            chunk: None,
        };
        match self.mood {
            Mood::Away => None,
            Mood::Tarpit => Some((talk, "")),
            Mood::Closes(often) if prng.once_in(often) => {
                talk.closed = true;
                Some((talk, ""))
            }
            Mood::Doubtful(often) if prng.once_in(often) => {
                talk.closed = true;
                Some((talk, "421 4.3.2 not now\r\n"))
            }
            _ => Some((talk, "220 mx ESMTP\r\n")),
        }
    }

    fn heal(&mut self, healed: bool) {
        if healed && self.mood != Mood::Refuses {
            self.mood = Mood::Good;
        }
    }

    /// Takes bytes in.
    pub(super) fn hear(
        &mut self,
        talk: &mut Talk,
        bytes: &[u8],
        healed: bool,
        prng: &mut Prng,
    ) -> Heard {
        self.heal(healed);
        let mut heard = Heard::default();
        talk.heard.extend_from_slice(bytes);
        if self.mood == Mood::Tarpit {
            return heard;
        }
        while !talk.closed {
            if let Some((size, last)) = talk.chunk {
                if talk.heard.len() < size {
                    break;
                }
                talk.heard.drain(..size);
                talk.chunk = None;
                match (talk.recipients.is_empty(), last) {
                    (true, _) => heard.says.push_str("503 5.5.1 nobody\r\n"),
                    (false, false) => heard.says.push_str("250 more\r\n"),
                    (false, true) => self.end_of_message(talk, &mut heard, prng),
                }
                continue;
            }
            if talk.data {
                let Some(end) = talk.heard.windows(5).position(|five| five == b"\r\n.\r\n") else {
                    break;
                };
                talk.heard.drain(..end + 5);
                talk.data = false;
                self.end_of_message(talk, &mut heard, prng);
                continue;
            }
            let Some(end) = talk.heard.windows(2).position(|two| two == b"\r\n") else { break };
            let line: Vec<u8> = talk.heard.drain(..end + 2).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.command(talk, &line, &mut heard, prng);
        }
        heard
    }

    fn end_of_message(&mut self, talk: &mut Talk, heard: &mut Heard, prng: &mut Prng) {
        if matches!(self.mood, Mood::Doubtful(often) if prng.once_in(often)) {
            heard.says.push_str("451 4.3.0 not now\r\n");
            return;
        }
        heard.taken.append(&mut talk.recipients);
        self.taken.extend(heard.taken.iter().cloned());
        // It has the message, and we do not hear of it.
        talk.closed = matches!(self.mood, Mood::Closes(often) if prng.once_in(often));
        if !talk.closed {
            heard.says.push_str("250 2.0.0 taken\r\n");
        }
    }

    fn command(&self, talk: &mut Talk, line: &str, heard: &mut Heard, prng: &mut Prng) {
        if matches!(self.mood, Mood::Closes(often) if prng.once_in(often)) {
            talk.closed = true;
            return;
        }
        let doubt = matches!(self.mood, Mood::Doubtful(often) if prng.once_in(often));
        let says = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => match (self.pipelining, self.chunking) {
                (true, true) => "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
                (true, false) => "250-mx\r\n250 PIPELINING\r\n",
                (false, true) => "250-mx\r\n250 CHUNKING\r\n",
                (false, false) => "250 mx\r\n",
            },
            "BDAT" => {
                let size = line.split(' ').nth(1).and_then(|size| size.parse().ok());
                talk.chunk = size.map(|size| (size, line.ends_with(" LAST")));
                ""
            }
            "QUIT" => {
                talk.closed = true;
                "221 bye\r\n"
            }
            "MAIL" | "RSET" => {
                talk.recipients.clear();
                "250 ok\r\n"
            }
            "RCPT" if self.mood == Mood::Refuses => "550 5.1.1 nobody\r\n",
            "RCPT" if doubt => "450 4.2.0 not now\r\n",
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                talk.recipients.push(address.to_owned());
                "250 ok\r\n"
            }
            "DATA" if talk.recipients.is_empty() => "503 5.5.1 nobody\r\n",
            "DATA" => {
                talk.data = true;
                "354 go\r\n"
            }
            _ => "500 5.5.2 what\r\n",
        };
        heard.says.push_str(says);
    }
}
