"""A session of Python's imaplib with a server: PORT TLSPORT CA SMTPPORT."""

import imaplib
import smtplib
import ssl
import sys
import time

port, tls_port, ca, smtp_port = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
trust = ssl.create_default_context(cafile=ca)


def done(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data


def session(tls):
    if tls:
        imap = imaplib.IMAP4_SSL("localhost", tls_port, ssl_context=trust, timeout=50)
    else:
        imap = imaplib.IMAP4("localhost", port, timeout=50)
        done(imap.starttls(trust))
    done(imap.login("user@localhost", "pillarbox"))
    return imap


def literal(imap, what):
    return done(imap.fetch("1", what))[0][1]


def line_until(imap, word):
    while True:
        line = imap.readline()
        assert line, "the server closed"
        if word in line:
            return line


one, two = session(True), session(False)
names = {line.decode().rsplit(" ", 1)[1].strip('"') for line in done(one.list())}
assert {"INBOX", "Drafts", "Sent", "Archive", "Trash", "Junk"} <= {
    "INBOX" if name.upper() == "INBOX" else name for name in names
}, names

# Append, and fetch by sections and pieces.
head = b"From: ann@client.example\r\nSubject: one\r\nX-Long: a\r\n b\r\n\r\n"
body = b"first line\r\nsecond \xff line\r\n"
when = '"24-Nov-2026 13:34:00 +0100"'
done(one.append("INBOX", r"(\Flagged $Own)", when, head + body))
assert done(one.select("INBOX")) == [b"1"]
assert literal(one, "(BODY.PEEK[])") == head + body
assert literal(one, "(BODY.PEEK[HEADER])") == head
assert literal(one, "(BODY.PEEK[TEXT])") == body
assert literal(one, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])") == b"Subject: one\r\n\r\n"
assert literal(one, "(BODY.PEEK[HEADER.FIELDS.NOT (From SUBJECT)])") == b"X-Long: a\r\n b\r\n\r\n"
assert literal(one, "(BODY.PEEK[]<6.3>)") == (head + body)[6:9]
assert literal(one, "(BODY.PEEK[TEXT]<%d.100>)" % (len(body) - 2)) == b"\r\n"
facts = done(one.fetch("1", "(UID FLAGS RFC822.SIZE INTERNALDATE)"))[0]
assert b"RFC822.SIZE %d" % len(head + body) in facts, facts
assert set(imaplib.ParseFlags(facts)) >= {rb"\Flagged", b"$Own"}, facts
assert rb"\Seen" not in facts, "PEEK sets no flag"
assert imaplib.Internaldate2tuple(facts) == time.localtime(1795523640), facts
literal(one, "(BODY[TEXT])")
assert rb"\Seen" in done(one.fetch("1", "(FLAGS)"))[0]

# Flags: set, added, removed; the other session is told.
assert done(two.select("INBOX")) == [b"1"]
done(one.store("1", "FLAGS", r"(\Answered)"))
done(one.store("1", "+FLAGS", r"(\Draft Own2)"))
done(one.store("1", "-FLAGS", r"(\Answered)"))
done(two.noop())
told = b" ".join(two.response("FETCH")[1])
assert set(imaplib.ParseFlags(told)) - {rb"\Recent"} == {rb"\Draft", b"Own2"}, told
assert done(one.search(None, "DRAFT", "KEYWORD", "Own2")) == [b"1"]
assert done(one.search(None, "ANSWERED")) == [b""]

# IDLE by hand: mail that comes in meanwhile is told at once.
two.send(b"i1 IDLE\r\n")
assert two.readline().startswith(b"+")
with smtplib.SMTP("localhost", smtp_port, timeout=50) as smtp:
    smtp.sendmail("ann@client.example", ["user@localhost"], "Subject: two\r\n\r\ntwo\r\n")
assert line_until(two, b"EXISTS") == b"* 2 EXISTS\r\n"
one.append("INBOX", "", None, b"Subject: three\r\n\r\nthree\r\n")
assert line_until(two, b"EXISTS") == b"* 3 EXISTS\r\n"
done(one.uid("STORE", "2", "+FLAGS", r"(\Deleted)"))
assert rb"\Deleted" in line_until(two, b"* 2 FETCH")
done(one.expunge())
assert line_until(two, b"EXPUNGE") == b"* 2 EXPUNGE\r\n"
two.send(b"DONE\r\n")
assert line_until(two, b"i1 ").startswith(b"i1 OK")

# Expunge under another session's feet: numbers stay until it is told, and no other message is
# ever taken for the one that has gone.
done(one.store("1", "+FLAGS", r"(\Deleted)"))
assert done(one.expunge()) == [b"1"]
assert done(one.search(None, "ALL")) == [b"1"]
kind, data = two.fetch("2", "(BODY.PEEK[TEXT])")
assert kind == "OK" and data[0][1] == b"three\r\n", (kind, data)
done(two.noop())
assert two.response("EXPUNGE")[1] == [b"1"]
assert literal(two, "(BODY.PEEK[TEXT])") == b"three\r\n"
assert done(two.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)"))[0].split(b" ", 1)[1] == (
    b"(MESSAGES 1 UIDNEXT 4 UNSEEN 1)"
)

# CLOSE expunges in silence.
done(two.store("1", "+FLAGS", r"(\Deleted)"))
done(two.close())
done(one.noop())
assert one.response("EXISTS")[1][-1] == b"0" or one.response("EXPUNGE")[1] == [b"1"]

for imap in (one, two):
    assert imap.logout()[0] == "BYE"

# The mechanisms beside the command LOGIN.
for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
    imap = imaplib.IMAP4_SSL("localhost", tls_port, ssl_context=trust, timeout=50)
    answers = {
        "PLAIN": [b"\0user@localhost\0pillarbox"],
        "LOGIN": [b"user@localhost", b"pillarbox"],
    }
    if mechanism in answers:
        done(imap.authenticate(mechanism, lambda _: answers[mechanism].pop(0)))
    else:
        done(imap.login_cram_md5("user@localhost", "pillarbox"))
    assert imap.logout()[0] == "BYE"
