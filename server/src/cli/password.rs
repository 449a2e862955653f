//! Where a new password comes from. It is derived here: neither the server nor the store sees it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};

use pillarbox_core::sasl::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::context::SystemRandom;
use crate::control::wire::SecretText;
use crate::secrets::{self, PASSWORD_BYTES_MAX};

/// Gets a new password, and what is kept of it.
///
/// # Errors
/// One line for the user.
pub(super) fn new(for_whom: &str, from_stdin: bool) -> Result<Vec<SecretText>, String> {
    let password = if from_stdin { from_lines(io::stdin().lock())? } else { ask_twice(for_whom)? };
    let derived = secrets::derive(&password, &mut SystemRandom::default())
        .map_err(|error| format!("cannot derive keys of the password: {error}"))?;
    Ok(derived.into_stored().iter().map(SecretText::from).collect())
}

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
