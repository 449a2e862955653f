"""A session of IMAPClient with a server: PORT TLSPORT CA."""

import datetime
import ssl
import sys

from imapclient import IMAPClient

port, tls_port, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
trust = ssl.create_default_context(cafile=ca)

def enter(tls):
    if tls:
        client = IMAPClient("localhost", tls_port, ssl_context=trust, timeout=50)
    else:
        client = IMAPClient("localhost", port, ssl=False, timeout=50)
        client.starttls(trust)
    client.login("user@localhost", "pillarbox")
    return client

def text(word):
    return f"From: Ann <ann@client.example>\r\nSubject: {word}\r\n\r\nid {word}\r\n".encode()

one, two = enter(True), enter(False)
assert one.namespace()[0] == (("", "/"),), one.namespace()
one.id_({"name": "test"})
name = "Gr\u00fc\u00dfe & mehr/\u65e5\u672c"
one.create_folder(name)
one.subscribe_folder(name)
assert name in [found for _, _, found in one.list_folders()]
assert one.find_special_folder(rb"\Sent") == "Sent"

# Append, select, fetch.
when = datetime.datetime(2026, 11, 24, 12, 34, 0, tzinfo=datetime.timezone.utc)
one.append("INBOX", text("one"), [rb"\Flagged", b"$Own"], when)
one.append("INBOX", text("two"))
one.append("INBOX", text("three"))
box = one.select_folder("INBOX")
assert (box[b"EXISTS"], box[b"UIDNEXT"], box[b"READ-WRITE"]) == (3, 4, True), box
uids = one.search()
assert uids == [1, 2, 3]
found = one.fetch(uids, ["FLAGS", "RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODY.PEEK[]"])
assert [found[uid][b"BODY[]"] for uid in uids] == [text(w) for w in ("one", "two", "three")]
assert found[1][b"ENVELOPE"].subject == b"one"
assert found[1][b"ENVELOPE"].from_[0].mailbox == b"ann"
assert {rb"\Flagged", b"$Own"} <= set(found[1][b"FLAGS"]) and rb"\Seen" not in found[1][b"FLAGS"]
assert found[1][b"INTERNALDATE"].timestamp() == when.timestamp()
structure = one.fetch(1, ["BODYSTRUCTURE"])[1][b"BODYSTRUCTURE"]
assert not structure.is_multipart and structure[:2] == (b"text", b"plain"), structure

# Search, flags, and what the other one is told.
assert one.search(["SUBJECT", "two"]) == [2]
assert one.search(["KEYWORD", "$Own", "SINCE", datetime.date(2026, 11, 24)]) == [1]
assert two.select_folder("INBOX")[b"EXISTS"] == 3
one.add_flags(2, [rb"\Seen"])
assert rb"\Seen" in one.get_flags(2)[2]
assert any(kind == b"FETCH" and number == 2 for number, kind, *_ in two.noop()[1])
two.idle()
one.delete_messages(3)
one.expunge(3)
told = []
while (3, b"EXPUNGE") not in told:
    more = two.idle_check(timeout=50)
    assert more, "nothing comes"
    told += [tuple(what) for what in more if len(what) == 2]
two.idle_done()

# Copy and move, and the way back.
one.copy(1, name)
one.move(2, name)
assert one.search() == [1]
one.select_folder(name, readonly=True)
assert [one.fetch(uid, "BODY[]")[uid][b"BODY[]"] for uid in one.search()] == [text("one"), text("two")]
assert one.folder_status(name, ["MESSAGES", "UNSEEN"]) == {b"MESSAGES": 2, b"UNSEEN": 1}
one.unselect_folder()
one.rename_folder(name, "Plain")
one.delete_folder("Plain")
assert not one.folder_exists("Plain")
for client in (one, two):
    client.logout()
