"""The certificate that a host gets by itself: there, and served."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.errors import CalstackError
from deploy.operations.action import Action
from deploy.remote import Remote
from deploy.settings.layout import ONHOST

_WAIT_SECONDS = 960
"""For a run of the job that is under way; the job itself ends lego after 900."""


@operation()
def as_wanted(mode: str) -> Generator[Action, None, None]:
    """In `tls.mode: acme`, make the proxy serve a certificate for what the settings say.

    The host's own job renews it later; here it runs only where there is none, or one for something else. The
    failure is the job's own line.
    """
    if mode != "acme":
        host.noop("the certificate comes with the files")
        return
    state: dict[str, Any] = json.loads(Remote.of(host).run(f"{ONHOST} certificate").text)
    if state["as_wanted"]:
        host.noop("the certificate is there")
    else:
        yield Action(_run_job)


def _run_job(remote: Remote) -> None:
    done = remote.run(
        f"{ONHOST} job certificate --wait {_WAIT_SECONDS}", timeout=2 * _WAIT_SECONDS, check=False
    )
    if done.code != 0:
        raise CalstackError(
            done.error_text.removeprefix("job certificate failed: "),
            fix="see docs/certificates.md; lego's words are in /var/log/calcom/certificate.log on the host",
        )
