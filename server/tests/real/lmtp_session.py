"""A session of Python's smtplib.LMTP with a server: PORT CA. `friend` has no room for 2,000 bytes."""

import smtplib
import ssl
import sys

port, ca = int(sys.argv[1]), sys.argv[2]
user, friend = "user@localhost", "friend@localhost"


def letter(subject, size=0):
    return f"Subject: {subject}\r\n\r\n.{'x' * size}\r\n"


def hand_over(lmtp, subject, recipients, size=0):
    """The code of each recipient: smtplib itself reads the first reply only."""
    assert lmtp.mail("ann@client.example")[0] == 250
    taken = [to for to in recipients if lmtp.rcpt(to)[0] == 250]
    codes = [lmtp.data(letter(subject, size))[0]]
    codes += [lmtp.getreply()[0] for _ in taken[1:]]
    return codes


with smtplib.LMTP("localhost", port, timeout=50) as lmtp:
    assert lmtp.ehlo("relay.example")[0] == 250
    for name in ["pipelining", "enhancedstatuscodes", "size", "8bitmime", "chunking"]:
        assert lmtp.has_extn(name), name
    assert lmtp.helo("relay.example")[0] == 500
    assert hand_over(lmtp, "both", [user, "bob@elsewhere.example", friend]) == [250, 250]
    assert hand_over(lmtp, "large", [friend, user], 2_000) == [452, 250]
    assert hand_over(lmtp, "too large", [friend], 2_000) == [452]
    assert lmtp.sendmail("ann@client.example", [user], letter("alone")) == {}

with smtplib.LMTP("localhost", port, timeout=50) as lmtp:
    lmtp.starttls(context=ssl.create_default_context(cafile=ca))
    assert lmtp.sendmail("ann@client.example", [user], letter("under TLS")) == {}
