"""Secrets of an inventory: made once, kept encrypted beside the hosts that use them, never printed.

`secrets.age` is an age file (https://age-encryption.org/v1, armored) with one JSON document inside:
`{"version": 1, "inventory": {NAME: ENTRY}, "hosts": {HOST: {NAME: ENTRY}}}`.
"""

from __future__ import annotations

import base64
import copy
import fcntl
import json
import os
import re
import secrets as randomness
import string
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyrage  # type: ignore[import-untyped]  # ships no types

from deploy.age_identity import VARIABLE, Identity, identity_path, make_identity, read_identity
from deploy.errors import CalstackError, InputError
from deploy.masker import Masker
from deploy.private_file import write_private
from deploy.settings.app_variables import Placeholder
from deploy.settings.inventory import Inventory
from deploy.settings.rules import secret_name
from deploy.settings.secret_references import secret_references

__all__ = ["HostSecrets", "Masker", "SecretListing", "SecretStore", "placeholders"]

Origin = Literal["generated", "given"]

_PUBLIC = frozenset({"tls_certificate", "authority_certificate"})
_LOCK_PATIENCE_SECONDS = 60.0
_REPOSITORY = Path(__file__).resolve().parents[1]
# Without letters and digits that look alike: somebody will type it from a screen.
_READABLE = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _random_base64(length: int) -> str:
    return base64.b64encode(randomness.token_bytes(length)).decode("ascii")


def _encryption_key() -> str:
    """24 random bytes in base64: Cal.com wants exactly 32 characters (FACTS §3)."""
    key = _random_base64(24)
    assert len(key) == 32  # noqa: S101 - one character more or less loses every stored credential
    return key


def _random_hex() -> str:
    return randomness.token_hex(32)


def _admin_password() -> str:
    """Four groups of five, 115 bits, with a digit, a small and a capital letter (FACTS §6)."""
    while True:
        groups = ("".join(randomness.choice(_READABLE) for _ in range(5)) for _ in range(4))
        password = "-".join(groups)
        if fits_password_policy(password):
            return password


def fits_password_policy(password: str) -> bool:
    """Whether Cal.com takes it for the first admin: 15 characters, digit, small, capital letter (FACTS §6).

    Spaces at the edges are refused too: the app checks the text without them and keeps it with them.
    """
    return (
        len(password) >= 15
        and password == password.strip()
        and any(letter.isdigit() for letter in password)
        and any(letter.islower() for letter in password)
        and any(letter.isupper() for letter in password)
    )


_MADE_ONCE: dict[str, tuple[str, Callable[[], str]]] = {
    "nextauth_secret": ("signs sessions (NEXTAUTH_SECRET)", lambda: _random_base64(32)),
    "encryption_key": ("encrypts stored credentials (CALENDSO_ENCRYPTION_KEY)", _encryption_key),
    "cron_api_key": ("opens /api/cron (CRON_API_KEY)", _random_hex),
    "cron_secret": ("opens /api/tasks (CRON_SECRET)", _random_hex),
    "database_password": ("PostgreSQL", _random_hex),
    "admin_password": ("sign-in of the administrator", _admin_password),
    "jwt_secret": ("signs tokens of the API's managed users (JWT_SECRET)", _random_hex),
    "backup_password": ("opens the host's backup repositories", _random_hex),
    "replication_password": ("receives the database's log (backups.continuous)", _random_hex),
    "api_key": ("calstack's own API key", lambda: randomness.token_hex(16)),
}
BOUND_TO_DATA = frozenset(_MADE_ONCE)
"""Names of the secrets without whose very values an instance's data, or its backups, are of no use."""
_MADE_FOR_TLS = {
    "tls_certificate": "the proxy's certificate",
    "tls_private_key": "the proxy's private key",
    "authority_certificate": "the private authority's certificate",
    "authority_private_key": "the private authority's key",
}


@dataclass(frozen=True)
class HostSecrets:
    """What one host's instance needs; the values do not show when this is printed."""

    host: str
    nextauth_secret: str = field(repr=False)
    encryption_key: str = field(repr=False)
    cron_api_key: str = field(repr=False)
    cron_secret: str = field(repr=False)
    database_password: str = field(repr=False)
    admin_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    backup_password: str = field(repr=False)
    replication_password: str = field(repr=False)
    api_key: str = field(repr=False)
    """Without the prefix `cal_`, as its hash in the database wants it (FACTS §4)."""
    _resolve: Callable[[str], str] = field(repr=False, compare=False)
    _resolve_or_make: Callable[[str], str] = field(repr=False, compare=False)

    def resolve(self, name: str) -> str:
        """The value of `!secret NAME`: the host's own, else the inventory's; InputError without one."""
        return self._resolve(name)

    def resolve_or_make(self, name: str) -> str:
        """The same, but one that is missing is made (64 hexadecimal digits) and kept for this host."""
        return self._resolve_or_make(name)


def placeholders(host: str) -> HostSecrets:
    """The same interface with `<nextauth_secret>` and the like as values, for files that people look at."""

    def shown(name: str) -> Placeholder:
        return Placeholder(f"<{name}>")

    values = {name: shown(name) for name in _MADE_ONCE}
    return HostSecrets(host, _resolve=shown, _resolve_or_make=shown, **values)


@dataclass(frozen=True)
class SecretListing:
    """What may be told about a secret: all but its value."""

    name: str
    host: str | None
    """None where it holds for the whole inventory."""
    origin: Origin | Literal["missing"]
    created: datetime | None
    used_by: tuple[str, ...]
    """Settings that name it (`cal1: smtp.password`), or what calstack uses it for."""


class Content:
    """The decrypted document, for the time of one change."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def value(self, name: str, host: str | None) -> str | None:
        """The value under this name, of the host alone or of the inventory alone (None)."""
        entry = self._names(host).get(name)
        return entry["value"] if entry else None

    def keep(self, name: str, value: str, host: str | None, origin: Origin = "generated") -> None:
        """Put a value in place; the same value again changes nothing."""
        if self.value(name, host) == value:
            return
        names = self.document["inventory"] if host is None else self.document["hosts"].setdefault(host, {})
        created = datetime.now(UTC).isoformat(timespec="seconds")
        names[name] = {"value": value, "origin": origin, "created": created}

    def entry(self, name: str, host: str | None) -> dict[str, str] | None:
        """The same with what is told about it, as it stands in the file: `value`, `origin`, `created`."""
        return self._names(host).get(name)

    def adopt(self, name: str, entry: dict[str, str], host: str | None) -> None:
        """Put an entry in place that was made elsewhere; raises InputError for what is none."""
        if not _is_entry(entry):
            raise InputError(f"the secret {name} is not of its form")
        names = self.document["inventory"] if host is None else self.document["hosts"].setdefault(host, {})
        names[name] = dict(entry)

    def entries(self) -> Iterator[tuple[str | None, str, dict[str, str]]]:
        """(host or None, name, entry) of all."""
        for name, entry in self.document["inventory"].items():
            yield None, name, entry
        for host, names in self.document["hosts"].items():
            for name, entry in names.items():
                yield host, name, entry

    def _names(self, host: str | None) -> dict[str, Any]:
        names: dict[str, Any] = (
            self.document["inventory"] if host is None else self.document["hosts"].get(host, {})
        )
        return names


_maskers: dict[Path, Masker] = {}
"""One for each inventory: what any store of this process reads or makes must be masked in all its output."""


class SecretStore:
    """The secrets of one inventory. Every value that it reads or makes is known to its `masker`, which all
    stores of the inventory in this process share.
    """

    def __init__(self, inventory: Inventory, tell: Callable[[str], None]) -> None:
        self.inventory = inventory
        self.masker = _maskers.setdefault(inventory.path, Masker())
        self._tell = tell
        self._identity: Identity | None = None
        self.content = Content(_empty())
        """As last read or written; to be changed inside `changing` alone."""

    @classmethod
    def open(cls, inventory: Inventory, *, tell: Callable[[str], None] = lambda _: None) -> SecretStore:
        """Read the secrets; where there are none yet, nothing is made before it is needed.

        `tell` gets the one line that a person must see: where a new identity lies. Raises InputError where
        the file cannot be opened: identity lost, another identity, damaged file.
        """
        store = cls(inventory, tell)
        store._identity = read_identity(_outside(inventory))
        store._take(store._read())
        return store

    def host(self, name: str) -> HostSecrets:
        """The secrets of a host of the inventory; what is missing is made and kept."""
        if name not in self.inventory.hosts:
            raise InputError(f"no host {name} in the inventory {self.inventory.name}")
        if any(self.content.value(secret, name) is None for secret in _MADE_ONCE):
            with self.changing() as content:
                for secret, (_, make) in _MADE_ONCE.items():
                    if content.value(secret, name) is None:
                        content.keep(secret, make(), name)
        values = {secret: self.content.value(secret, name) or "" for secret in _MADE_ONCE}
        return HostSecrets(
            name,
            _resolve=lambda secret: self.resolve(secret, name),
            _resolve_or_make=lambda secret: self._resolve_or_make(secret, name),
            **values,
        )

    def resolve(self, name: str, host: str) -> str:
        """The value of `!secret NAME` on a host: its own, else the inventory's; InputError without one."""
        value = self._find(name, host)
        if value is None:
            raise InputError(
                f"there is no secret {name}", where=host, fix=f"store it: {self._command('set', name)}"
            )
        return value

    def check_references(self, hosts: Sequence[str]) -> None:
        """Raises one InputError that lists every secret which the settings of these hosts name in vain."""
        missing: dict[str, list[str]] = {}
        for host in hosts:
            for key, name in secret_references(self.inventory.hosts[host]):
                if self._find(name, host) is None:
                    missing.setdefault(name, []).append(f"{host}: {key}")
        if missing:
            lines = [f"{name} (for {', '.join(keys)})" for name, keys in missing.items()]
            commands = [self._command("set", name) for name in missing]
            raise InputError(
                f"secrets are missing: {'; '.join(lines)}",
                where=self.inventory.name,
                fix=f"store them: {'; '.join(commands)}",
            )

    def set(self, name: str, value: str, host: str | None = None) -> None:
        """Store a secret of the user's, for one host or the whole inventory. Raises InputError if refused.

        What calstack made itself is never replaced: the instance would lose its sessions, its stored
        credentials or its database. It can be given before the first deploy, to adopt an instance.
        """
        try:
            secret_name(name)
        except ValueError as error:
            raise InputError(f"{name!r} {error}", fix="write it like smtp_password") from None
        if host is not None and host not in self.inventory.hosts:
            raise InputError(f"no host {host} in the inventory {self.inventory.name}")
        if not value.strip():
            raise InputError(f"the value of {name} is empty; nothing was stored")
        if "\0" in value:
            raise InputError(f"the value of {name} contains a zero byte; nothing was stored")
        if name in _MADE_FOR_TLS:
            raise InputError(f"{name} is made by calstack; choose another name")
        if name in _MADE_ONCE and host is None:
            raise InputError(f"{name} belongs to a host; name the host")
        with self.changing() as content:
            if name in _MADE_ONCE:
                _refuse_unfit(name, value, content.value(name, host))
            content.keep(name, value, host, "given")

    def show(self, name: str, host: str | None = None) -> str:
        """The value, for the one person who asked; raises InputError without one."""
        value = self.content.value(name, None) if host is None else self._find(name, host)
        if value is None:
            holders = [holder for holder, known, _ in self.content.entries() if known == name and holder]
            fix = f"it belongs to a host: {', '.join(holders)}" if holders and host is None else None
            raise InputError(f"there is no secret {name}", where=host or self.inventory.name, fix=fix)
        return value

    def listing(self) -> list[SecretListing]:
        """All secrets, the missing ones that settings name included; never a value."""
        users: dict[tuple[str | None, str], list[str]] = {}
        missing: list[SecretListing] = []
        for host, settings in self.inventory.hosts.items():
            for key, name in secret_references(settings):
                holder = host if self.content.value(name, host) is not None else None
                users.setdefault((holder, name), []).append(f"{host}: {key}")
        listed = [
            SecretListing(
                name,
                host,
                "given" if entry["origin"] == "given" else "generated",
                datetime.fromisoformat(entry["created"]),
                tuple(users.pop((host, name), [])) or _use(name),
            )
            for host, name, entry in self.content.entries()
        ]
        for (_, name), keys in users.items():
            missing.append(SecretListing(name, None, "missing", None, tuple(keys)))
        return listed + missing

    @contextmanager
    def changing(self) -> Iterator[Content]:
        """The content as it stands in the file now, locked; what the block changed is written at its end.

        Two processes that change at once come one after the other; neither loses what the other wrote.
        """
        with self._locked():
            content = self._read()
            before = copy.deepcopy(content.document)
            yield content
            if content.document != before:
                self._write(content)
            self._take(content)

    def _resolve_or_make(self, name: str, host: str) -> str:
        value = self._find(name, host)
        if value is None:
            with self.changing() as content:
                value = content.value(name, host) or content.value(name, None)
                if value is None:
                    value = _random_hex()
                    content.keep(name, value, host)
        return value

    def _find(self, name: str, host: str) -> str | None:
        own = self.content.value(name, host)
        return own if own is not None else self.content.value(name, None)

    def _take(self, content: Content) -> None:
        self.content = content
        for _, name, entry in content.entries():
            if name not in _PUBLIC:
                self.masker.register(entry["value"])

    def _command(self, verb: str, name: str) -> str:
        return f"calstack secrets {verb} {name} --inventory {self.inventory.as_given}"

    def _read(self) -> Content:
        file = self.inventory.secrets_file
        try:
            encrypted = file.read_bytes()
        except FileNotFoundError:
            return Content(_empty())
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=str(file)) from None
        if self._identity is None:  # perhaps another process made it together with the file
            self._identity = read_identity(_outside(self.inventory))
        if self._identity is None:
            raise InputError(
                f"the secrets are there, but not the identity that opens them ({_outside(self.inventory)})",
                where=str(file),
                fix=f"bring back your copy of the identity, or set {VARIABLE} to it; {self._last_resort()}",
            )
        try:
            decrypted = pyrage.decrypt(encrypted, list(self._identity.keys))
        except pyrage.DecryptError as error:
            if "matching keys" in str(error):
                raise InputError(
                    f"the identity {self._identity.path} does not open this file, another one made it",
                    where=str(file),
                    fix=f"set {VARIABLE} to the identity that made it; {self._last_resort()}",
                ) from None
            raise self._damaged() from None
        try:
            document = json.loads(decrypted)
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if isinstance(document, dict) and document.get("version") not in (None, 1):
            raise InputError(
                f"was written by a newer calstack (version {document['version']})",
                where=str(file),
                fix="update calstack",
            )
        if not _is_sound(document):
            raise self._damaged()
        return Content(document)

    def _damaged(self) -> InputError:
        return InputError(
            "the file is damaged; it was not written by calstack as it stands there",
            where=str(self.inventory.secrets_file),
            fix=f"take it back from version control or a backup; {self._last_resort()}",
        )

    def _last_resort(self) -> str:
        if self.inventory.lab is not None:
            return "since this is a lab: `make lab-down`, delete the file and begin anew"
        return "without it the instances' stored credentials are lost"

    def _write(self, content: Content) -> None:
        file = self.inventory.secrets_file
        if self._identity is None:
            path = _outside(self.inventory)
            self._identity = make_identity(path)
            self._tell(
                f"Made the identity {path}: it alone opens {file.name}. Keep a copy of it in another place."
            )
        document = json.dumps(content.document, ensure_ascii=False).encode()
        encrypted = pyrage.encrypt(document, self._identity.recipients, armored=True)
        try:
            write_private(file, encrypted)
        except OSError as error:
            raise InputError(
                f"the secrets cannot be written: {error.strerror}",
                where=str(file),
                fix="make the inventory's folder writable, and see that the disk is not full",
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The inventory's folder itself is the lock: no file of its own that could be left or committed."""
        folder = self.inventory.path
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InputError(f"cannot be opened: {error.strerror}", where=str(folder)) from None
        try:
            patience = time.monotonic() + _LOCK_PATIENCE_SECONDS
            while not _lock(descriptor):
                if time.monotonic() > patience:
                    raise CalstackError(
                        "another calstack has been changing the secrets for a minute",
                        where=str(folder),
                        fix="wait for it, or end it, and try again",
                    )
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _outside(inventory: Inventory) -> Path:
    """Where the identity lies; refused inside the repository: it would be committed with its secrets."""
    path = identity_path()
    for inside in (_REPOSITORY, inventory.path):
        if path.resolve().is_relative_to(inside.resolve()):
            raise InputError(
                "the identity lies inside the repository, beside what it shall protect",
                where=str(path),
                fix=f"move it elsewhere and set {VARIABLE}",
            )
    return path


def _refuse_unfit(name: str, value: str, there: str | None) -> None:
    if there is not None and there != value:
        raise InputError(
            f"{name} is in use; another value would lock the instance out of what it has stored",
            fix="it can be given before the first deploy alone",
        )
    if name == "encryption_key" and (len(value) != 32 or not value.isascii()):
        raise InputError("encryption_key must have exactly 32 ASCII characters")
    if name == "admin_password" and not fits_password_policy(value):
        raise InputError(
            "admin_password needs 15 characters at least, a digit, a small and a capital letter, and no "
            "space at its ends; Cal.com refuses less"
        )
    if name == "database_password" and not (value.isascii() and value.isalnum()):
        raise InputError("database_password may hold letters and digits alone: it stands in a URL")
    if name == "api_key" and not re.fullmatch("[0-9a-f]{32}", value):
        raise InputError("api_key must have 32 hexadecimal digits behind its beginning, cal_")
    if name != "admin_password" and not set(value) <= set(string.printable) - set(string.whitespace):
        raise InputError(f"{name} may hold printable ASCII characters alone")


def _use(name: str) -> tuple[str, ...]:
    if name in _MADE_ONCE:
        return (_MADE_ONCE[name][0],)
    return (_MADE_FOR_TLS[name],) if name in _MADE_FOR_TLS else ()


def _empty() -> dict[str, Any]:
    return {"version": 1, "inventory": {}, "hosts": {}}


def _is_sound(document: Any) -> bool:
    if not isinstance(document, dict) or set(document) != {"version", "inventory", "hosts"}:
        return False
    if not isinstance(document["hosts"], dict):
        return False
    groups = [document["inventory"], *document["hosts"].values()]
    return all(isinstance(group, dict) and all(map(_is_entry, group.values())) for group in groups)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in ("value", "origin", "created"))
        and _is_instant(entry["created"])
    )


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
