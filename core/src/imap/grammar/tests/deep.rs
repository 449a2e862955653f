//! What is nested too deep is an error at the limit, and costs no stack.

use super::*;

/// The keys of a search that nest this deep: as a line, and whether it is one.
fn nests(open: &str, close: &str, depth: usize) -> bool {
    let keys = format!("{}ALL{}", open.repeat(depth), close.repeat(depth));
    let mut taken = Vec::new();
    for before in [
        "a SEARCH ",
        "a UID SEARCH ",
        "a SEARCH RETURN (COUNT) CHARSET UTF-8 ",
        "a SORT (DATE) UTF-8 ",
        "a THREAD REFERENCES UTF-8 ",
    ] {
        match command(format!("{before}{keys}").as_bytes()) {
            Ok(_) => taken.push(true),
            Err(At { offset, expected }) => {
                assert_eq!(expected, "at most 32 nested search keys", "{before}{open}");
                // It is refused where it becomes too deep, without a look at what follows.
                assert!(offset <= before.len() + 32 * (open.len() + close.len() + 4));
                taken.push(false);
            }
        }
    }
    assert!(taken.windows(2).all(|two| two[0] == two[1]), "{open} {depth}");
    taken[0]
}

#[test]
fn keys_nest_as_deep_as_they_may_and_no_deeper() {
    for (open, close, deepens) in [
        ("(", ")", 1),
        ("NOT ", "", 1),
        ("OR ALL ", "", 1),
        ("OR ", " ALL", 1),
        ("(ALL ", ")", 1),
        ("NOT (", ")", 2),
        ("OR (ALL ", ") SEEN", 2),
    ] {
        let limit = (DEPTH_MAX - 1) / deepens;
        assert!(nests(open, close, 1), "{open}");
        assert!(nests(open, close, limit), "{open}");
        for depth in [limit + 1, 1_000, 100_000] {
            assert!(!nests(open, close, depth), "{open} {depth}");
        }
    }
}

#[test]
fn keys_are_counted_wherever_they_stand() {
    for (before, each, after, extra) in [
        ("", "ALL", "", 0),
        ("(", "ALL", ")", 1),
        ("NOT (NOT (", "ALL", "))", 4),
        ("ALL (ALL) (", "ALL", ")", 4),
        ("", "1:*", "", 0),
    ] {
        let line = |count: usize| {
            let keys = vec![each; count].join(" ");
            format!("a SEARCH {before}{keys}{after}")
        };
        let limit = KEYS_MAX - extra;
        assert!(command(line(limit).as_bytes()).is_ok(), "{before}{each}");
        let At { expected, .. } = command(line(limit + 1).as_bytes()).unwrap_err();
        assert_eq!(expected, "at most 1024 search keys", "{before}{each}");
    }
}

/// What takes no parentheses within parentheses refuses the second one.
#[test]
fn parentheses_where_none_may_stand() {
    for before in [
        "a FETCH 1 ",
        "a FETCH 1 BODY[HEADER.FIELDS ",
        "a STORE 1 FLAGS ",
        "a STORE 1 (UNCHANGEDSINCE 1) FLAGS ",
        "a LIST \"\" ",
        "a LIST ",
        "a STATUS INBOX ",
        "a SELECT INBOX ",
        "a APPEND INBOX ",
        "a SEARCH RETURN ",
        "a SORT ",
        "a ID ",
        "a CREATE x ",
    ] {
        for count in [2, 100_000] {
            let line = format!("{before}{}", "(".repeat(count));
            let At { offset, .. } = command(line.as_bytes()).unwrap_err();
            assert!(offset <= before.len() + 2, "{before}");
        }
    }
}
