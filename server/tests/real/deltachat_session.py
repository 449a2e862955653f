"""Two people with Delta Chat: ACCOUNTS IMAPPORT SMTPPORT SECURITY CA.

They are introduced to each other, and write. What lies on the server meanwhile is encrypted."""

import email
import imaplib
import ssl
import sys
import time
from pathlib import Path

from deltachat_rpc_client import DeltaChat, EventType, Rpc

folder, imap_port, smtp_port, security, ca = sys.argv[1:]
PASSWORD = "pillarbox"


def join(chats, name):
    account = chats.add_account()
    address = f"{name}@localhost"
    account.add_or_update_transport(
        {
            "addr": address,
            "password": PASSWORD,
            "imapServer": "localhost",
            "imapPort": int(imap_port),
            "imapSecurity": security,
            "imapUser": address,
            "smtpServer": "localhost",
            "smtpPort": int(smtp_port),
            "smtpSecurity": security,
            "smtpUser": address,
            # It has its own list of authorities, and no way to add one.
            "certificateChecks": "acceptInvalidCertificates",
        }
    )
    account.bring_online()
    return account


def stored(name):
    """What lies in somebody's INBOX."""
    context = ssl.create_default_context(cafile=ca)
    if security == "starttls":
        imap = imaplib.IMAP4("localhost", int(imap_port), timeout=50)
        imap.starttls(context)
    else:
        context.set_alpn_protocols(["imap"])
        imap = imaplib.IMAP4_SSL("localhost", int(imap_port), ssl_context=context, timeout=50)
    with imap:
        imap.login(name, PASSWORD)
        if imap.select("INBOX", readonly=True)[1] == [b"0"]:
            return []
        answer = imap.fetch("1:*", "(BODY.PEEK[])")[1]
        return [part[1] for part in answer if isinstance(part, tuple)]


def arrived(name):
    """The same, once something has come: what is submitted goes by way of the queue."""
    until = time.monotonic() + 20
    while not (letters := stored(name)) and time.monotonic() < until:
        time.sleep(0.05)
    return letters


def is_encrypted(text):
    message = email.message_from_bytes(text)
    kinds = [part.get_content_type() for part in message.walk()]
    return (
        message["Subject"] == "[...]"
        and message.get_param("protocol") == "application/pgp-encrypted"
        and kinds
        == ["multipart/encrypted", "application/pgp-encrypted", "application/octet-stream"]
        and b"-----BEGIN PGP MESSAGE-----" in text
    )


core = Path(sys.executable).with_name("deltachat-rpc-server")
with Rpc(accounts_dir=folder, rpc_server_path=core) as rpc:
    chats = DeltaChat(rpc)
    user, friend = join(chats, "user"), join(chats, "friend")

    # By the code that one shows, and the other scans: their keys go to and fro by mail.
    friend.secure_join(user.get_qr_code())
    user.wait_for_securejoin_inviter_success()
    friend.wait_for_securejoin_joiner_success()
    chat = user.create_contact(friend).create_chat()

    # To somebody who is away; nobody takes the letter from the server.
    friend.stop_io()
    sent = chat.send_text("good morning, friend")
    while user.wait_for_event(EventType.MSG_DELIVERED).msg_id != sent.id:
        pass
    letters = arrived("friend")
    assert letters and all(is_encrypted(text) for text in letters), letters
    assert not any(b"morning" in text for text in letters), letters
    friend.start_io()
    came = friend.wait_for_incoming_msg().get_snapshot()
    assert (came.text, came.show_padlock) == ("good morning, friend", True), came

    # And back, to somebody who waits for it.
    came.chat.accept()
    came.chat.send_text("good evening, user")
    came = user.wait_for_incoming_msg().get_snapshot()
    assert (came.text, came.show_padlock) == ("good evening, user", True), came
