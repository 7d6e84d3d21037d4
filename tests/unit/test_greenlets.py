"""Ctrl-C ends a command whatever greenlet it meets."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import deploy.greenlets
import threading, time

def connection():
    time.sleep(0.1)
    raise KeyboardInterrupt  # as the signal's handler does in the greenlet that runs just then

threading.Thread(target=connection, daemon=True).start()
try:
    time.sleep(20)
except KeyboardInterrupt:
    print("ended")
"""


def test_an_interrupt_that_meets_a_connection_ends_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
