"""Paths that are closed to the public, and how somebody might write them who hopes to get past."""

from __future__ import annotations

from urllib.parse import quote

from tests.unit.roles.hosts import DOMAIN

CLOSED = (
    "/api/cron/webhookTriggers",
    "/api/cron/workflows/scheduleEmailReminders",
    "/api/tasks/cron",
    "/api/auth/setup",
    "/auth/setup",
    "/api/trpc/deploymentSetup/update",
    "/signup",
    "/auth/signup",
    "/api/auth/signup",
    "/docs",
    "/docs-json",
    "/api/v2/docs",
    "/api/v2/health",
    "/metrics",
    "/calstack/state",
)


def spellings(path: str) -> dict[str, str]:
    """The same path as somebody might write it who hopes to get past."""
    first, _, rest = path[1:].partition("/")
    last = path.rpartition("/")[2]
    before_last = path.removesuffix(last)
    return {
        "as it is": path,
        "slash at the end": f"{path}/",
        "query": f"{path}?apiKey=guess",
        "fragment, encoded": f"{path}%23x",
        "question mark, encoded": f"{path}%3fx",
        "two slashes in front": f"/{path}",
        "two slashes within": path.replace("/", "//"),
        "dot segment": f"/.{path}",
        "dot segments within": path.replace("/", "/./"),
        "dot segment, encoded": f"/%2e{path}",
        "up again": f"/x/..{path}",
        "up again, encoded": f"/x/%2e%2e{path}",
        "up again, half encoded": f"/x/.%2E{path}",
        "up again, twice encoded": f"/x/%252e%252e{path}",
        "up again, slash encoded": f"/x/..%2f{path[1:]}",
        "out of Next's files": f"/_next/static/chunks/../../..{path}",
        "out of Next's files, encoded": f"/_next/static/chunks/%2e%2e/%2e%2e/%2e%2e{path}",
        "out of Next's files, slash encoded": f"/_next/static/..%2f..%2f{path[1:]}",
        "out of Next's files, backslash": f"/_next/static/..\\..\\{path[1:]}",
        "beyond the root": f"/../..{path}",
        "one letter encoded": f"/%{ord(first[0]):02x}{path[2:]}",
        "last letter encoded": f"{path[:-1]}%{ord(path[-1]):02X}",
        "one letter twice encoded": f"/%25{ord(first[0]):02x}{path[2:]}",
        "one letter thrice encoded": f"/%2525{ord(first[0]):02x}{path[2:]}",
        "slash encoded": f"{before_last[:-1]}%2f{last}" if rest else f"/%2f{first}",
        "slash encoded, capital": f"{before_last[:-1]}%2F{last}" if rest else f"/%2F{first}",
        "slash twice encoded": f"{before_last[:-1]}%252f{last}" if rest else f"/%252f{first}",
        "slash thrice encoded": f"{before_last[:-1]}%25252f{last}" if rest else f"/%25252f{first}",
        "backslash": f"{before_last[:-1]}\\{last}" if rest else f"/\\{first}",
        "backslash encoded": f"{before_last[:-1]}%5c{last}" if rest else f"/%5C{first}",
        "parameter at the end": f"{path};a=1",
        "parameter within": f"/{first};a=1/{rest}" if rest else f"/;a=1/{first}",
        "semicolon encoded": f"{path}%3ba",
        "capitals": path.upper(),
        "one capital": f"/{first.capitalize()}{path[1 + len(first) :]}",
        "null byte": f"{path}%00",
        "tab": f"{path[:-1]}%09{path[-1]}",
        "line break": f"{path}%0a",
        "space": f"{path}%20",
        "broken encoding": f"{path}%zz",
        "broken encoding, once decoded": f"{path}%25zz",
        "data route": f"/_next/data/build{path}.json",
        "other form": f"{path}.json",
        "image": f"/_next/image?url={path}&w=64&q=75",
        "image, encoded": f"/_next/image?w=64&q=75&url={quote(path, safe='')}",
        "image, two slashes": f"/_next/%69mage?url=//{path[1:].replace('/', '//')}&w=64",
        "in full": f"https://{DOMAIN}{path}",
        "in full, two slashes": f"https://{DOMAIN}/{path}",
        "in full, other host": f"https://elsewhere.test{path}",
    }


# An encoded line break or broken encoding ends the name, or is none: the app knows no such path either.
REFUSALS = {400, 403, 404, 421}
