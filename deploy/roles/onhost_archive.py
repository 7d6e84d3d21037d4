"""Packs `deploy/onhost` into the one file that a host gets: a zip archive that /usr/bin/python3 runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from deploy import onhost

_SHEBANG = b"#!/usr/bin/python3\n"
_MAIN = (
    '"""Starts the package beside it."""\n\nfrom onhost.__main__ import main\n\nraise SystemExit(main())\n'
)
_OLDEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def build() -> bytes:
    """The archive; the same bytes for the same sources, so that a host changes only when they did.

    Dates are fixed, names sorted, and nothing is compressed, since zlib's output differs between versions.
    """
    archive = io.BytesIO()
    archive.write(_SHEBANG)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as pack:
        for name, content in _members():
            member = zipfile.ZipInfo(name, _OLDEST_ZIP_DATE)
            member.create_system = 3  # Unix, whatever built it
            member.external_attr = 0o644 << 16
            pack.writestr(member, content)
    return archive.getvalue()


def _members() -> list[tuple[str, bytes]]:
    package = Path(onhost.__path__[0])
    modules = [
        (f"onhost/{module.relative_to(package).as_posix()}", module.read_bytes())
        for module in package.rglob("*.py")
    ]
    return sorted([("__main__.py", _MAIN.encode()), *modules])
