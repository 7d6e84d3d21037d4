"""The running HAProxy of an instance, asked over its runtime socket."""

from __future__ import annotations

import json
from collections.abc import Sequence

from deploy.remote import Remote
from deploy.settings.layout import ONHOST


def ask_proxy(remote: Remote, commands: Sequence[str]) -> list[str]:
    """What HAProxy answers to each command, in their order; nothing of them is seen in a process list.

    Raises `CalstackError` where the proxy does not run; what HAProxy thinks of a command is its answer.
    """
    asked = json.dumps(list(commands)).encode()
    answers: list[str] = json.loads(remote.run(f"{ONHOST} proxy", stdin=asked).text)
    return answers
