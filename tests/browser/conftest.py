"""A headless Chromium that reaches one instance and nothing else, and trusts the lab's authority alone.

The instance is the one that the tests of the lab deploy. To try with a lab that runs already:

    CALSTACK_BROWSER_LAB=inventories/lab python -m pytest tests/browser
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

from tests.deployed_lab import DeployedLab

PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver", "certutil": "libnss3-tools"}
"""Programs and the Debian packages that carry them."""


@pytest.fixture(scope="session")
def instance(request: pytest.FixtureRequest) -> DeployedLab:
    """The lab instance whose pages are opened."""
    running = os.environ.get("CALSTACK_BROWSER_LAB")
    if running is None:
        lab: DeployedLab = request.getfixturevalue("deployed_lab")
        return lab
    return DeployedLab(Path(running).resolve(), dict(os.environ), subprocess.CompletedProcess([], 0, "", ""))


@pytest.fixture(scope="session")
def programs() -> dict[str, str]:
    """Where Chromium, its driver and certutil lie; installed with apt where that is possible."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], env=environment, capture_output=True, check=False)
        subprocess.run([*install, *missing], env=environment, capture_output=True, check=False)
    found = {program: shutil.which(program) for program in PROGRAMS}
    if lacking := [PROGRAMS[program] for program, path in found.items() if path is None]:
        pytest.skip(f"not installed, and not installable from here: {', '.join(lacking)}")
    return {program: path for program, path in found.items() if path is not None}


@pytest.fixture
def browser(programs: dict[str, str], instance: DeployedLab, tmp_path: Path) -> Iterator[WebDriver]:
    """A new browser with a home of its own, as a guest's who has never been here."""
    _trust(programs["certutil"], instance.ca_file, tmp_path)
    options = Options()
    options.binary_location = programs["chromium"]
    for argument in (
        "--headless=new",
        "--no-sandbox",  # Chromium's own sandbox refuses to run as root
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,1600",
        f"--user-data-dir={tmp_path / 'profile'}",
        # Whatever else a page names is not found: nothing leaves this machine, where tests have pages too.
        f"--host-resolver-rules=MAP {instance.domain} {instance.address},MAP * ~NOTFOUND,EXCLUDE localhost",
    ):
        options.add_argument(argument)
    service = Service(programs["chromedriver"], env={**os.environ, "HOME": str(tmp_path)})
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def _trust(certutil: str, authority: Path, home: Path) -> None:
    """Make Chromium trust the lab's authority; on Linux it reads the NSS database of its home."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    where = ["-d", f"sql:{database}"]
    subprocess.run([certutil, "-N", "--empty-password", *where], check=True, capture_output=True)
    trust = ["-A", "-n", "lab", "-t", "C,,", "-i", str(authority)]
    subprocess.run([certutil, *trust, *where], check=True, capture_output=True)
