//! Where a new password comes from. It is derived here: neither the server nor the store sees it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};

use clap::Args;
use pillarbox_core::Random;
use pillarbox_core::sasl::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::context::SystemRandom;
use crate::control::wire::SecretText;
use crate::secrets::{self, PASSWORD_BYTES_MAX};

/// Where the password is to come from: it is made up where neither is said.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(super) struct Source {
    /// Ask for the password at the terminal, in the place of making one up.
    #[arg(long)]
    ask: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

/// A new password as the server keeps it.
pub(super) struct New {
    pub(super) secrets: Vec<SecretText>,
    /// A line that tells the password, where nobody knows it yet.
    pub(super) told: String,
}

/// Gets a new password, and what is kept of it.
///
/// # Errors
/// One line for the user.
pub(super) fn new(for_whom: &str, source: Source) -> Result<New, String> {
    let random = &mut SystemRandom::default();
    let (password, told) = match source {
        Source { password_stdin: true, .. } => (from_lines(io::stdin().lock())?, String::new()),
        Source { ask: true, .. } => (ask_twice(for_whom)?, String::new()),
        Source { ask: false, password_stdin: false } => {
            let made = made_up(random);
            let told = format!("password: {made}\n");
            (Secret::new(made), told)
        }
    };
    let derived = secrets::derive(&password, random)
        .map_err(|error| format!("cannot derive keys of the password: {error}"))?;
    Ok(New { secrets: derived.into_stored().iter().map(SecretText::from).collect(), told })
}

/// Twenty letters and digits in groups, of 32 that cannot be taken for each other: 100 bits.
fn made_up(random: &mut dyn Random) -> String {
    let mut bytes = [0; 20];
    random.fill(&mut bytes);
    let mut password = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            password.push('-');
        }
        let sign = SIGNS.get(usize::from(byte % 32)).copied().unwrap_or(b'a');
        password.push(char::from(sign));
    }
    password
}

/// As many as divide 256, so that none is more likely.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The first line, which must be the only one.
fn from_lines(input: impl Read) -> Result<Secret, String> {
    let mut text = String::new();
    // A line end of two bytes, and one byte that shows that there was more.
    let most = u64::try_from(PASSWORD_BYTES_MAX + 3).unwrap_or(u64::MAX);
    input
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the password from standard input: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    secrets::check_new(line)?;
    Ok(Secret::new(line.to_owned()))
}

fn ask_twice(for_whom: &str) -> Result<Secret, String> {
    let no_terminal = |error: io::Error| {
        format!("no terminal to ask for the password ({error}): give it with --password-stdin")
    };
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let first = ask(&tty, &format!("New password for {for_whom}: ")).map_err(no_terminal)?;
    secrets::check_new(first.reveal())?;
    let second = ask(&tty, "Once more: ").map_err(no_terminal)?;
    if first == second {
        Ok(first)
    } else {
        Err("the two passwords are not the same: try again".into())
    }
}

/// A line typed at the terminal, which does not show it.
fn ask(mut tty: &File, prompt: &str) -> io::Result<Secret> {
    let _silence = Silence::begin(tty)?;
    tty.write_all(prompt.as_bytes())?;
    let mut line = String::new();
    if BufReader::new(tty).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Secret::new(line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// A terminal without echo, until dropped.
struct Silence<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // The end of the line is shown: the next words begin on a line of their own.
        silent.local_modes.insert(LocalModes::ECHONL);
        // What was typed before the question is no answer to it.
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _nothing_better = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_ones_are_good_and_different() {
        let made = made_up(&mut SystemRandom::default());
        assert_eq!((made.len(), made.matches('-').count()), (23, 3));
        assert_eq!(secrets::check_new(&made), Ok(()));
        assert_ne!(made, made_up(&mut SystemRandom::default()));
        let signs: std::collections::BTreeSet<_> = SIGNS.iter().collect();
        assert_eq!(signs.len(), 32);
    }

    #[test]
    fn one_line_is_a_password() {
        for input in ["pillarbox", "pillarbox\n", "pillarbox\r\n"] {
            assert_eq!(from_lines(input.as_bytes()).unwrap().reveal(), "pillarbox");
        }
        let longest = "x".repeat(PASSWORD_BYTES_MAX);
        assert_eq!(from_lines(format!("{longest}\r\n").as_bytes()).unwrap().reveal(), longest);
        for wrong in
            ["", "\n", "short\n", "pillarbox\nsecond\n", "pillar\0box\n", &format!("{longest}x")]
        {
            assert!(from_lines(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(from_lines(&[0xFF; 9][..]).is_err());
    }
}
