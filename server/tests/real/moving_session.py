"""What Python's `mailbox` makes of mail in files: writes some for us to import, reads what we export."""

import email.message
import hashlib
import json
import mailbox
import os
import resource
import subprocess
import sys


def message(subject, body):
    made = email.message.EmailMessage()
    made["From"] = "ann@client.example"
    made["Subject"] = subject
    made.set_content(body)
    return made


def write(root):
    maildir = mailbox.Maildir(os.path.join(root, "maildir"), create=True)
    sub = maildir.add_folder("Lists.B&APw-cher")
    spam = maildir.add_folder("Spam")
    for number, (folder, flags, seen) in enumerate([
        (maildir, "", False), (maildir, "FRS", True), (maildir, "D", True),
        (sub, "ST", True), (spam, "S", True), (sub, "PS", True),
    ]):
        made = mailbox.MaildirMessage(message(f"maildir {number}", f"body {number}\n"))
        made.set_subdir("cur" if seen else "new")
        made.set_flags(flags)
        made.set_date(1_600_000_000 + number)
        folder.add(made)
    box = mailbox.mbox(os.path.join(root, "box"))
    for number, flags in enumerate(["", "RO", "ROAF", "ODT"]):
        made = mailbox.mboxMessage(message(f"mbox {number}", f"body\nFrom the start {number}\n\nend\n"))
        made.set_flags(flags)
        made.set_from("ann@client.example", (2021, 3, 4, 5, 6, number, 3, 63, 0))
        box.add(made)
    box.flush()


def read(path):
    """Each message: where, how flagged, when, and a digest of its bytes."""
    found = []
    if os.path.isdir(path):
        top = mailbox.Maildir(path, create=False)
        folders = [("", top)] + [(name, top.get_folder(name)) for name in top.list_folders()]
        for name, folder in folders:
            for key, made in folder.iteritems():
                digest = hashlib.sha256(folder.get_bytes(key)).hexdigest()
                found.append([name, made.get_flags(), int(made.get_date()), digest])
    else:
        box = mailbox.mbox(path, create=False)
        for key, made in box.iteritems():
            found.append(["", made.get_flags(), made.get_from(), made["Subject"]])
    print(json.dumps(sorted(found)))


def measure(command):
    """Runs a command; the most memory that it had, in KiB."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


if sys.argv[1] == "write":
    write(sys.argv[2])
elif sys.argv[1] == "read":
    read(sys.argv[2])
else:
    measure(sys.argv[2:])
