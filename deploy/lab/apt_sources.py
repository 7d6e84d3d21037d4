"""Where this machine gets Debian's packages, read from its own apt configuration.

The lab's roots and hosts use the same mirror, since a machine behind a closed network has no other. Forms of
the files: sources.list(5), both the one-line style and deb822; `mirror+file:` URIs: apt-transport-mirror(1).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Options that decide whether this machine's apt accepts and reaches the mirror; others are its own business.
_ACCESS_OPTIONS = re.compile(
    r"^(Acquire::(?:Check-Valid-Until|Check-Date|Retries|ForceIPv[46]|(?:http|https)(?:::\S+)?::Proxy)"
    r'|Acquire::https?::Timeout) "(.*)";$'
)


@dataclass(frozen=True)
class Source:
    """One entry of apt's sources: every URI holds every suite."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirror:
    """The addresses of Debian's archive that this machine uses."""

    main: str
    security: str | None
    """Address of the security archive; None where the machine names none."""

    def sources_list(self, codename: str) -> str:
        """The one-line style sources of a server of that Debian release."""
        lines = [f"deb {self.main} {codename} main", f"deb {self.main} {codename}-updates main"]
        if self.security:
            lines.append(f"deb {self.security} {codename}-security main")
        return "".join(f"{line}\n" for line in lines)


def parse_one_line(text: str) -> list[Source]:
    """The entries of a `*.list` file; source packages and comments are left out."""
    found = []
    for raw in text.splitlines():
        line = re.sub(r"\[[^]]*\]", " ", raw.split("#", 1)[0])
        words = line.split()
        if len(words) >= 3 and words[0] == "deb":
            found.append(Source((words[1],), (words[2],), tuple(words[3:])))
    return found


def parse_deb822(text: str) -> list[Source]:
    """The entries of a `*.sources` file; disabled ones and source packages are left out."""
    found = []
    for stanza in re.split(r"\n\s*\n", _without_comments(text)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in " \t" and name:
                fields[name] += " " + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            found.append(
                Source(
                    tuple(fields.get("uris", "").split()),
                    tuple(fields.get("suites", "").split()),
                    tuple(fields.get("components", "").split()),
                )
            )
    return found


def choose_mirror(sources: Iterable[Source], codename: str) -> Mirror | None:
    """Debian's own archive among the sources of a Debian machine of that release; None where there is none.

    Others publish under Debian's code names too: the archive is the one that also holds the release's
    updates, or else the one whose address ends as the archive's does.
    """
    listed = list(sources)
    holders = [
        uri
        for source in listed
        if codename in source.suites and "main" in source.components
        for uri in source.uris
        if not uri.startswith("cdrom:")
    ]
    updated = {uri for source in listed if f"{codename}-updates" in source.suites for uri in source.uris}
    ranked = sorted(holders, key=lambda uri: (uri not in updated, not uri.rstrip("/").endswith("/debian")))
    if not ranked:
        return None
    security = [uri for source in listed if f"{codename}-security" in source.suites for uri in source.uris]
    return Mirror(ranked[0], security[0] if security else None)


def machine_mirror(etc: Path = Path("/etc")) -> Mirror | None:
    """The mirror of this machine; None where it is no Debian: mmdebstrap's own default has to serve then."""
    release = _os_release(etc / "os-release")
    if release.get("ID") != "debian":
        return None
    mirror = choose_mirror(_machine_sources(etc / "apt"), release.get("VERSION_CODENAME", ""))
    if mirror is None:
        return None
    return Mirror(_direct(mirror.main), _direct(mirror.security) if mirror.security else None)


def access_options() -> list[str]:
    """apt options, as lines of apt.conf(5), without which this machine could not use its mirror."""
    done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if _ACCESS_OPTIONS.match(line)]


def _machine_sources(apt: Path) -> list[Source]:
    parts = sorted((apt / "sources.list.d").glob("*"))
    found = []
    for file in [apt / "sources.list", *parts]:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".list":
            found += parse_one_line(text)
        elif file.suffix == ".sources":
            found += parse_deb822(text)
    return found


def _direct(uri: str) -> str:
    """The address itself where apt is told to read it from a list of mirrors on this machine."""
    if not uri.startswith("mirror+file:"):
        return uri
    text = Path("/" + uri.removeprefix("mirror+file:").lstrip("/")).read_text(encoding="utf-8")
    return next(iter(_without_comments(text).split()), uri)


def _os_release(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: value.strip("\"'") for name, _, value in pairs}


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
