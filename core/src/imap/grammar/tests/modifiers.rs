//! What stands in parentheses with SELECT, FETCH and STORE.

use super::*;
use crate::imap::enabled::Enabled;

#[test]
fn parameters_and_modifiers() {
    let fetch = |line: &str| match read(line) {
        Request::Fetch { modifiers, .. } => modifiers,
        other => panic!("{other:?}"),
    };
    let params = SelectParams { condstore: true, ..SelectParams::default() };
    assert_eq!(
        read("A142 SELECT INBOX (condstore)"),
        Request::Select { mailbox: text("INBOX"), read_only: false, params }
    );
    // RFC 7162 §3.1.4.1, §3.1.3
    let since =
        |modseq| FetchModifiers { changed_since: Some(modseq), ..FetchModifiers::default() };
    assert_eq!(fetch("s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"), since(12_345));
    assert_eq!(fetch("a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775807)"), since(u64::MAX >> 1));
    assert_eq!(fetch("a FETCH 1 ALL (CHANGEDSINCE 0)"), since(0));
    assert_eq!(fetch("a FETCH 1 ALL"), FetchModifiers::default());
    // RFC 9394 §3.4: in either order.
    let both = FetchModifiers {
        changed_since: Some(98_305),
        vanished: false,
        partial: Some(PartialRange { from_end: true, ends: (1, 30) }),
    };
    for modifiers in ["PARTIAL -1:-30 CHANGEDSINCE 98305", "changedsince 98305 partial -1:-30"] {
        assert_eq!(fetch(&format!("101 UID FETCH 25900:26600 (UID FLAGS) ({modifiers})")), both);
    }
    let store = |line: &str| match read(line) {
        Request::Store { unchanged_since, .. } => unchanged_since,
        other => panic!("{other:?}"),
    };
    assert_eq!(store("a STORE * (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Deleted $x)"), Some(0));
    assert_eq!(store("a UID STORE 6,4 (unchangedsince 7) FLAGS \\Seen"), Some(7));
    assert_eq!(store("a STORE 1 FLAGS ()"), None);
    let Request::Store { mode: StoreMode::Replace, silent: false, flags, .. } =
        read("a STORE 1 FLAGS ()")
    else {
        panic!()
    };
    assert!(flags.is_empty());
}

#[test]
fn parameters_and_modifiers_that_are_none() {
    for line in [
        "a SELECT INBOX ()",
        "a SELECT INBOX (CONDSTORE",
        "a SELECT INBOX (CONDSTORE x)",
        "a SELECT INBOX CONDSTORE",
        "a FETCH 1 FLAGS (CHANGEDSINCE)",
        "a FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)",
        "a FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "a FETCH 1 FLAGS (UNCHANGEDSINCE 1)",
        "a FETCH 1 FLAGS (PARTIAL 1:2)",
        "a UID FETCH 1 FLAGS (PARTIAL 1:-2)",
        "a UID FETCH 1 FLAGS (PARTIAL -1:2)",
        "a UID FETCH 1 FLAGS (PARTIAL 0:2)",
        "a UID FETCH 1 FLAGS (PARTIAL 1)",
        "a UID FETCH 1 FLAGS (PARTIAL 1:*)",
        "a UID FETCH 1 FLAGS (PARTIAL 1:2x)",
        "a UID FETCH 1 FLAGS (PARTIAL 1:2 PARTIAL 1:2)",
        "a SEARCH RETURN (PARTIAL) ALL",
        "a SEARCH RETURN (PARTIAL 1:2 ALL) ALL",
        "a SEARCH RETURN (ALL PARTIAL 1:2) ALL",
        "a SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL",
        "a STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS ()",
        "a STORE 1 (CHANGEDSINCE 1) FLAGS ()",
        "a STORE 1 (UNCHANGEDSINCE *) FLAGS ()",
        "a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        "a UID FETCH 1 FLAGS (VANISHED)",
        "a SELECT INBOX (QRESYNC)",
        "a SELECT INBOX (QRESYNC (1))",
        "a SELECT INBOX (QRESYNC (0 1))",
        "a SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))",
        "a SELECT INBOX (QRESYNC (1 1 1:*))",
        "a SELECT INBOX (QRESYNC (1 1 $))",
        "a SELECT INBOX (QRESYNC (1 1 1 (1)))",
        "a SELECT INBOX (QRESYNC (1 1 1 (2,1 1,2)))",
        "a SELECT INBOX (QRESYNC (1 1 1 (1,2 2,2)))",
        "a SELECT INBOX (QRESYNC (1 1 1 (1 *)))",
        "a SELECT INBOX (QRESYNC (1 1 1 (1 1) 1))",
        "a SEARCH MODSEQ",
        "a SEARCH MODSEQ \"/flags/x\" 5",
        "a SEARCH MODSEQ \"/flags/x\" mine 5",
    ] {
        miss(line.as_bytes());
    }
}

/// RFC 7162 §3.2.5, §3.2.6.
#[test]
fn what_a_client_knows_that_comes_back() {
    let read = |line: &str| match read(&format!("a SELECT INBOX (QRESYNC ({line}))")) {
        Request::Select { params: SelectParams { qresync: Some(resync), .. }, .. } => resync,
        other => panic!("{other:?}"),
    };
    let mut expected = Resync {
        uidvalidity: 67_890_007,
        modseq: 90_060_115_194_045_000,
        known: None,
        sample: None,
    };
    assert_eq!(read("67890007 90060115194045000"), expected);
    expected.known = Some(vec![(41, 211), (214, 541)]);
    assert_eq!(read("67890007 90060115194045000 214:300,42:41,43:211,541:290"), expected);
    let numbers = vec![(5_000, 5_000), (9_990, 9_992)];
    let uids = vec![(15_000, 15_000), (29_970, 29_970), (29_973, 29_973), (29_976, 29_976)];
    expected.sample = Some(Sample { numbers, uids });
    let sample = "(5000,9990:9992 15000,29970,29973,29976)";
    assert_eq!(read(&format!("67890007 90060115194045000 41:211,214:541 {sample}")), expected);
    expected.known = None;
    assert_eq!(read(&format!("67890007 90060115194045000 {sample}")), expected);
    let line = "s100 UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)";
    let Request::Fetch { uid: true, modifiers, .. } = super::read(line) else { panic!() };
    let expected = FetchModifiers { changed_since: Some(12_345), vanished: true, partial: None };
    assert_eq!(modifiers, expected);
}

#[test]
fn what_can_be_enabled() {
    for (line, enabled) in [
        ("a ENABLE condstore", Enabled::CONDSTORE),
        ("a ENABLE X-GOOD-IDEA CONDSTORE", Enabled::CONDSTORE),
        ("a ENABLE Qresync CONDSTORE", Enabled::QRESYNC),
        ("a ENABLE IDLE X-Y=Z", Enabled::default()),
    ] {
        assert_eq!(read(line), Request::Enable(enabled), "{line}");
    }
}
