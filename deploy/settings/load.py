"""An inventory's folder becomes typed settings, or one error that lists all that is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from deploy.errors import InputError, Problem
from deploy.settings.inventory import INVENTORIES, Inventory
from deploy.settings.model import HostSettings, LabSettings
from deploy.settings.plain_words import Finding, dotted, findings
from deploy.settings.yaml_source import PLACEHOLDER, Located, place, plain, read

_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?")
_FILES = (
    ("ssh", "key_file"),
    ("ssh", "known_hosts_file"),
    ("tls", "certificate_file"),
    ("tls", "acme", "directory_ca_file"),
    ("tls", "acme", "issuer_ca_file"),
    ("app", "ca_file"),
    ("docker", "compose_file"),
    ("images", "web", "archive"),
    ("images", "database", "archive"),
    ("images", "proxy", "archive"),
    ("images", "api", "archive"),
    ("images", "cache", "archive"),
    ("images", "acme", "archive"),
)
_Model = TypeVar("_Model", bound=BaseModel)


def load_inventory(name_or_path: str) -> Inventory:
    """The inventory of this name beside the repository's own, or in the folder of this path.

    Raises InputError alone, with every problem of every file at once; nothing was touched.
    """
    folder = _folder(name_or_path)
    reading = _Reading(folder)
    defaults = reading.file(folder / "defaults.yaml") if (folder / "defaults.yaml").exists() else None
    lab = reading.lab(defaults)
    hosts: dict[str, HostSettings] = {}
    places: dict[str, Located] = {}
    for name, file in _host_files(folder, reading):
        content = reading.file(file)
        if content is None:
            continue
        merged = _overlaid(_without(defaults, "lab"), content) if defaults else content
        if "lab" in _keys(content):
            where = _child(content, "lab")
            reading.say(where, "lab", "belongs into defaults.yaml", "move it there")
            merged = _without(merged, "lab")
        settings = reading.typed(HostSettings, merged, file)
        if settings is not None:
            hosts[name], places[name] = settings, merged
            if lab is None:
                reading.check_files(settings, merged)
    reading.check_twins(hosts, places)
    reading.finish()
    warnings = tuple(
        f"{name}: {warning}"
        for name, host in hosts.items()
        # A lab's hosts have nothing but this machine.
        for warning in [*host.warnings(), *(host.backups.warnings() if lab is None else [])]
    )
    return Inventory(folder.name, folder, hosts, lab, warnings, places)


def _folder(name_or_path: str) -> Path:
    if "\0" in name_or_path or not name_or_path.strip():
        raise InputError("the inventory's name is empty or unreadable", fix=_those_there_are())
    try:
        given = Path(name_or_path).expanduser()
        is_path = os.sep in name_or_path or name_or_path in (".", "..")
        candidates = [given] if is_path else [INVENTORIES / name_or_path, given]
        for candidate in candidates:
            if candidate.is_dir():
                return candidate.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"the inventory {name_or_path[:200]} cannot be read: {error}") from None
    folder = candidates[0].absolute()
    raise InputError(f"there is no inventory {name_or_path}", where=str(folder), fix=_those_there_are())


def _those_there_are() -> str:
    try:
        names = sorted(folder.name for folder in INVENTORIES.iterdir() if (folder / "hosts").is_dir())
    except OSError:
        names = []
    listed = f"there are: {', '.join(names)}; " if names else ""
    return f"{listed}a new one begins with: cp -r inventories/example inventories/NAME"


def _host_files(folder: Path, reading: _Reading) -> Iterator[tuple[str, Path]]:
    hosts = folder / "hosts"
    try:
        entries = sorted(hosts.iterdir()) if hosts.is_dir() else []
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(hosts)) from None
    found = False
    for file in entries:
        if file.name.startswith("."):
            continue
        if file.suffix == ".yml":
            found = True
            reading.say(file, "", "ends in .yml; hosts are read from files that end in .yaml", "rename it")
        elif file.suffix == ".yaml":
            found = True
            if _HOST_NAME.fullmatch(file.stem):
                yield file.stem, file
            else:
                what = "is not the name of a host: small letters, digits and, inside, hyphens, 31 at most"
                reading.say(file, "", what, "rename the file")
    if not found:
        raise InputError(
            "the inventory has no hosts",
            where=str(hosts),
            fix="add a file hosts/NAME.yaml; inventories/example/hosts/cal1.yaml is a commented start",
        )


@dataclass
class _Reading:
    """Reads the files of one inventory and keeps what is wrong with them."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    placeholders: bool = False

    def say(self, where: Located | Path, key: str, what: str, fix: str | None = None) -> None:
        """Keep a problem."""
        file, line = (where.file, where.line) if isinstance(where, Located) else (_shown(where), None)
        problem = Problem(file, line, key, what, fix)
        if problem not in self.problems:  # what stands in defaults.yaml is found again with every host
            self.problems.append(problem)

    def file(self, file: Path) -> Located | None:
        """The file's mapping, or None where there is none to go on with."""
        content, problems = read(file, _shown(file))
        for problem in problems:
            hint = "a host needs ssh.address and domain at least" if file.parent.name == "hosts" else None
            hint = hint or "fill it, or delete it where hosts share nothing"
            fix = hint if problem.what == "is empty" else problem.fix
            self.problems.append(Problem(problem.file, problem.line, problem.key, problem.what, fix))
        if content is None:
            return None
        if not isinstance(content.value, dict):
            self.say(content, "", "is not a mapping", "write lines of the form `key: value`")
            return None
        for key, located in _all_values(content):
            if isinstance(located.value, str) and PLACEHOLDER in located.value:
                self.placeholders = True
                self.say(located, key, f"still says {PLACEHOLDER}")
        return content

    def lab(self, defaults: Located | None) -> LabSettings | None:
        """The section `lab` of defaults.yaml; empty is enough to make the inventory a lab."""
        if defaults is None or "lab" not in _keys(defaults):
            return None
        section = _child(defaults, "lab")
        if section.value is None:
            return LabSettings()
        return self.typed(LabSettings, section, section.file, ("lab",)) or LabSettings()

    def typed(
        self, model: type[_Model], content: Located, file: Path, inside: tuple[str, ...] = ()
    ) -> _Model | None:
        """The content as a model, or None with its problems kept."""
        try:
            return model.model_validate(plain(content))
        except ValidationError as error:
            for finding in findings(error, model):
                self._say_finding(finding, content, file, inside)
            return None

    def _say_finding(self, finding: Finding, content: Located, file: Path, inside: tuple[str, ...]) -> None:
        found, depth = place(content, finding.path)
        if isinstance(found.value, str) and PLACEHOLDER in found.value:
            return
        where: Located | Path = found if depth or inside else file
        self.say(where, dotted((*inside, *finding.path)), finding.what, finding.fix)

    def check_files(self, settings: HostSettings, content: Located) -> None:
        """Every file that a setting names must be there, before anything begins."""
        for path in _FILES:
            value: Any = settings
            for step in path:
                value = getattr(value, step, None)  # an optional section may not be there
            if value is None:
                continue
            try:
                named = self.folder / Path(value).expanduser()
                missing = not named.is_file() or not os.access(named, os.R_OK)
            except (OSError, ValueError, RuntimeError):
                missing = True
            if missing:
                found, _ = place(content, path)
                self.say(found, dotted(path), "names a file that is not there or cannot be read")

    def check_twins(self, hosts: dict[str, HostSettings], places: dict[str, Located]) -> None:
        """Two hosts with one address or one public name would be deployed over each other."""
        addresses: dict[tuple[str, int], str] = {}
        domains: dict[str, str] = {}
        for name, host in hosts.items():
            first = addresses.setdefault((host.ssh.address.lower(), host.ssh.port), name)
            if first != name:
                found, _ = place(places[name], ("ssh", "address"))
                what = f"is the address and port of the host {first} as well"
                self.say(found, "ssh.address", what, f"give {name} its own address")
            for key, public in zip(("domain", "api.own_host"), host.names, strict=False):
                first = domains.setdefault(public, name)
                if first != name:
                    found, _ = place(places[name], tuple(key.split(".")))
                    what = f"is the name of the host {first} as well"
                    self.say(found, key, what, f"give {name} its own name")

    def finish(self) -> None:
        """Raises InputError where there is any problem."""
        if not self.problems:
            return
        count = len(self.problems)
        fix = None
        if self.placeholders:
            fix = (
                f"replace each {PLACEHOLDER}: the server's SSH address (ssh.address), the public name "
                "(domain), the mail server (smtp.url) and the administrator's address (admin.email)"
            )
        raise InputError(
            f"the inventory {self.folder.name} has {count} problem{'s' if count > 1 else ''}",
            fix=fix,
            problems=tuple(sorted(self.problems, key=lambda found: (str(found.file), found.line or 0))),
        )


def _shown(file: Path) -> Path:
    """As short as it is clear: from the folder where the user stands, if the file lies below it."""
    try:
        return file.relative_to(Path.cwd())
    except (ValueError, OSError):
        return file


def _keys(content: Located) -> dict[str, Located]:
    return content.value if isinstance(content.value, dict) else {}


def _child(content: Located, key: str) -> Located:
    return _keys(content)[key]


def _without(content: Located | None, key: str) -> Located:
    assert content is not None  # noqa: S101 - callers have looked
    kept = {name: value for name, value in _keys(content).items() if name != key}
    return Located(kept, content.file, content.line)


def _overlaid(below: Located, above: Located) -> Located:
    """Mappings are merged key by key, all else is replaced by what lies above."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    merged = dict(below.value)
    for key, value in above.value.items():
        merged[key] = _overlaid(merged[key], value) if key in merged else value
    return Located(merged, above.file, above.line)


def _all_values(content: Located, key: str = "") -> Iterator[tuple[str, Located]]:
    if isinstance(content.value, dict):
        for name, child in content.value.items():
            yield from _all_values(child, f"{key}.{name}" if key else name)
    elif isinstance(content.value, list):
        for position, child in enumerate(content.value):
            yield from _all_values(child, f"{key}[{position}]")
    else:
        yield key, content
