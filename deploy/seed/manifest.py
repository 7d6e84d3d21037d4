"""`seed.yaml` becomes a manifest, or one error that lists all that is wrong with it, before any request."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.errors import CalstackError, InputError, Problem
from deploy.seed.key_limits import allowance
from deploy.seed.model import (
    EventTypeDeclared,
    ManifestFile,
    ProfileDeclared,
    ScheduleDeclared,
    WebhookDeclared,
)
from deploy.seed.wanted import (
    Kind,
    Manifest,
    WantedKeyLimit,
    WantedWebhook,
    wanted_event_type,
    wanted_profile,
    wanted_schedule,
    wanted_webhook,
)
from deploy.settings.plain_words import dotted, findings
from deploy.settings.rate_limits import KeyLimit
from deploy.settings.rules import nearest
from deploy.settings.section import SecretReference
from deploy.settings.yaml_source import Located, place, plain, read

Resolver = Callable[[str], str]
"""Gives the value of a secret by its name; raises KeyError or CalstackError where there is none."""

_KINDS: dict[str, Kind] = {
    "profile": "profile",
    "schedules": "schedule",
    "event_types": "event type",
    "webhooks": "webhook",
    "api_key_limits": "API key limit",
}


def manifest_files(seed_file: Path) -> list[Path]:
    """The files of an inventory's manifest: `seed.yaml`, and `seed.d/*.yaml` beside it in their order.

    Raises InputError where there is neither, or where a file in `seed.d` would be passed over.
    """
    folder = seed_file.with_suffix(".d")
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    parts = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in parts:
        if entry.suffix != ".yaml":
            raise InputError(
                "is no manifest: its name does not end in .yaml", where=str(entry), fix="rename it"
            )
    files = [seed_file, *parts] if seed_file.is_file() else parts
    if not files:
        raise InputError(
            "the inventory has no manifest",
            where=str(seed_file),
            fix="copy inventories/example/seed.yaml and declare what the instances shall hold",
        )
    return files


def load_manifest(
    paths: Path | Sequence[Path], resolve: Resolver, environment: Mapping[str, str] | None = None
) -> Manifest:
    """The manifest in these files, which count as one.

    `resolve` gives the values of `!secret NAME`, `environment` those of `!env NAME` (without one: this
    process's). Raises InputError alone, with every problem of every file at once.
    """
    reading = _Reading(resolve, os.environ if environment is None else environment)
    with _uncollected():
        for path in [paths] if isinstance(paths, Path) else paths:
            reading.file(path)
        manifests = {user: reading.manifest(entries) for user, entries in reading.users.items()}
    reading.finish()
    own = manifests.pop(None, Manifest())
    users = {user: manifest for user, manifest in manifests.items() if user is not None}
    return replace(own, users=users)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: of the many small objects that come into being nearly all stay.

    It would look through them again and again, which takes longer than reading a large manifest.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# --- reading and checking


@dataclass(frozen=True)
class _Entry:
    """A declaration and where it stands; `declared` is None where it is not sound."""

    declared: Any
    located: Located
    path: str

    def given(self, key: str) -> Any:
        """The plain value of a key as it is written, sound or not; other entries may refer to it."""
        found = self.located.value.get(key) if isinstance(self.located.value, dict) else None
        return found.value if found and isinstance(found.value, str | bool) else None

    def where(self, key: str) -> str:
        """File and line of a key, for another entry's problem."""
        found, _ = place(self.located, (key,))
        return f"{found.file}:{found.line}"


@dataclass
class _Entries:
    """What all files declare for one user."""

    profiles: list[_Entry] = field(default_factory=list)
    schedules: list[_Entry] = field(default_factory=list)
    event_types: list[_Entry] = field(default_factory=list)
    webhooks: list[_Entry] = field(default_factory=list)
    key_limits: list[_Entry] = field(default_factory=list)
    kinds: set[Kind] = field(default_factory=set)


@dataclass
class _Reading:
    resolve: Resolver
    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    users: dict[str | None, _Entries] = field(default_factory=dict)
    """By user; None is the channel's own."""

    def file(self, path: Path) -> None:
        """Read one file and keep its declarations and its problems."""
        content, problems = read(path, path, self.environment)
        self.problems.extend(problems)
        if content is None:
            return
        if not isinstance(content.value, dict):
            self.say(
                content, "", "is not a mapping", f"begin with one of {', '.join(ManifestFile.model_fields)}:"
            )
            return
        try:
            ManifestFile.model_validate(plain(content))
        except ValidationError as error:
            for finding in findings(error, ManifestFile):
                self.say(place(content, finding.path)[0], dotted(finding.path), finding.what, finding.fix)
        self._take(None, content, "")
        users = content.value.get("users")
        for position, located in enumerate(users.value if users and isinstance(users.value, list) else ()):
            name, depth = place(located, ("user",))
            if depth and isinstance(name.value, str):
                self._take(name.value.lower(), located, f"users[{position}].")

    def manifest(self, entries: _Entries) -> Manifest:
        """What one user shall have; problems with names, references and secrets are kept."""
        self._check_names(entries)
        self._known(entries.event_types, "schedule", [entry.given("name") for entry in entries.schedules])
        self._known(entries.webhooks, "event_type", [entry.given("slug") for entry in entries.event_types])
        webhooks = tuple(self._webhook(entry) for entry in _sound(entries.webhooks))
        profiles = [entry.declared for entry in _sound(entries.profiles)]
        return Manifest(
            tuple(wanted_schedule(entry.declared) for entry in _sound(entries.schedules)),
            tuple(wanted_event_type(entry.declared) for entry in _sound(entries.event_types)),
            webhooks,
            frozenset(entries.kinds),
            wanted_profile(profiles) if profiles else None,
            key_limits=tuple(
                WantedKeyLimit(entry.declared.note, allowance(entry.declared), entry.where("note"))
                for entry in _sound(entries.key_limits)
            ),
        )

    def say(self, where: Located, key: str, what: str, fix: str | None = None) -> None:
        """Keep a problem."""
        self.problems.append(Problem(where.file, where.line, key, what, fix))

    def finish(self) -> None:
        """Raises InputError where there is any problem."""
        if not self.problems:
            return
        ordered = sorted(self.problems, key=lambda problem: (str(problem.file), problem.line or 0))
        count = len(ordered)
        raise InputError(
            f"the seed manifest has {count} problem{'s' if count > 1 else ''}; nothing was sent",
            problems=tuple(ordered),
        )

    def _take(self, user: str | None, content: Located, inside: str) -> None:
        entries = self.users.setdefault(user, _Entries())
        sections = content.value if isinstance(content.value, dict) else {}
        entries.kinds.update(kind for section, kind in _KINDS.items() if section in sections)
        profile = sections.get("profile")
        if profile is not None and isinstance(profile.value, dict):
            entries.profiles.append(_entry(profile, ProfileDeclared, f"{inside}profile"))
        entries.schedules.extend(_entries(content, "schedules", ScheduleDeclared, inside))
        entries.event_types.extend(_entries(content, "event_types", EventTypeDeclared, inside))
        entries.webhooks.extend(_entries(content, "webhooks", WebhookDeclared, inside))
        entries.key_limits.extend(_entries(content, "api_key_limits", KeyLimit, inside))

    def _webhook(self, entry: _Entry) -> WantedWebhook:
        """The webhook with its secret, which is a problem where it cannot be had."""
        declared: WebhookDeclared = entry.declared
        secret = declared.secret
        if isinstance(secret, SecretReference):
            try:
                return wanted_webhook(declared, self.resolve(secret.secret))
            except (KeyError, CalstackError) as error:
                why = error.what if isinstance(error, CalstackError) else "there is none of this name"
                self._say_at(entry, "secret", f"the secret {secret.secret} is not to be had: {why}")
                return wanted_webhook(declared, None)
        return wanted_webhook(declared, secret)

    def _check_names(self, entries: _Entries) -> None:
        """Names, slugs, URLs and notes are what things are found again by, so each stands for one thing."""
        self._once(entries.schedules, ("name",))
        self._once(entries.event_types, ("slug",))
        self._once(entries.webhooks, ("url", "event_type"))
        self._once(entries.key_limits, ("note",))
        defaults = [entry for entry in entries.schedules if entry.given("default") is True]
        for entry in defaults[1:]:
            first = f"{defaults[0].given('name')!r} is the default already, in {defaults[0].where('default')}"
            self._say_at(entry, "default", first, "keep one default schedule")
        said: dict[str, _Entry] = {}
        for entry in entries.profiles:
            for key in entry.located.value if isinstance(entry.located.value, dict) else ():
                before = said.setdefault(key, entry)
                if before is not entry:
                    what = f"stands there twice, first in {before.where(key)}"
                    self._say_at(entry, key, what, "keep one of them")

    def _say_at(self, entry: _Entry, key: str, what: str, fix: str | None = None) -> None:
        self.say(place(entry.located, (key,))[0], f"{entry.path}.{key}", what, fix)

    def _once(self, entries: list[_Entry], keys: tuple[str, ...]) -> None:
        first: dict[tuple[Any, ...], _Entry] = {}
        for entry in entries:
            natural_key = tuple(entry.given(key) for key in keys)
            if natural_key[0] is None:
                continue
            before = first.setdefault(natural_key, entry)
            if before is not entry:
                what = f"stands there twice, first in {before.where(keys[0])}"
                self._say_at(entry, keys[0], what, "keep one of them")

    def _known(self, entries: list[_Entry], key: str, declared: list[Any]) -> None:
        names = dict.fromkeys(name for name in declared if isinstance(name, str))
        for entry in entries:
            name = entry.given(key)
            if not isinstance(name, str) or name in names:
                continue
            meant = nearest(name, names)
            others = f"declare it, or use one of: {', '.join(names)}" if names else "declare it"
            what = f"there is no {key.replace('_', ' ')} {name!r} in the manifest"
            self._say_at(entry, key, what, f"did you mean {meant}?" if meant else others)


def _entries(content: Located, section: str, model: type[Any], inside: str) -> Iterator[_Entry]:
    listed = content.value.get(section) if isinstance(content.value, dict) else None
    for position, located in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        yield _entry(located, model, f"{inside}{section}[{position}]")


def _entry(located: Located, model: type[Any], path: str) -> _Entry:
    try:
        return _Entry(model.model_validate(plain(located)), located, path)
    except ValidationError:
        return _Entry(None, located, path)  # told with the whole file


def _sound(entries: list[_Entry]) -> list[_Entry]:
    return [entry for entry in entries if entry.declared is not None]
