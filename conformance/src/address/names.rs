//! The names and passwords of the transcripts, and those of the server that is looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Who is who at the server. Transcripts know `user` and `friend` at `localhost`, both with the
/// password `pillarbox`.
#[derive(Debug, Clone)]
pub struct Names {
    /// The first account.
    pub user: Person,
    /// The second one; without it, transcripts that name `friend` are not run.
    pub friend: Option<Person>,
    /// The domain whose mail the server takes.
    pub domain: String,
}

/// One account.
#[derive(Debug, Clone)]
pub struct Person {
    /// What it logs in with, and its address where that has an `@`.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl Names {
    /// One SMTP command as it is sent: addresses and SASL's answers are those of the server.
    #[must_use]
    pub fn smtp(&self, command: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(command) else { return command.to_vec() };
        let (line, end) = split_end(text);
        if let Some(response) = line.strip_prefix("AUTH PLAIN ").or(Some(line))
            && let Some(mapped) = self.sasl(response)
        {
            let lead = line.len() - response.len();
            return format!("{}{mapped}{end}", line.get(..lead).unwrap_or_default()).into_bytes();
        }
        let mut mapped = line.to_owned();
        for (name, person) in self.people() {
            mapped = mapped.replace(&format!("<{name}@localhost>"), &self.path(person));
        }
        mapped = mapped.replace("@localhost", &format!("@{}", self.domain));
        format!("{mapped}{end}").into_bytes()
    }

    /// What SASL sends, where it is base64 of something with these names.
    #[must_use]
    pub fn sasl(&self, response: &str) -> Option<String> {
        let plain = String::from_utf8(STANDARD.decode(response).ok()?).ok()?;
        let mapped = self.login(&plain.split('\0').collect::<Vec<_>>());
        (plain.len() > 2).then(|| STANDARD.encode(mapped.join("\0")))
    }

    /// One argument of LOGIN, or one part of a SASL response.
    #[must_use]
    pub fn word(&self, word: &str) -> String {
        if word == PASSWORD {
            return self.user.password.clone();
        }
        let name = word.strip_suffix("@localhost").unwrap_or(word);
        match self.people().find(|(known, _)| *known == name) {
            Some((_, person)) => person.login.clone(),
            None => word.replace("@localhost", &format!("@{}", self.domain)),
        }
    }

    /// The words of a LOGIN command: those of one person, so that a password is its owner's.
    #[must_use]
    pub fn login(&self, words: &[&str]) -> Vec<String> {
        let friend = words.iter().any(|word| self.is_friend(word));
        let of = |word: &&str| match &self.friend {
            Some(person) if friend && *word == PASSWORD => person.password.clone(),
            _ => self.word(word),
        };
        words.iter().map(of).collect()
    }

    /// Whether this is the second account's name.
    #[must_use]
    pub fn is_friend(&self, word: &str) -> bool {
        word.strip_suffix("@localhost").unwrap_or(word) == FRIEND
    }

    fn people(&self) -> impl Iterator<Item = (&'static str, &Person)> {
        [(USER, Some(&self.user)), (FRIEND, self.friend.as_ref())]
            .into_iter()
            .filter_map(|(name, person)| Some((name, person?)))
    }

    fn path(&self, person: &Person) -> String {
        if person.login.contains('@') {
            format!("<{}>", person.login)
        } else {
            format!("<{}@{}>", person.login, self.domain)
        }
    }
}

fn split_end(text: &str) -> (&str, &str) {
    let line = text.trim_end_matches(['\r', '\n']);
    (line, text.get(line.len()..).unwrap_or_default())
}

const USER: &str = "user";
const FRIEND: &str = "friend";
const PASSWORD: &str = "pillarbox";

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let person =
            |login: &str, password: &str| Person { login: login.into(), password: password.into() };
        Names {
            user: person("anna@a.example", "secret"),
            friend: Some(person("bert", "other")),
            domain: "a.example".into(),
        }
    }

    #[test]
    fn commands_name_the_servers_people() {
        for (ours, theirs) in [
            ("RCPT TO:<user@localhost>\r\n", "RCPT TO:<anna@a.example>\r\n"),
            ("RCPT TO:<friend@localhost>\r\n", "RCPT TO:<bert@a.example>\r\n"),
            ("RCPT TO:<x@localhost>\n", "RCPT TO:<x@a.example>\n"),
            ("RCPT TO:<x@elsewhere.example>\r\n", "RCPT TO:<x@elsewhere.example>\r\n"),
            (
                "AUTH PLAIN AHVzZXJAbG9jYWxob3N0AHBpbGxhcmJveA==\r\n",
                "AUTH PLAIN AGFubmFAYS5leGFtcGxlAHNlY3JldA==\r\n",
            ),
            ("cGlsbGFyYm94\r\n", "c2VjcmV0\r\n"),
            ("AUTH PLAIN !!!\r\n", "AUTH PLAIN !!!\r\n"),
            ("NOOP\r\n", "NOOP\r\n"),
        ] {
            assert_eq!(names().smtp(ours.as_bytes()), theirs.as_bytes(), "{ours}");
        }
    }

    #[test]
    fn a_password_is_its_owners() {
        assert_eq!(names().login(&["user", "pillarbox"]), ["anna@a.example", "secret"]);
        assert_eq!(names().login(&["friend@localhost", "pillarbox"]), ["bert", "other"]);
        assert_eq!(names().login(&["nobody", "wrong"]), ["nobody", "wrong"]);
    }
}
