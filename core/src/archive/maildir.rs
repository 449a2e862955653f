//! The names of a maildir's files: `UNIQUE:2,FLAGS`.

use super::Marks;

/// The keyword that stands for the flag `P` (passed).
pub const FORWARDED: &str = "$Forwarded";
/// How many letters a folder has for keywords: `a` to `z`.
pub const LETTERS_MAX: usize = 26;

/// A file's name in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name<'a> {
    /// What stays the same while flags change.
    pub unique: &'a str,
    /// The letters.
    pub flags: &'a str,
}

impl<'a> Name<'a> {
    /// Reads a name. `None` for files that are no messages.
    #[must_use]
    pub fn read(name: &'a str) -> Option<Self> {
        if name.is_empty() || name.starts_with('.') {
            return None;
        }
        let (unique, flags) = name.rsplit_once(":2,").unwrap_or((name, ""));
        (!unique.is_empty()).then_some(Self { unique, flags })
    }

    /// What the letters say, those for keywords by the folder's own list.
    #[must_use]
    pub fn marks(&self, keywords: &Keywords) -> Marks {
        let mut marks = Marks::default();
        for letter in self.flags.chars() {
            match letter {
                'S' => marks.seen = true,
                'R' => marks.answered = true,
                'F' => marks.flagged = true,
                'T' => marks.deleted = true,
                'D' => marks.draft = true,
                'P' => marks.keywords.push(FORWARDED.into()),
                'a'..='z' => marks.keywords.extend(keywords.name(letter).map(str::to_owned)),
                // Other letters are other programs'.
                _ => {}
            }
        }
        marks
    }
}

/// What the letters `a` to `z` mean in a folder, as Dovecot writes it into `dovecot-keywords`: a
/// number and a name in each line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keywords(Vec<Option<String>>);

impl Keywords {
    /// Reads the list. Lines that say nothing are passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut names = Vec::new();
        for line in text.lines() {
            let Some((number, name)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            if number >= LETTERS_MAX || name.is_empty() {
                continue;
            }
            if names.len() <= number {
                names.resize(number + 1, None);
            }
            if let Some(place) = names.get_mut(number) {
                *place = Some(name.to_owned());
            }
        }
        Self(names)
    }

    /// The list as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().enumerate();
        lines.filter_map(|(at, name)| Some(format!("{at} {}\n", name.as_ref()?))).collect()
    }

    /// The name behind a letter.
    #[must_use]
    pub fn name(&self, letter: char) -> Option<&str> {
        let at = usize::try_from(u32::from(letter).checked_sub(u32::from('a'))?).ok()?;
        self.0.get(at)?.as_deref()
    }

    /// The letter for a name; a new one where there is none yet, `None` where there are no more.
    pub fn letter(&mut self, name: &str) -> Option<char> {
        let same = |known: &Option<String>| {
            known.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        let at = self.0.iter().position(same).unwrap_or(self.0.len());
        let letter = u8::try_from(at).ok().filter(|at| usize::from(*at) < LETTERS_MAX)?;
        if at == self.0.len() {
            self.0.push(Some(name.to_owned()));
        }
        Some(char::from(b'a' + letter))
    }
}

/// The letters for what is marked, in their order; and the keywords for which there was none.
pub fn letters(marks: &Marks, keywords: &mut Keywords) -> (String, Vec<String>) {
    let mut letters: Vec<char> = [
        (marks.draft, 'D'),
        (marks.flagged, 'F'),
        (marks.answered, 'R'),
        (marks.seen, 'S'),
        (marks.deleted, 'T'),
    ]
    .into_iter()
    .filter_map(|(set, letter)| set.then_some(letter))
    .collect();
    let mut left = Vec::new();
    for name in &marks.keywords {
        let letter =
            if name.eq_ignore_ascii_case(FORWARDED) { Some('P') } else { keywords.letter(name) };
        match letter {
            Some(letter) => letters.push(letter),
            None => left.push(name.clone()),
        }
    }
    letters.sort_unstable();
    (letters.into_iter().collect(), left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (name, unique, flags) in [
            ("1.a.host", "1.a.host", ""),
            ("1.a.host:2,", "1.a.host", ""),
            ("1.a.host,S=5,W=6:2,FS", "1.a.host,S=5,W=6", "FS"),
            ("1:2,x:2,S", "1:2,x", "S"),
            ("1.a.host:1,x", "1.a.host:1,x", ""),
        ] {
            assert_eq!(Name::read(name), Some(Name { unique, flags }));
        }
        for name in ["", ".", ".hidden", ":2,S"] {
            assert_eq!(Name::read(name), None);
        }
    }

    #[test]
    fn letters_come_back() {
        let mut list = Keywords::read("0 $Junk\n2 Blue\nx\n99 y\n3 \n");
        assert_eq!(list.to_text(), "0 $Junk\n2 Blue\n");
        let name = Name { unique: "1", flags: "DFPRSTacXb" };
        let marks = name.marks(&list);
        assert_eq!(marks.keywords, ["$Forwarded", "$Junk", "Blue"]);
        assert!(marks.seen && marks.answered && marks.flagged && marks.deleted && marks.draft);
        assert_eq!(letters(&marks, &mut list), ("DFPRSTac".into(), vec![]));
        let mut list = Keywords::default();
        assert_eq!(letters(&marks, &mut list), ("DFPRSTab".into(), vec![]));
        assert_eq!(Name { unique: "1", flags: "DFPRSTab" }.marks(&list), marks);
    }

    #[test]
    fn there_are_only_so_many_letters() {
        let keywords = (0..28).map(|number| format!("k{number}")).collect();
        let marks = Marks { keywords, ..Marks::default() };
        let (found, left) = letters(&marks, &mut Keywords::default());
        assert_eq!((found.len(), left), (26, vec!["k26".to_owned(), "k27".into()]));
    }
}
