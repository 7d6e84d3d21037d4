"""restic, the program that keeps the backups: one repository, every call bounded, every exit code heeded.

Exit codes: restic's manual, "Scripting"; 10 to 12 exist since 0.17.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Mapping, Sequence

from .. import programs
from ..failures import OnhostError
from . import sftp

OLDEST_VERSION = (0, 17)
"""Older ones take a dump that failed for a good one (restic's change log, 0.17, `--stdin-from-command`)."""

_INCOMPLETE, _NO_REPOSITORY, _LOCKED, _WRONG_PASSWORD = 3, 10, 11, 12
QUICK_SECONDS = 120.0
"""For calls that read an index at most."""
_LOCK_SECONDS = 300.0
"""How long a call waits for another program's lock, but no longer than a quarter of its own limit."""

_CAUSES = (
    ("full", r"no space left|\bquota\b|quotaexceeded|insufficient storage|\b507\b|minimum free drive"),
    ("read-only", r"read-only file system|method not allowed|\b405\b"),
    (
        "refused",
        r"permission denied|access ?denied|access key id|signature we calculated|\b40[13]\b|unauthorized"
        r"|forbidden|host key verification failed|certificate signed by unknown authority|tls: ",
    ),
    ("missing", r"bucket does not exist|no such bucket"),
    ("unreachable", r"connection refused|no such host|no route to host|i/o timeout|network is unreachable"),
    (
        "damaged",
        r"ciphertext verification failed|no such file or directory|not found in (repository|index)"
        r"|data seems to have been removed|does not exist|invalid data|integrity|unexpected eof|hash mismatch"
        r"|contains? (wrong|errors?)|pack .*missing|failed to load (index|snapshot)|file is too short",
    ),
)
"""What restic's own words say about the cause; the first that fits counts."""


class RepositoryError(OnhostError):
    """A repository did not do what it was asked; `cause` is one short word for programs.

    `missing`, `locked`, `wrong password`, `full`, `read-only`, `append-only`, `refused`, `unreachable`,
    `damaged`, `hung`, or `failed` where restic's words fit none of these.
    """

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Repository:
    """Where backups lie, and what opens it."""

    name: str
    """What the settings call it."""
    url: str
    """As restic takes it: a path, `sftp:…`, `s3:…`, `rest:…`."""
    password: str = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Credentials of the storage, as restic reads them, e.g. AWS_ACCESS_KEY_ID."""
    options: Sequence[str] = ()
    """restic's `-o` options, e.g. `sftp.args=-i /opt/calcom/backup/id_ed25519`."""
    append_only: bool = False
    """Whether the storage lets us delete nothing, so that someone else applies the retention."""
    upload_kib: int | None = None
    """Most that is sent, in KiB a second."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a repository, as restic lists it."""

    id: str
    time: datetime
    tags: tuple[str, ...]
    hostname: str
    bytes: int | None = None
    """What it holds, before deduplication; None where an older restic made it."""

    def tag(self, key: str) -> str | None:
        """The value of the tag `KEY=VALUE`; None without such a tag."""
        return next((tag[len(key) + 1 :] for tag in self.tags if tag.startswith(f"{key}=")), None)


@dataclass(frozen=True)
class Stored:
    """What one `backup` put into the repository."""

    snapshot: str
    """Its id, whole."""
    bytes_read: int
    bytes_added: int
    """After deduplication, as stored."""


class Restic:
    """restic at one repository. Every method raises RepositoryError, with the cause in one word."""

    def __init__(
        self,
        repository: Repository,
        *,
        hostname: str,
        binary: str = "/usr/local/bin/restic",
        cache: str | None = "/var/cache/calcom/restic",
    ) -> None:
        """`cache` None reads everything from the repository itself, as a proof has to."""
        self.repository = repository
        self._hostname = hostname
        self._binary = binary
        self._environment = {
            # The environment of a process is readable for its own user alone; arguments are for everybody.
            **repository.environment,
            "RESTIC_REPOSITORY": repository.url,
            "RESTIC_PASSWORD": repository.password,
            **({"RESTIC_CACHE_DIR": cache} if cache else {}),
            "RESTIC_PROGRESS_FPS": "0.016666",
        }
        self._common = [item for option in repository.options for item in ("-o", option)]
        if cache is None:
            self._common.append("--no-cache")
        if repository.upload_kib is not None:
            self._common += ["--limit-upload", str(repository.upload_kib)]

    def check_version(self) -> None:
        """Raise OnhostError where the binary is too old to notice a dump that failed."""
        said = programs.run([self._binary, "version"], limit_seconds=QUICK_SECONDS).output.decode()
        found = re.match(r"restic (\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_VERSION:
            raise OnhostError(
                f"{self._binary} is {said.strip() or 'no restic'}; 0.17 or newer is needed, older ones take "
                "a dump that failed for a good one"
            )

    def exists(self) -> bool:
        """Whether there is a repository that our password opens; an empty place is False, all else raises."""
        try:
            self._call(["cat", "config", "--no-lock"])
        except RepositoryError as error:
            if error.cause == "missing":
                return False
            raise
        return True

    def create(self) -> None:
        """Make a new repository; one that is there already is refused, whatever its password."""
        self._call(["init"])

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """The snapshots that carry all of these tags, oldest first."""
        arguments = ["snapshots", "--json", "--no-lock"]
        arguments += ["--tag", ",".join(tags)] if tags else []
        found = [
            Snapshot(
                id=said["id"],
                time=_instant(said["time"]),
                tags=tuple(said.get("tags") or ()),
                hostname=said.get("hostname", ""),
                bytes=said.get("summary", {}).get("total_bytes_processed"),
            )
            for said in json.loads(self._call(arguments).output or b"[]") or []
        ]
        return sorted(found, key=lambda snapshot: snapshot.time)

    def store_output(
        self, command: Sequence[str], name: str, tags: Sequence[str], *, limit_seconds: float
    ) -> Stored:
        """Run a command, without a shell, and keep what it writes as the one file NAME of a new snapshot.

        A command that fails, or that ends well and writes nothing, leaves no snapshot.
        """
        arguments = ["backup", "--json", "--stdin-filename", name, *self._identity(tags)]
        return self._backup(
            [*arguments, "--stdin-from-command", "--", *command], name, limit_seconds=limit_seconds
        )

    def store(self, content: bytes, name: str, tags: Sequence[str], *, limit_seconds: float) -> Stored:
        """Keep these bytes as the one file NAME of a new snapshot."""
        arguments = ["backup", "--json", "--stdin", "--stdin-filename", name, *self._identity(tags)]
        return self._backup(arguments, name, source=content, limit_seconds=limit_seconds)

    def store_folder(self, folder: Path, tags: Sequence[str], *, limit_seconds: float) -> Stored:
        """Keep what lies in a folder as a new snapshot; nothing in it may change meanwhile."""
        arguments = ["backup", "--json", "--no-scan", "--ignore-ctime", *self._identity(tags), "."]
        return self._backup(arguments, str(folder), limit_seconds=limit_seconds, within=folder)

    def restore_folder(self, snapshot: str, target: Path, *, limit_seconds: float) -> None:
        """Write all that a snapshot holds into a folder, with owners and modes."""
        self._call(["restore", "--no-lock", snapshot, "--target", str(target)], limit_seconds=limit_seconds)

    def read(self, snapshot: str, name: str, *, limit_seconds: float) -> bytes:
        """The bytes of a small file in a snapshot; every blob of it is verified by restic on the way."""
        arguments = ["dump", "--no-lock", snapshot, f"/{name}"]
        return self._call(arguments, limit_seconds=limit_seconds).output

    def reading(self, snapshot: str, name: str) -> tuple[list[str], dict[str, str]]:
        """Command and environment that write a file of a snapshot to standard output, for large files."""
        return self._command(["dump", "--no-lock", snapshot, f"/{name}"]), self._environment

    def forget(self, snapshots: Sequence[str], *, limit_seconds: float = 600) -> None:
        """Drop these snapshots; their data stays until `prune`.

        Storage that lets nothing be removed is an error of cause `append-only`: restic itself (0.18) takes
        its refusal for success.
        """
        if not snapshots:
            return
        self._call(["forget", *_patience(limit_seconds), *snapshots], limit_seconds=limit_seconds)
        staying = {snapshot.id for snapshot in self.snapshots()} & set(snapshots)
        if staying:
            raise RepositoryError(
                "append-only",
                f"the repository {self.repository.name} lets nothing be removed: {len(staying)} snapshots "
                "stay. If that is meant, set append_only: true for it",
            )

    def prune(self, *, limit_seconds: float) -> str:
        """Free what no snapshot needs; restic's last words come back."""
        done = self._call(["prune", *_patience(limit_seconds)], limit_seconds=limit_seconds)
        return done.output.decode(errors="replace").strip().rpartition("\n")[2]

    def check(self, part: int | None = None, parts: int | None = None, *, limit_seconds: float) -> None:
        """Check the repository's structure and, of its data, part PART of PARTS (1 to PARTS)."""
        arguments = ["check", *_patience(limit_seconds)]
        arguments += [f"--read-data-subset={part}/{parts}"] if part and parts else []
        self._call(arguments, limit_seconds=limit_seconds)

    def unlock_stale(self) -> None:
        """Remove locks whose process is gone, as restic judges it; never by force."""
        self._call(["unlock"])

    def _identity(self, tags: Sequence[str]) -> list[str]:
        # A fixed name of the host: restic judges by it whether a lock is its own.
        return ["--host", self._hostname, *(item for tag in tags for item in ("--tag", tag))]

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [self._binary, *self._common, *arguments]

    def _backup(
        self,
        arguments: Sequence[str],
        name: str,
        *,
        limit_seconds: float,
        source: bytes = b"",
        within: Path | None = None,
    ) -> Stored:
        done = self._run([*_patience(limit_seconds), *arguments], limit_seconds, source, within)
        summary = _summary(done.output)
        stored = summary.get("snapshot_id")
        if done.code == 0 and summary.get("total_bytes_processed", 0) > 0 and stored:
            return Stored(
                snapshot=str(stored),
                bytes_read=int(summary["total_bytes_processed"]),
                bytes_added=int(summary.get("data_added_packed", summary.get("data_added", 0))),
            )
        if stored:
            # An empty stream makes a snapshot, with exit code 3; nobody shall take it for a backup. Where it
            # cannot be removed it is a part without a manifest, so no run either.
            with contextlib.suppress(RepositoryError):
                self.forget([str(stored)])
        if done.code in (0, _INCOMPLETE):
            raise RepositoryError("failed", f"{name} came out empty or incomplete: {_words(done)}")
        raise self.error(done)

    def _call(self, arguments: Sequence[str], *, limit_seconds: float | None = None) -> programs.Finished:
        done = self._run(arguments, QUICK_SECONDS if limit_seconds is None else limit_seconds)
        if done.code != 0:
            raise self.error(done)
        return done

    def _run(
        self,
        arguments: Sequence[str],
        limit_seconds: float,
        source: bytes = b"",
        within: Path | None = None,
    ) -> programs.Finished:
        # Started within the folder, restic keeps nothing of the way to it.
        place = ["env", "-C", str(within)] if within else []
        try:
            return programs.run(
                [*place, *self._command(arguments)],
                limit_seconds=limit_seconds,
                environment=self._environment,
                source=source,
            )
        except programs.ProgramHungError as error:
            raise self._hung(error.errors, limit_seconds) from error

    def _hung(self, errors: str, limit_seconds: float) -> RepositoryError:
        """What a call that had to be ended says: restic tries for a quarter of an hour, and complains."""
        found = re.findall(r"returned error, retrying after [^:]+: (.+)", errors)
        name = f"the repository {self.repository.name}"
        if not found:
            return RepositoryError("hung", f"{name} hangs: no answer within {limit_seconds:g} s")
        return RepositoryError(
            _cause(found[-1]), f"{name} failed again and again for {limit_seconds:g} s: {found[-1].strip()}"
        )

    def error(self, done: programs.Finished) -> RepositoryError:
        """What a call of restic that failed says, with its cause in one word."""
        name = self.repository.name
        if done.code == _NO_REPOSITORY:
            return RepositoryError("missing", f"there is no repository at {name}: {_words(done)}")
        if done.code == _WRONG_PASSWORD:
            return RepositoryError("wrong password", f"the password does not open the repository {name}")
        if done.code == _LOCKED:
            return RepositoryError(
                "locked", f"the repository {name} is locked by another program: {_words(done)}"
            )
        words = _words(done)
        if sftp.NO_SESSION in words and "subprocess ssh" not in words:
            words = sftp.why_not(self.repository.url, self.repository.options) or words
        return RepositoryError(_cause(words), f"the repository {name}: {words}")


def _cause(words: str) -> str:
    return next((cause for cause, pattern in _CAUSES if re.search(pattern, words, re.I)), "failed")


def _patience(limit_seconds: float) -> list[str]:
    """How long to wait for a lock; nobody ever removes one by force."""
    return ["--retry-lock", f"{min(_LOCK_SECONDS, limit_seconds / 4):.0f}s"]


def _summary(output: bytes) -> dict[str, Any]:
    for line in reversed(output.decode(errors="replace").splitlines()):
        if '"summary"' in line:
            said = json.loads(line)
            if isinstance(said, dict) and said.get("message_type") == "summary":
                return said
    return {}


def _words(done: programs.Finished) -> str:
    """restic's own words, out of its JSON lines where it writes those, without a repeated line."""
    lines: list[str] = []
    for line in done.errors.splitlines():
        text = line.strip()
        if text.startswith("{"):
            try:
                said = json.loads(text)
                text = str(said.get("message") or said.get("error", {}).get("message") or text)
            except (ValueError, AttributeError):
                pass
        if text and text not in lines:
            lines.append(text)
    return " | ".join(lines[-4:])[:600] or f"restic ended with {done.code}"


def _instant(text: str) -> datetime:
    """An RFC 3339 instant of Go, whose fractions have up to nine digits; Python 3.10 reads six."""
    plain = re.sub(r"\.(\d{1,6})\d*", r".\1", text).replace("Z", "+00:00")
    # Python 3.10 wants the fraction to have three or six digits.
    return datetime.fromisoformat(re.sub(r"\.(\d+)", lambda found: "." + found[1].ljust(6, "0"), plain))
