"""Gives each check its host, and says of each what came out.

    python -m pytest tests/verify --inventory lab [--calstack-hosts cal1,cal2]

`calstack verify` runs the same and prints it shorter. Without --inventory nothing here is collected, so that
a plain run of the test suite does not look for hosts.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import testinfra.host

from deploy.errors import CalstackError
from deploy.secrets import SecretStore
from deploy.settings.load import load_inventory
from tests.verify.server import NotSeenError, Server

SERVERS = pytest.StashKey[dict[str, Server]]()
FOLDER = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("calstack")
    group.addoption("--inventory", help="folder under inventories/, or a path to one")
    group.addoption("--calstack-hosts", help="only these hosts, separated by commas")
    group.addoption("--calstack-report", type=Path, help="file that gets one JSON line a check")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.parent == Path(__file__).parent and not config.getoption("--inventory", default=None):
        return True
    return None


def pytest_sessionstart(session: pytest.Session) -> None:
    chosen = session.config.getoption("--inventory", default=None)
    if not chosen:
        return
    try:
        servers = _servers(session.config, chosen)
    except CalstackError as error:
        raise pytest.UsageError(str(error)) from None
    session.config.stash[SERVERS] = servers
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Server.contact, servers.values()))


def _servers(config: pytest.Config, chosen: str) -> dict[str, Server]:
    inventory = load_inventory(chosen)
    limit = config.getoption("--calstack-hosts")
    names = limit.split(",") if limit else list(inventory.hosts)
    if unknown := [name for name in names if name not in inventory.hosts]:
        raise pytest.UsageError(f"no host {', '.join(unknown)} in the inventory {inventory.name}")
    store = SecretStore.open(inventory)
    # Short, since a socket's path may have 104 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="calstack-"))
    config.stash[FOLDER] = folder
    return {name: Server(name, inventory, store, folder) for name in names}


def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.stash.get(FOLDER, None)
    if folder is None:
        return
    for server in session.config.stash[SERVERS].values():
        server.hang_up()
    shutil.rmtree(folder, ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    servers = metafunc.config.stash.get(SERVERS, {})
    if "any_server" in metafunc.fixturenames:
        metafunc.parametrize("any_server", servers, indirect=True, scope="session")
    elif "server" in metafunc.fixturenames:
        asks_the_api = "api" in metafunc.fixturenames
        chosen = [name for name, server in servers.items() if server.settings.has_api or not asks_the_api]
        metafunc.parametrize("server", chosen, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a host that cannot be reached, one check is left: that it can be reached."""
    silent = {name for name, server in config.stash.get(SERVERS, {}).items() if server.unreachable}
    gone = [item for item in items if _host_of(item) in silent and "any_server" not in _fixtures(item)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def _fixtures(item: pytest.Item) -> list[str]:
    names: list[str] = getattr(item, "fixturenames", [])
    return names


def _host_of(item: pytest.Item) -> str:
    parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("server") or parameters.get("any_server") or "")


@pytest.fixture(scope="session")
def any_server(request: pytest.FixtureRequest) -> Server:
    """A host of the inventory, whether it answers or not."""
    return request.config.stash[SERVERS][request.param]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """A host of the inventory that answers."""
    return request.config.stash[SERVERS][request.param]


@pytest.fixture(scope="session")
def entrance(server: Server) -> Server:
    """The same, for checks of the public entrance: they fail with one cause where it does not answer."""
    if server.entrance_problem is not None:
        raise NotSeenError(server.entrance_problem)
    return server


@pytest.fixture(scope="session")
def app(entrance: Server) -> Server:
    """The same, for checks of what the app answers there."""
    if entrance.app_problem is not None:
        raise NotSeenError(entrance.app_problem)
    return entrance


@pytest.fixture(scope="session")
def api(entrance: Server) -> Server:
    """The same of the API, where there is one; other hosts have nothing to check there."""
    if entrance.api_problem is not None:
        raise NotSeenError(entrance.api_problem)
    return entrance


@pytest.fixture(scope="session")
def host(server: Server) -> testinfra.host.Host:
    """testinfra's view of the host."""
    return server.host


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    servers = item.config.stash.get(SERVERS, {})
    name = _host_of(item)
    if name not in servers or report.skipped:
        # What a host does not have needs no check.
        return report
    if call.excinfo is not None:
        message = servers[name].store.masker.mask(_message(call.excinfo.value))
        report.longrepr = message
    if report.when == "call" or report.failed:
        _write_down(item, name, report)
    return report


def _message(error: BaseException) -> str:
    """The check's own words; of an error that no check foresaw, its kind as well."""
    if isinstance(error, AssertionError | NotSeenError):
        return str(error)
    return f"this could not be checked: {type(error).__name__}: {error}"


def _write_down(item: pytest.Item, host: str, report: pytest.TestReport) -> None:
    file = item.config.getoption("--calstack-report")
    if file is None:
        return
    line = {
        "host": host,
        "check": item.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " "),
        "passed": report.passed,
        "message": "" if report.passed else str(report.longrepr),
    }
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")
