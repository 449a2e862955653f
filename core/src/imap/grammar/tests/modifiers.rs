//! What stands in parentheses with SELECT, FETCH and STORE.

use super::*;
use crate::imap::enabled::Enabled;

#[test]
fn parameters_and_modifiers() {
    let fetch = |line: &str| match read(line) {
        Request::Fetch { modifiers, .. } => modifiers,
        other => panic!("{other:?}"),
    };
    let store = |line: &str| match read(line) {
        Request::Store { unchanged_since, .. } => unchanged_since,
        other => panic!("{other:?}"),
    };
    let params = SelectParams { condstore: true };
    assert_eq!(
        read("A142 SELECT INBOX (condstore)"),
        Request::Select { mailbox: text("INBOX"), read_only: false, params }
    );
    // RFC 7162 §3.1.4.1, §3.1.3
    let since = |modseq| FetchModifiers { changed_since: Some(modseq) };
    assert_eq!(fetch("s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"), since(12_345));
    assert_eq!(fetch("a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775807)"), since(u64::MAX >> 1));
    assert_eq!(fetch("a FETCH 1 ALL (CHANGEDSINCE 0)"), since(0));
    assert_eq!(fetch("a FETCH 1 ALL"), FetchModifiers::default());
    assert_eq!(store("a STORE * (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Deleted $x)"), Some(0));
    assert_eq!(store("a UID STORE 6,4 (unchangedsince 7) FLAGS \\Seen"), Some(7));
    assert_eq!(store("a STORE 1 FLAGS ()"), None);
    let Request::Store { mode: StoreMode::Replace, silent: false, flags, .. } =
        read("a STORE 1 FLAGS ()")
    else {
        panic!()
    };
    assert!(flags.is_empty());
    for line in [
        "a SELECT INBOX ()",
        "a SELECT INBOX (CONDSTORE",
        "a SELECT INBOX (CONDSTORE x)",
        "a SELECT INBOX CONDSTORE",
        "a FETCH 1 FLAGS (CHANGEDSINCE)",
        "a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        "a FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "a FETCH 1 FLAGS (UNCHANGEDSINCE 1)",
        "a STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS ()",
        "a STORE 1 (CHANGEDSINCE 1) FLAGS ()",
        "a STORE 1 (UNCHANGEDSINCE *) FLAGS ()",
        "a SEARCH MODSEQ",
        "a SEARCH MODSEQ \"/flags/x\" 5",
        "a SEARCH MODSEQ \"/flags/x\" mine 5",
    ] {
        miss(line.as_bytes());
    }
}

#[test]
fn what_can_be_enabled() {
    for (line, enabled) in [
        ("a ENABLE condstore", Enabled::CONDSTORE),
        ("a ENABLE X-GOOD-IDEA CONDSTORE", Enabled::CONDSTORE),
        ("a ENABLE IDLE X-Y=Z", Enabled::default()),
    ] {
        assert_eq!(read(line), Request::Enable(enabled), "{line}");
    }
}
