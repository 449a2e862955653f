"""Runs a command on a terminal of its own: LINES are typed, one at each prompt (`: `), if any.

Prints what the terminal shows, and exits as the command does."""

import os
import pty
import sys

lines = sys.argv[1].split(",") if sys.argv[1] else []
command = sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown = b""
since_typed = b""
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:
        piece = b""
    if not piece:
        break
    shown += piece
    since_typed += piece
    if lines and since_typed.endswith(b": "):
        os.write(terminal, lines.pop(0).encode() + b"\n")
        since_typed = b""
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
