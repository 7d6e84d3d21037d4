"""lego, an ACME client (https://go-acme.github.io/lego/), run in a container for as long as it takes.

It runs without privileges on the proxy's network, where the proxy finds it by its name while the ACME server
asks for proof on port 80. Its major version is 4: 5 has another command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Callable

from ..failures import OnhostError
from .settings import Acme

ALIAS = "calcom-acme"
"""Its name for the proxy."""
PORT = 5002
"""Where it answers the ACME server's question (HTTP-01)."""

_LARGEST_FILE = 1 << 20
_PUBLIC_VARIABLES = ("LEGO_SERVER", "LEGO_EMAIL", "LEGO_PATH", "LEGO_EAB", "LEGO_CA_CERTIFICATES")
_SHORTEST_SECRET = 4


def obtain(acme: Acme, *, limit_seconds: float, log: Callable[[str], None]) -> None:
    """Get a new certificate, registering the account where there is none yet; raises OnhostError."""
    _run(acme, ["run"], limit_seconds, log)
    _note(acme)


def renew(acme: Acme, *, limit_seconds: float, log: Callable[[str], None]) -> None:
    """Renew the stored certificate where it is due; raises OnhostError.

    The server's own advice (ARI, RFC 9773) says when, else a third of the lifetime that is left, or half
    where the lifetime is ten days or less. The pause before it is the job's own.
    """
    _run(acme, ["renew", "--dynamic", "--no-random-sleep"], limit_seconds, log)


def stored(acme: Acme, name: str) -> bytes | None:
    """Certificate, chain and key as lego keeps them; None where there is none for what is wanted now."""
    if _noted(acme) != acme.wanted:
        return None
    folder = acme.folder / "certificates"
    parts = [_content(folder / f"{name}{ending}") for ending in (".crt", ".key")]
    return None if None in parts else b"".join(part for part in parts if part)


def has_account(acme: Acme) -> bool:
    """Whether there is an account at an ACME server; lego renews nothing without one."""
    return any(file.stat().st_size for file in acme.folder.glob("accounts/*/*/account.json"))


def command(acme: Acme, verb: list[str]) -> list[str]:
    """What starts the container; no secret stands in it."""
    mounts = ["--volume", f"{acme.folder}:/lego"]
    if acme.authorities is not None:
        mounts += ["--volume", f"{acme.authorities}:/etc/calcom:ro"]
    profile = ["--profile", acme.profile] if acme.profile else []
    return [
        *("docker", "run", "--rm", "--pull", acme.pull, "--name", acme.container),
        *("--network", acme.network, "--network-alias", ALIAS),
        *("--user", f"{acme.user}:{acme.user}", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"),
        *("--memory", "256m", "--pids-limit", "64"),
        *("--env-file", str(acme.environment_file), *mounts),
        *(acme.image, *acme.options, *verb, *profile),
    ]


def _run(acme: Acme, verb: list[str], limit_seconds: float, log: Callable[[str], None]) -> None:
    hide = _hider(acme.environment_file)
    _remove(acme)  # what a run that was killed left
    try:
        done = subprocess.run(
            command(acme, verb),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        _tell(hide((error.stdout or b"").decode("utf-8", "replace")), log)
        raise OnhostError(f"lego did not end within {limit_seconds:.0f} s; see this job's log") from error
    except OSError as error:
        raise OnhostError(f"docker cannot be run: {error.strerror}") from error
    finally:
        _remove(acme)
    said = hide(done.stdout.decode("utf-8", "replace"))
    _tell(said, log)
    if done.returncode != 0:
        raise OnhostError(why(said))


def _remove(acme: Acme) -> None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # then docker run says what is wrong
        command = ["docker", "rm", "--force", acme.container]
        subprocess.run(command, capture_output=True, timeout=60, check=False)


def _tell(said: str, log: Callable[[str], None]) -> None:
    for line in said.splitlines():
        if line.strip():
            log(f"lego: {line.strip()}")


def _hider(environment_file: Path) -> Callable[[str], str]:
    """Makes secrets unreadable: a provider's answer may repeat what it was sent."""
    secrets = []
    for line in environment_file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if not line.startswith("#") and name not in _PUBLIC_VARIABLES and len(value) >= _SHORTEST_SECRET:
            secrets.append(value)

    def hide(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    return hide


# What is wrong, from what lego says


_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", re.MULTILINE)
_PROBLEM = re.compile(r"urn:ietf:params:acme:error:(\w+) :: (.*)", re.DOTALL)
_CHALLENGE_PROBLEMS = ("connection", "dns", "unauthorized", "incorrectResponse", "tls", "caa")
_MEANINGS = {
    "rateLimited": "the CA refuses for now, by its rate limit",
    "badNonce": "the CA kept rejecting our requests as repeated (nonces)",
    "accountDoesNotExist": "the CA does not know our account any more; where that is meant, remove the "
    "folder accounts in /opt/calcom/acme",
    "externalAccountRequired": "the CA wants an external account binding: set tls.acme.eab_key_id and "
    "eab_hmac",
    "rejectedIdentifier": "the CA gives no certificate for this name",
    "invalidProfile": "the CA has no such profile: mend tls.acme.profile",
    "serverInternal": "the CA itself is out of order",
}
_SIGNS = (
    ("no space left on device", "the disk is full"),
    ("requires External Account Binding", _MEANINGS["externalAccountRequired"]),
    ("credentials information are missing", "the DNS provider lacks variables: mend tls.acme.dns_env"),
    ("unrecognized DNS provider", "lego knows no such DNS provider: mend tls.acme.dns_provider"),
    ("Unable to find image", "the image of lego is not on this host and cannot be pulled"),
    ("No such image", "the image of lego is not on this host: deploy again"),
    ("x509:", "the ACME server's own certificate is not trusted: set tls.acme.directory_ca_file"),
    (
        "propagation",
        "the DNS record did not come to be seen; tls.acme.dns_wait_seconds waits without looking",
    ),
    ("get directory at", "the CA cannot be reached"),
)


def why(said: str) -> str:
    """One line on why lego failed, from all that it said."""
    last = _last_words(said)
    problem = _PROBLEM.search(last)
    if problem is not None:
        kind, detail = problem[1], _short(problem[2])
        if kind in _CHALLENGE_PROBLEMS and "authorization" in last:
            return f"the CA could not check that the name is ours ({kind}): {detail}"
        return f"{_MEANINGS.get(kind, f'the CA refuses ({kind})')}: {detail}"
    for sign, meaning in _SIGNS:
        if sign in last:
            return f"{meaning}: {_short(last)}"
    return f"lego failed: {_short(last) or 'without a word'}"


def _last_words(said: str) -> str:
    """The last message that is more than information, with the lines that belong to it."""
    parts = [part.strip() for part in _STAMP.split(said)]
    errors = [part for part in parts if part and not part.startswith(("[INFO]", "[WARN]"))]
    return errors[-1] if errors else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"


# What the stored certificate was made for


def _noted(acme: Acme) -> str | None:
    try:
        return str(json.loads(acme.record.read_text(encoding="utf-8"))["made_for"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(acme: Acme) -> None:
    acme.record.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=acme.record.parent, prefix=f".{acme.record.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"made_for": acme.wanted}, file)
    Path(temporary).replace(acme.record)


def _content(file: Path) -> bytes | None:
    """A plain file's content; links are not followed, since the folder is the container's own."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as source:
        return source.read(_LARGEST_FILE)
