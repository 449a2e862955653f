"""Sessions of Python's smtplib with a server: SMTPPORT SUBMISSIONPORT SUBMISSIONSPORT CA."""

import base64
import email.message
import email.policy
import smtplib
import ssl
import sys

smtp_port, submission_port, submissions_port = (int(word) for word in sys.argv[1:4])
trust = ssl.create_default_context(cafile=sys.argv[4])
USER, FRIEND, PASSWORD = "user@localhost", "friend@localhost", "pillarbox"
DOTS = ".\n..\n.x\n\n.\n"


def connect(port=smtp_port, kind=smtplib.SMTP, **more):
    smtp = kind("localhost", port, local_hostname="client.example", timeout=50, **more)
    smtp.ehlo_or_helo_if_needed()
    return smtp


def replies(smtp, codes):
    got = [smtp.getreply() for _ in codes]
    assert [code for code, _ in got] == codes, got
    return got


def letter(word, body="hello\r\n"):
    return f"From: {USER}\r\nSubject: {word}\r\n\r\n{body}"


def by_sendmail():
    """Both recipients; one of them refused; dots and bare ends of lines are smtplib's to mend."""
    with connect() as smtp:
        assert smtp.has_extn("pipelining") and smtp.has_extn("smtputf8")
        assert not smtp.has_extn("auth"), "no login where other servers come"
        assert smtp.sendmail("ann@client.example", [USER, FRIEND], letter("both")) == {}
        refused = smtp.sendmail("ann@client.example", [USER, "x@elsewhere.example"], letter("one"))
        assert refused["x@elsewhere.example"][0] == 550, refused
        assert smtp.sendmail("", USER, letter("dots", DOTS)) == {}
        assert smtp.verify("user")[0] == 252 and smtp.expn("user")[0] == 252
        assert smtp.help().startswith(b"2.0.0 commands: ")
        try:
            smtp.sendmail("ann@client.example", ["x@elsewhere.example"], letter("none"))
        except smtplib.SMTPRecipientsRefused as refused:
            assert list(refused.recipients) == ["x@elsewhere.example"]
        else:
            raise AssertionError("taken for another server")
        assert smtp.noop()[0] == 250, "the session goes on"


def pipelined():
    """Groups in one write (RFC 2920 §3.1), each answered in one."""
    with connect() as smtp:
        smtp.sock.sendall(
            b"MAIL FROM:<ann@client.example>\r\nRCPT TO:<user@localhost>\r\n"
            b"RCPT TO:<friend@localhost>\r\nRCPT TO:<x@elsewhere.example>\r\nDATA\r\n"
        )
        answer = smtp.sock.recv(65536)
        codes = [line[:3] for line in answer.splitlines()]
        assert codes == [b"250", b"250", b"250", b"550", b"354"], answer
        # The text, and the whole of the next mail behind it.
        smtp.sock.sendall(
            letter("pipelined 1").encode() + b".\r\n"
            b"MAIL FROM:<ann@client.example>\r\nRCPT TO:<friend@localhost>\r\nDATA\r\n"
        )
        answer = smtp.sock.recv(65536)
        codes = [line[:3] for line in answer.splitlines()]
        assert codes == [b"250", b"250", b"250", b"354"], answer
        smtp.sock.sendall(letter("pipelined 2").encode() + b".\r\nNOOP\r\n")
        replies(smtp, [250, 250])
        smtp.sock.sendall(
            b"NOOP\r\nMAIL FROM:<ann@client.example>\r\nRCPT TO:<user@localhost>\r\n"
            b"RCPT TO:<friend@localhost>\r\n"
        )
        answer = smtp.sock.recv(65536)
        assert answer.count(b"\r\n") == 4, answer
        assert smtp.rset()[0] == 250
        # Mistakes in the middle keep the group in step.
        smtp.sock.sendall(b"RCPT TO:<user@localhost>\r\nBLAH\r\nMAIL FROM:<a@b>\r\nRSET\r\nDATA\r\n")
        replies(smtp, [503, 500, 250, 250, 503])


def chunked():
    first = letter("chunked", ".\r\nno stuffing\r\n").encode()
    rest = "grüße, and no end of line".encode()
    with connect() as smtp:
        assert smtp.has_extn("chunking")
        smtp.sock.sendall(
            b"MAIL FROM:<ann@client.example> BODY=8BITMIME\r\nRCPT TO:<user@localhost>\r\n"
            + b"BDAT %d\r\n" % len(first) + first
            + b"BDAT %d LAST\r\n" % len(rest) + rest
            + b"NOOP\r\n"
        )
        replies(smtp, [250, 250, 250, 250, 250])
        # An empty last chunk; and one that belongs to nothing is read over.
        smtp.sock.sendall(
            b"MAIL FROM:<ann@client.example>\r\nRCPT TO:<friend@localhost>\r\n"
            + b"BDAT %d\r\n" % len(first) + first
            + b"BDAT 0 LAST\r\n"
            + b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"
        )
        replies(smtp, [250, 250, 250, 250, 503, 250])


def international():
    message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"] = "Jörg <jörg@localhost>"
    message["To"] = "jörg@localhost"
    message["Subject"] = "grüße ✓"
    message.set_content("früh\n", cte="8bit")
    with connect() as smtp:
        assert smtp.send_message(message) == {}
        # Without the extension said, such an address cannot be used (RFC 6531 §3.2).
        smtp.mail("ann@client.example")
        smtp.sock.sendall("RCPT TO:<jörg@localhost>\r\n".encode())
        replies(smtp, [553])
    with connect(submissions_port, smtplib.SMTP_SSL, context=trust) as smtp:
        # smtplib's own login takes only ASCII.
        plain = base64.b64encode(f"\0jörg@localhost\0{PASSWORD}".encode()).decode()
        assert smtp.docmd("AUTH", f"PLAIN {plain}")[0] == 235
        assert smtp.send_message(message) == {}


def with_login():
    with connect(submission_port) as smtp:
        smtp.starttls(context=trust)
        smtp.ehlo()
        assert not smtp.has_extn("starttls"), "offered again"
        try:
            smtp.login(USER, "wrong")
        except smtplib.SMTPAuthenticationError as refused:
            assert refused.smtp_code == 535
        else:
            raise AssertionError("logged in with a wrong password")
        # smtplib prefers CRAM-MD5 here; LOGIN by hand.
        smtp.user, smtp.password = USER, PASSWORD
        assert smtp.auth("LOGIN", smtp.auth_login)[0] == 235
        assert smtp.sendmail(USER, FRIEND, letter("login 1")) == {}
    for mechanism, first in [
        ("LOGIN", False),
        ("PLAIN", False),
        ("PLAIN", True),
        ("CRAM-MD5", False),
    ]:
        with connect(submissions_port, smtplib.SMTP_SSL, context=trust) as smtp:
            smtp.user, smtp.password = USER, PASSWORD
            auth = getattr(smtp, f"auth_{mechanism.lower().replace('-', '_')}")
            assert smtp.auth(mechanism, auth, initial_response_ok=first)[0] == 235
            assert smtp.sendmail(USER, FRIEND, letter(f"login {mechanism} {first}")) == {}
    with connect(submission_port) as smtp:
        smtp.login(USER, PASSWORD)
        assert smtp.sendmail(USER, FRIEND, letter("login 5")) == {}
    # A cancelled exchange (RFC 4954 §4), then one that succeeds.
    with connect(submission_port) as smtp:
        assert smtp.docmd("AUTH", "PLAIN")[0] == 334
        assert smtp.docmd("*")[0] == 501
        plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        assert smtp.docmd("AUTH", f"PLAIN {plain}")[0] == 235


def large():
    line = "The quick brown fox jumps over the lazy dog again and again.\r\n"
    text = letter("large", line * (10 * 1024 * 1024 // len(line)))
    with connect() as smtp:
        smtp.starttls(context=trust)
        assert smtp.sendmail("ann@client.example", USER, text) == {}
    with connect() as smtp:
        assert smtp.sendmail("ann@client.example", FRIEND, text) == {}
        limit = int(smtp.esmtp_features["size"])
        assert smtp.mail("ann@client.example", [f"SIZE={limit + 1}"])[0] == 552


by_sendmail()
pipelined()
chunked()
international()
with_login()
large()
