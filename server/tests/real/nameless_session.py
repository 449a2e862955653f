"""Python's clients without the name of the server in the handshake: IMAPPORT IMAPSPORT
SUBMISSIONPORT SUBMISSIONSPORT HTTPSPORT CA."""

import http.client
import imaplib
import smtplib
import ssl
import sys
import time

imap_port, imaps_port, submission_port, submissions_port, https_port = map(int, sys.argv[1:6])
USER, FRIEND, PASSWORD = "user@localhost", "friend@localhost", "pillarbox"


class Nameless(ssl.SSLContext):
    def wrap_socket(self, sock, server_hostname=None, **more):
        return super().wrap_socket(sock, **more)


def context(*protocols):
    made = Nameless(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(sys.argv[6])
    if protocols:
        made.set_alpn_protocols(protocols)
    return made


def submit(smtp):
    with smtp:
        smtp.login(USER, PASSWORD)
        assert smtp.sendmail(USER, FRIEND, f"From: {USER}\r\nSubject: nameless\r\n\r\n.\r\n") == {}


def count(imap, least=0):
    """How many there are, once there are as many: what is submitted goes by way of the queue."""
    until = time.monotonic() + 20
    with imap:
        imap.login(FRIEND, PASSWORD)
        while True:
            kind, data = imap.select("INBOX", readonly=True)
            assert kind == "OK", data
            if int(data[0]) >= least or time.monotonic() > until:
                return int(data[0])
            time.sleep(0.05)


smtp = smtplib.SMTP("localhost", submission_port, timeout=50)
smtp.starttls(context=context())
submit(smtp)
submit(smtplib.SMTP_SSL("localhost", submissions_port, context=context(), timeout=50))
submit(smtplib.SMTP_SSL("localhost", https_port, context=context("smtp"), timeout=50))

imap = imaplib.IMAP4("localhost", imap_port, timeout=50)
imap.starttls(context())
assert count(imap, least=3) == 3
assert count(imaplib.IMAP4_SSL("localhost", imaps_port, ssl_context=context(), timeout=50)) == 3
one = imaplib.IMAP4_SSL("localhost", https_port, ssl_context=context("imap"), timeout=50)
assert count(one) == 3

web = http.client.HTTPSConnection("localhost", https_port, context=context(), timeout=50)
web.request("GET", "/healthz")
assert web.getresponse().status == 200
