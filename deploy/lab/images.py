"""The images of an instance's services, built without a registry: PostgreSQL, HAProxy, Redis, stand-ins.

All but lego stand on one root, so that its layer is sent to a host once; what each adds lies in
`image_files/`.
An image has two names: one with a hash of all that it was made of, by which it is found again, and a plain
one for inventories.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import BuildError, ImageNotFound

from deploy.errors import CalstackError
from deploy.lab import engine, pip, roots
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import REPOSITORY, Report, cache_folder, remove_folder

if TYPE_CHECKING:
    from docker import DockerClient

_HERE = Path(__file__).parent
_STANDIN = _HERE / "standin"
_PYTHON = "3.13"
_ARCHIVE_LIFE = 86_400  # seconds
_ARCHITECTURES = ("x86_64", "aarch64")


@dataclass(frozen=True)
class Entry:
    """A file of a build context."""

    name: str
    file: Path


@dataclass(frozen=True)
class Service:
    """An image of the lab: its plain name, and the files that its build reads."""

    name: str
    tag: str
    content: Callable[[], Iterator[Entry]]
    needs_site: bool = False
    """Whether the Python packages of the stand-in belong into it."""
    base: Service | None = None
    """The image that it stands on, where that is not a root."""
    root: roots.Root = roots.SERVICES
    """The root that it, or its base, stands on."""

    @property
    def reference(self) -> str:
        """The name that inventories use."""
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    @property
    def exact_reference(self) -> str:
        """The name that changes with any file that the image is made of."""
        below = self.base.exact_reference if self.base else self.root.image
        digest = hashlib.sha256(below.encode())
        for entry in sorted(self.content(), key=lambda entry: entry.name):
            mode = entry.file.stat().st_mode & 0o111
            digest.update(f"\0{entry.name}\0{mode}\0".encode())
            digest.update(entry.file.read_bytes())
        return f"{self.reference}-{digest.hexdigest()[:12]}"


def _own_files(name: str) -> Iterator[Entry]:
    return _tree(roots.IMAGE_FILES / name, "")


def _standin_files() -> Iterator[Entry]:
    yield from _own_files("calcom")
    yield Entry("requirements.txt", _STANDIN / "requirements.txt")
    yield from _tree(_STANDIN / "image", "content/")
    for entry in _tree(_STANDIN, "content/opt/standin/standin/"):
        if not entry.file.is_relative_to(_STANDIN / "image"):
            yield entry


def _tree(folder: Path, prefix: str) -> Iterator[Entry]:
    for file in folder.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield Entry(prefix + file.relative_to(folder).as_posix(), file)


POSTGRES = Service("postgres", "17", lambda: _own_files("postgres"))
HAPROXY = Service("haproxy", "3.0", lambda: _own_files("haproxy"))
CALCOM = Service("calcom", "6.2.0", _standin_files, needs_site=True)
REDIS = Service("redis", "8.0", lambda: _own_files("redis"))
CALCOM_API = Service("calcom-api", "6.2.0", lambda: _own_files("calcom-api"), base=CALCOM)
RESTIC = Service("restic", "0.18", lambda: _own_files("restic"))
SERVICES = (POSTGRES, HAPROXY, CALCOM, REDIS, CALCOM_API, RESTIC)
LEGO = Service("lego", "4", lambda: _own_files("lego"), root=roots.ACME)
"""Not among `SERVICES`: only hosts with `tls.mode: acme` need it."""


def ensure_service_images(client: DockerClient, report: Report) -> dict[str, str]:
    """Make sure of all images of an instance; the id of each by its plain name. 30 s where nothing is there.

    Raises `CalstackError` with the build's last words where one fails.
    """
    return {service.reference: _ensure(client, service, report) for service in SERVICES}


def ensure_service_image(client: DockerClient, service: Service) -> str:
    """Make sure of one image, in silence; its plain name comes back."""
    _ensure(client, service, _say_nothing)
    return service.reference


def ensure_postgres_image() -> str:
    """Make sure of an engine and the PostgreSQL image alone; its plain name comes back."""
    return ensure_service_image(engine.ensure_engine(_say_nothing), POSTGRES)


def _say_nothing(_line: str) -> None:
    return


def services_archive(client: DockerClient) -> Path:
    """The `docker save` file that holds the images of all services, one file so that they share layers.

    The images have to exist; the file is kept until one of them changes.
    """
    names = sorted(service.reference for service in SERVICES)
    ids = [str(client.images.get(name).id) for name in names]
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
    archive = cache_folder() / f"services-{digest}.tar"
    with build_lock("archive"):
        if not archive.is_file():
            _save(client, names, archive)
        archive.touch()
        _remove_unused_archives(archive.parent)
    return archive


def _remove_unused_archives(folder: Path) -> None:
    # Another checkout may send an older one to its hosts right now: only what nobody took for a day goes.
    for archive in folder.glob("services-*.tar"):
        if time.time() - archive.stat().st_mtime > _ARCHIVE_LIFE:
            archive.unlink(missing_ok=True)


def _save(client: DockerClient, names: list[str], archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    # The SDK's own call saves one image only; the engine's takes several and writes a shared layer once.
    answer = client.api.get(
        f"{client.api.base_url}/v{client.api.api_version}/images/get",
        params={"names": names},
        stream=True,
        timeout=300,
    )
    answer.raise_for_status()
    with partial.open("wb") as file:
        for chunk in answer.iter_content(1 << 20):
            file.write(chunk)
    partial.replace(archive)


def _ensure(client: DockerClient, service: Service, report: Report) -> str:
    exact = service.exact_reference
    with build_lock(f"image-{service.name}"):
        try:
            image = client.images.get(exact)
        except ImageNotFound:
            root = _base(client, service, report)
            report(f"building the image {service.reference}")
            image = client.images.get(_build(client, service, root, exact))
        if service.reference not in image.tags:
            image.tag(f"{REPOSITORY}/{service.name}", service.tag)
    return str(image.id)


def _base(client: DockerClient, service: Service, report: Report) -> str:
    if service.base is None:
        return roots.ensure_root(client, service.root, report)
    _ensure(client, service.base, report)
    return service.base.exact_reference


def _build(client: DockerClient, service: Service, root: str, exact: str) -> str:
    entries = list(service.content())
    if service.needs_site:
        site = _python_site(client, _STANDIN / "requirements.txt")
        entries += _tree(site, "content/opt/standin/site/")
    try:
        image, _log = client.images.build(
            fileobj=io.BytesIO(_context(entries)),
            custom_context=True,
            tag=exact,
            buildargs={"ROOT": root},
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        words = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
        raise CalstackError(
            f"the image {service.reference} could not be built: {error.msg}\n{words[-1500:]}",
            fix="look at what is built: deploy/lab/image_files/",
        ) from error
    return str(image.id)


def _context(entries: list[Entry]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for entry in sorted(entries, key=lambda entry: entry.name):
            info = tarfile.TarInfo(entry.name)
            info.mode = 0o755 if entry.file.stat().st_mode & 0o111 else 0o644
            info.size = entry.file.stat().st_size
            with entry.file.open("rb") as content:
                archive.addfile(info, content)
    return stream.getvalue()


def _python_site(client: DockerClient, requirements: Path) -> Path:
    """A folder with the hashed requirements, installed for the image's Python rather than this machine's."""
    architecture = engine.architecture(client)
    if architecture not in _ARCHITECTURES:
        raise CalstackError(
            f"the engine runs on {architecture}; the lab's images exist for {', '.join(_ARCHITECTURES)}",
            fix="use a machine of one of these kinds, or real servers: make deploy INVENTORY=name",
        )
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    site = cache_folder() / f"site-{architecture}-{digest}"
    if site.is_dir():
        return site
    partial = site.with_suffix(".partial")
    remove_folder(partial)
    what = "the stand-in's packages"
    pip.fetch("install", requirements, partial, architecture=architecture, python=_PYTHON, what=what)
    partial.rename(site)
    return site
