//! Just enough SMTP and IMAP to drive a server by hand.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{PASSWORD, PATIENCE};

/// A plain connection, line by line.
#[derive(Debug)]
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
}

impl Talk {
    pub(crate) fn to(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// An SMTP session that has greeted.
    pub(crate) fn smtp(port: u16) -> io::Result<Self> {
        let mut talk = Self::to(port)?;
        expect(&talk.reply()?, "220")?;
        expect(&talk.say("EHLO client.example")?, "250")?;
        Ok(talk)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// A command, and the reply to it.
    pub(crate) fn say(&mut self, command: &str) -> io::Result<String> {
        self.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// One SMTP reply, all its lines.
    pub(crate) fn reply(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        loop {
            let line = self.line()?;
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply.trim_end().to_owned());
            }
        }
    }

    /// A line with its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Hands a message over; the reply to its end. `text` has CRLF lines and no leading dots.
    pub(crate) fn deliver(&mut self, to: &[&str], text: &[u8]) -> io::Result<String> {
        expect(&self.say("MAIL FROM:<ann@client.example>")?, "250")?;
        for to in to {
            let reply = self.say(&format!("RCPT TO:<{to}>"))?;
            if !reply.starts_with("250") {
                return Ok(reply);
            }
        }
        expect(&self.say("DATA")?, "354")?;
        self.send(text)?;
        self.send(b".\r\n")?;
        self.reply()
    }

    /// Whether the server has closed.
    pub(crate) fn at_end(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

fn expect(reply: &str, code: &str) -> io::Result<()> {
    if reply.starts_with(code) { Ok(()) } else { Err(io::Error::other(reply.to_owned())) }
}

/// An IMAP session that has logged in.
#[derive(Debug)]
pub(crate) struct Imap {
    talk: Talk,
}

impl Imap {
    pub(crate) fn login(port: u16, user: &str) -> Self {
        Self::enter(port, &format!("{user}@localhost"), PASSWORD).unwrap()
    }

    /// A session of anybody's; the server's refusal where it does not let them in.
    pub(crate) fn enter(port: u16, login: &str, password: &str) -> Result<Self, String> {
        let mut imap = Self { talk: Talk::to(port).unwrap() };
        assert!(imap.talk.line().unwrap().starts_with("* OK"));
        imap.talk.send(format!("a LOGIN {login} {password}\r\n").as_bytes()).unwrap();
        let line = imap.talk.line().unwrap();
        if line.starts_with("a OK") { Ok(imap) } else { Err(line) }
    }

    /// Begins to wait for news.
    pub(crate) fn idle(&mut self) {
        self.talk.send(b"i IDLE\r\n").unwrap();
        let line = self.talk.line().unwrap();
        assert!(line.starts_with('+'), "{line}");
    }

    /// Whether the server says goodbye now, and closes.
    pub(crate) fn is_dismissed(&mut self) -> bool {
        let line = self.talk.line().unwrap();
        line.starts_with("* BYE") && self.talk.at_end()
    }

    /// A command that must succeed; all that came before its tagged answer: lines without their
    /// ends, and literals.
    pub(crate) fn command(&mut self, command: &str) -> Vec<Vec<u8>> {
        self.talk.send(format!("a {command}\r\n").as_bytes()).unwrap();
        let mut parts = Vec::new();
        loop {
            let line = self.talk.line().unwrap();
            let line = line.trim_end();
            if let Some(answer) = line.strip_prefix("a ") {
                assert!(answer.starts_with("OK"), "{command}: {line}");
                return parts;
            }
            parts.push(line.as_bytes().to_vec());
            let literal = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
            if let Some((_, count)) = literal {
                let mut bytes = vec![0; count.parse().unwrap()];
                self.talk.stream.read_exact(&mut bytes).unwrap();
                parts.push(bytes);
            }
        }
    }

    /// Files a message; the answer, without its tag.
    pub(crate) fn append(&mut self, mailbox: &str, text: &[u8]) -> String {
        self.append_as(mailbox, "", text)
    }

    /// The same in a literal8, which may hold any bytes.
    pub(crate) fn append_binary(&mut self, mailbox: &str, text: &[u8]) -> String {
        self.append_as(mailbox, "~", text)
    }

    fn append_as(&mut self, mailbox: &str, mark: &str, text: &[u8]) -> String {
        let line = format!("a APPEND {mailbox} {mark}{{{}+}}\r\n", text.len());
        self.send(&[line.as_bytes(), text, b"\r\n"].concat());
        self.answer()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.talk.send(bytes).unwrap();
    }

    /// The tagged answer that comes next, without its tag; news of an open mailbox are passed over.
    pub(crate) fn answer(&mut self) -> String {
        loop {
            let line = self.talk.line().unwrap();
            if let Some(answer) = line.trim_end().strip_prefix("a ") {
                return answer.to_owned();
            }
            assert!(line.starts_with("* "), "{line}");
        }
    }

    /// All messages of INBOX, whole.
    pub(crate) fn inbox(&mut self) -> Vec<Vec<u8>> {
        let selected = self.command("EXAMINE INBOX");
        if selected.iter().any(|line| line == b"* 0 EXISTS") {
            return Vec::new();
        }
        let parts = self.command("UID FETCH 1:* BODY.PEEK[]");
        parts.into_iter().skip(1).step_by(3).collect()
    }

    /// The same, once there are so many: what is submitted comes by way of the queue.
    pub(crate) fn inbox_of(&mut self, count: usize) -> Vec<Vec<u8>> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.inbox();
            if found.len() >= count || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A message of our own with this word in it, about `size` bytes long.
pub(crate) fn letter(word: &str, size: usize) -> Vec<u8> {
    let mut text = format!("Subject: {word}\r\n\r\nid {word}\r\n").into_bytes();
    while text.len() < size {
        text.extend_from_slice(b"The quick brown fox jumps over the lazy dog again and again.\r\n");
    }
    text
}
