"""Mail in the lab: each host has a mail server of its own that keeps what it is given, and can be read.

It stands at an address of the host that nobody else can have (RFC 5737 §3), so that `smtp.host` of a lab
inventory can name it before the host is there, and it goes with the host. A fresh server has no Python:
systemd starts the sink as soon as the deploy has installed one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.lab import inside
from deploy.remote import Remote
from deploy.smoke.mails import Mail

if TYPE_CHECKING:
    from docker.models.containers import Container

ADDRESS = "192.0.2.25"
"""`smtp.host` of a lab inventory."""
PORT = 25
"""`smtp.port` of a lab inventory."""
FOLDER = "/run/calstack-lab-mail"
"""Where the mails lie on the host, as `mail_sink` writes them; gone when the host restarts."""

_PROGRAM = "opt/calstack-lab/mail_sink.py"
_WATCH = "calstack-lab-mail.path"
_WATCH_UNIT = """\
[Unit]
Description=Starts the lab's mail server once there is a Python
[Path]
PathExists=/usr/bin/python3
[Install]
WantedBy=multi-user.target
"""
# Restarted for ever: while the deploy unpacks Python it is there, but does not run yet.
_SERVICE_UNIT = f"""\
[Unit]
Description=The lab's mail server, which keeps everything
StartLimitIntervalSec=0
[Service]
ExecStartPre=/sbin/ip address replace {ADDRESS}/32 dev lo
ExecStart=/usr/bin/python3 /{_PROGRAM} {ADDRESS} {PORT} {FOLDER}
RuntimeDirectory=calstack-lab-mail
Restart=on-failure
RestartSec=1
"""


def files() -> Mapping[str, str]:
    """What a lab host gets for it: path below / to text."""
    return {
        _PROGRAM: Path(__file__).with_name("mail_sink.py").read_text(encoding="utf-8"),
        f"etc/systemd/system/{_WATCH}": _WATCH_UNIT,
        "etc/systemd/system/calstack-lab-mail.service": _SERVICE_UNIT,
    }


def is_watched_for(container: Container) -> bool:
    """Whether the running host starts its mail server when it can."""
    return inside.run(container, "systemctl", "is-active", "--quiet", _WATCH).exit_code == 0


def switch_on(container: Container) -> None:
    """Let the running host, which has the files, start its mail server, now and after restarts."""
    inside.run(container, "systemctl", "daemon-reload")
    inside.run(container, "systemctl", "enable", "--now", "--quiet", _WATCH)


class Mailbox:
    """The mails that arrived at a lab host since this was made; calling it reads them."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._file = f"{FOLDER}/mails.jsonl"
        self._skipped = int(self._remote.run(f"stat -c %s {self._file} 2>/dev/null || echo 0").text)

    def __call__(self) -> list[Mail]:
        """All of them, oldest first."""
        lines = self._remote.run(f"tail -c +{self._skipped + 1} {self._file} 2>/dev/null || true").text
        return [_mail(line) for line in lines.splitlines()]


def _mail(line: str) -> Mail:
    kept = json.loads(line)
    return Mail(tuple(kept["recipients"]), base64.b64decode(kept["content_base64"]))
