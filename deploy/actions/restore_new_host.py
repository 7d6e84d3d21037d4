"""From a bare machine, a repository and its password to the running instance, smoke-tested."""

from __future__ import annotations

import datetime as dt
import functools
import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from deploy.actions.bootstrap import bootstrap
from deploy.actions.carried_secrets import lay_down_secrets
from deploy.actions.jobs import catch_up_jobs
from deploy.actions.opening import Opened, opened
from deploy.actions.smoke import smoke
from deploy.carried_secrets import TakenOver, read, take_over
from deploy.console import Console
from deploy.converge import Connection, Report, connect
from deploy.errors import CalstackError, InputError
from deploy.remote import Remote
from deploy.rendering import ManagedFile
from deploy.roles import backups
from deploy.roles.catalogue import all_files
from deploy.roles.context import HostContext
from deploy.secrets import HostSecrets, SecretStore, placeholders
from deploy.settings.backups import Repository
from deploy.settings.inventory import Inventory
from deploy.settings.layout import NEW_HOST, NEW_HOST_STEP, PROJECT
from deploy.settings.rules import version_numbers
from deploy.settings.section import SecretReference
from deploy.site import describe_machine, machine, preview_context, site
from deploy.smoke.report import SmokeReport

_READING_SECONDS = 1800
_OF_A_CLONE = frozenset({"encryption_key", "admin_password"})
"""What a clone needs of the original's secrets: second factors are encrypted, and people sign in as before.

All else is its own, so that nobody who has a session or a key of the one gets into the other.
"""


@dataclass(frozen=True)
class Wish:
    """What shall be restored, and from where."""

    repository: str
    """Its name in the settings, or its address where they do not name it."""
    place: Repository
    run: str | None
    """Beginning of the run's id; None: the newest."""


@dataclass(frozen=True)
class Offer:
    """The run that the new host is made of."""

    run: str
    instance: str
    started: dt.datetime
    versions: dict[str, str]
    newest_booking: str | None
    rows: int
    secrets: str | None = field(repr=False)


@dataclass
class NewHost:
    """What became of it."""

    host: str
    url: str
    clone: bool
    offer: Offer | None = None
    taken: TakenOver | None = None
    placed: list[str] = field(default_factory=list)
    """Files of the run that no deploy renders, put in place again."""
    lost: list[str] = field(default_factory=list)
    """What a clone had to lose, so that it reaches nobody."""
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage."""
    smoke: SmokeReport | None = None
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the instance runs again and is proven to work."""
        return self.failure is None and self.smoke is not None and self.smoke.passed

    def as_json(self) -> dict[str, Any]:
        """The document of `restore --new-host --json`."""
        offer, taken = self.offer, self.taken
        return {
            "host": self.host,
            "ok": self.ok,
            "url": self.url,
            "clone": self.clone,
            "run": offer.run if offer else None,
            "instance": offer.instance if offer else None,
            "started": offer.started.isoformat() if offer else None,
            "newest_booking": offer.newest_booking if offer else None,
            "secrets": {"added": taken.added, "kept": taken.kept, "replaced": taken.replaced}
            if taken
            else None,
            "files": self.placed,
            "lost": self.lost,
            "notes": self.notes,
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
            "smoke_test": None if self.smoke is None else ("passed" if self.smoke.passed else "failed"),
            "failure": self.why_not,
        }

    def lines(self, inventory: Inventory) -> list[str]:
        """For people."""
        if not self.ok:
            return [f"{self.host}: FAILED", *(f"  {line}" for line in (self.why_not or "").splitlines())]
        settings = inventory.hosts[self.host]
        what = "a clone was made of" if self.clone else "restored from"
        lines = [f"{self.host}: {what} {_told(self.offer)}; smoke test passed"] if self.offer else []
        lines += [
            f"  address     {self.url}",
            f"  sign in     {self.url}/auth/login as {settings.admin.email}, password as before",
        ]
        if self.taken is not None and (self.taken.added or self.taken.replaced):
            lines.append(f"  secrets     {_secrets_told(self.taken)}")
        lines += [f"  file        {path} is back" for path in self.placed]
        lines += [f"  silenced    {lost}" for lost in self.lost]
        lines += [f"  note        {note}" for note in [*self.notes, *_what_next(self.clone)]]
        spent = ", ".join(f"{stage} {seconds:.0f}" for stage, seconds in self.seconds.items())
        return [*lines, f"  seconds     {spent}"]

    @property
    def why_not(self) -> str | None:
        """Why it is not ok, with what to do."""
        if self.failure is None and self.smoke is not None and not self.smoke.passed:
            return "\n".join(self.smoke.conclusion())
        return self.failure


def _told(offer: Offer) -> str:
    hours = (dt.datetime.now(dt.UTC) - offer.started).total_seconds() / 3600
    booking = f", newest booking {offer.newest_booking}" if offer.newest_booking else ""
    return f"the run {offer.run} of {offer.instance} ({hours:.1f} hours old{booking})"


def _secrets_told(taken: TakenOver) -> str:
    lines = [f"{len(taken.added)} came from the run"] if taken.added else []
    if taken.replaced:
        kept = ", ".join(f"{name}_before_restore" for name in taken.replaced)
        lines.append(f"{len(taken.replaced)} were replaced, the old ones are kept as {kept}")
    if taken.kept:
        lines.append(f"the inventory's own stay: {', '.join(taken.kept)}")
    return "; ".join(lines)


def _what_next(clone: bool) -> list[str]:
    if clone:
        return ["it reaches nobody: no mail, no way out, no jobs, no backups; it is no stand-by"]
    return [
        "point the DNS name here, and keep the old machine from coming back up: both would write to people",
        "what happened after the run is lost: see which bookings guests have in their mails",
    ]


def wish(
    inventory: Inventory,
    names: Sequence[str],
    repository: str | None,
    url: str | None,
    run: str | None,
    clone: bool,
) -> tuple[str, Wish]:
    """The host's name and what is wanted for it; raises `InputError` before anything is touched."""
    if len(names) != 1:
        raise InputError(f"one host at a time, of {', '.join(names)}", fix="name it: --limit HOST")
    (name,) = names
    settings = inventory.hosts[name]
    if clone and not settings.clone:
        raise InputError(
            "the inventory does not say that this host is a clone; its next deploy would let it send mails",
            where=inventory.where(name, ()),
            fix="write `clone: true` into the host's file",
        )
    if settings.images.restic is None:
        raise InputError(
            "images.restic is missing; the repository is read with restic",
            where=name,
            fix="add images: {restic: {reference: restic/restic:0.19.1}}",
        )
    all_files(preview_context(inventory, name))
    if url is not None:
        return name, Wish(*_by_url(settings.backups.repositories, url), run)
    known = settings.backups.repositories
    if repository is None and len(known) == 1:
        repository = next(iter(known))
    if repository not in known:
        raise InputError(
            f"no repository {repository!r} in the settings of {name}"
            if repository
            else f"{name} has {'several repositories' if known else 'no repository'} in its settings",
            fix=f"say which: --from {' | '.join(known)}" if known else "say where it lies: --repository URL",
        )
    return name, Wish(repository, known[repository], run)


def known_password(inventory: Inventory, name: str, wanted: Wish) -> str | None:
    """What opens the repository, as far as the inventory has it; nothing is made.

    Raises `InputError` where it lacks another secret without which the repository cannot be reached.
    """
    store = SecretStore.open(inventory)
    place = wanted.place
    for needed in (place.ssh_key, *place.environment.values()):
        if isinstance(needed, SecretReference):
            store.resolve(needed.secret, name)
    secret = place.password.secret if place.password is not None else "backup_password"
    return store.content.value(secret, name) or store.content.value(secret, None)


def restore_new_host(
    inventory: Inventory, name: str, wanted: Wish, password: str, console: Console, report: Report
) -> NewHost:
    """Make the host the instance that the run was made of; it was bare, or this was begun there before.

    The inventory gets the run's secrets once the run is found and fits, and nothing before. Raises
    `CalstackError` for what happened until then; what fails later stands in the result, and the same command
    goes on from there.
    """
    settings = inventory.hosts[name]
    result = NewHost(name, settings.public_url, settings.clone)
    store = SecretStore.open(inventory, tell=console.line)
    console.mask = store.masker.mask
    store.masker.register(password)
    with _stage(result, "read the run", report), connect(inventory, [name], log=console.log) as connection:
        result.offer = _read_run(connection, store, name, wanted, password, report)
    _refuse_unfit(inventory, name, result.offer)
    result.taken = _take_secrets(store, name, result.offer, clone=settings.clone)
    with opened(inventory, [name], console) as hosts, hosts.locked("restore") as free:
        if name in free.refused:
            raise CalstackError(free.refused[name])
        try:
            _build(hosts, result, result.offer, report)
        except CalstackError as error:
            result.failure = str(error)
    return result


def _by_url(known: Mapping[str, Repository], url: str) -> tuple[str, Repository]:
    for name, repository in known.items():
        if repository.url == url:
            return name, repository
    try:
        return url, Repository(url=url)
    except ValidationError as error:
        said = str(error.errors()[0]["msg"])
        raise InputError(
            f"--repository {said}", fix="write it as restic takes it, or put it into backups.repositories"
        ) from None


def _read_run(
    connection: Connection, store: SecretStore, name: str, wanted: Wish, password: str, report: Report
) -> Offer:
    """Bring the bare machine so far that it can read the repository, and read what there is."""
    if name in connection.failures:
        raise CalstackError(connection.failures[name], where=name)
    remote = connection.remote(name)
    with remote.lock("restore"):
        _refuse_inhabited(remote)
        secrets = _known_secrets(store, name)

        def describe() -> None:
            context = describe_machine(secrets)
            machine(context)
            backups.prepare_reading(
                host=context, repository_name=wanted.repository, repository=wanted.place, password=password
            )

        (outcome,) = connection.converge([name], report, describe)
        if outcome.failure is not None:
            raise CalstackError(outcome.failure, where=name)
        report(name, "reading the repository")
        return _offer(remote, wanted, any_instance=connection.inventory.hosts[name].clone)


def _refuse_inhabited(remote: Remote) -> None:
    """Only a host without an instance may become one, or one where this was begun."""
    look = (
        f"[ -e {NEW_HOST}/run ] && exit 0; [ ! -e {PROJECT}/compose.yaml ] || exit 3; "
        "command -v docker >/dev/null && docker volume inspect calcom-database >/dev/null 2>&1 && exit 3; "
        "exit 0"
    )
    if remote.run(look, check=False).code == 3:
        raise InputError(
            "an instance is on this host already; nothing was touched",
            where=remote.name,
            fix="to bring its data back in place: calstack restore; to begin anew, take the instance away",
        )


def _known_secrets(store: SecretStore, name: str) -> HostSecrets:
    """The secrets that the inventory has, and placeholders for all others; none is made."""

    def resolve(secret: str) -> str:
        return store.resolve(secret, name)

    return replace(placeholders(name), _resolve=resolve, _resolve_or_make=resolve)


def _offer(remote: Remote, wanted: Wish, *, any_instance: bool) -> Offer:
    begun, filled = (
        remote.run(f"cat {NEW_HOST}/{note} 2>/dev/null; true").text for note in ("run", "filled")
    )
    if filled and wanted.run and not filled.startswith(wanted.run):
        raise InputError(
            f"this host was made of {filled}; nothing was touched",
            where=remote.name,
            fix="run the same command without another run to end that; then `calstack restore RUN`",
        )
    asked = filled or wanted.run or begun
    command = f"{NEW_HOST_STEP} offer" + (f" --run {shlex.quote(asked)}" if asked else "")
    done = remote.run(
        command + (" --any-instance" if any_instance else ""), timeout=_READING_SECONDS, check=False
    )
    try:
        said = json.loads(done.text)
    except ValueError:
        raise CalstackError(
            done.error_text or "the repository could not be read", where=remote.name
        ) from None
    if "failure" in said:
        raise CalstackError(said["failure"], where=remote.name, fix=_what_to_do(said["cause"], wanted))
    said["started"] = dt.datetime.fromisoformat(said["started"])
    return Offer(**said)


def _what_to_do(cause: str | None, wanted: Wish) -> str | None:
    untouched = "the inventory is as it was"
    if cause == "missing" and wanted.place.url.startswith("/"):
        return (
            f"{wanted.place.url} is a folder of the host itself: on the lost machine's disk it was lost "
            f"with it; bring the folder to the new one, or name another repository; {untouched}"
        )
    if cause == "wrong password":
        return (
            "export the right one as CALSTACK_BACKUP_PASSWORD (the sheet of `calstack backup key` has it); "
            f"{untouched}"
        )
    return f"{untouched}; once that is mended, run the same command again"


def _refuse_unfit(inventory: Inventory, name: str, offer: Offer) -> None:
    settings = inventory.hosts[name]
    of_run, here = offer.versions.get("app"), settings.app.version
    if of_run is not None and version_numbers(of_run) > version_numbers(here):
        raise InputError(
            f"the run {offer.run} was made by Cal.com {of_run}, and the inventory says {here}: an older app "
            "cannot read a newer one's database",
            where=inventory.where(name, ("app", "version")),
            fix=f"set app.version and images.web to {of_run} or newer",
        )
    if offer.secrets is None:
        raise CalstackError(
            f"the run {offer.run} carries no secrets; it was made before a deploy had laid them down",
            where=name,
            fix="choose a newer run; or, with the old secrets.age, deploy, and then `calstack restore`",
        )


def _take_secrets(store: SecretStore, name: str, offer: Offer, *, clone: bool) -> TakenOver:
    carried = read((offer.secrets or "").encode())
    if clone:
        carried = carried.only(_OF_A_CLONE)
    return take_over(store, name, carried, offer.started, replace=clone)


def _build(hosts: Opened, result: NewHost, offer: Offer, report: Report) -> None:
    name = result.host
    instance = hosts.instance(name)
    remote, settings = instance.remote, instance.settings
    remote.run(f"umask 077; printf %s {shlex.quote(offer.run)} >{NEW_HOST}/run")
    if not settings.clone:
        with _stage(result, "files", report):
            result.placed = _lay_out(hosts, name, offer)
    with _stage(result, "converge", report):
        fill = functools.partial(_fill, offer)
        (outcome,) = hosts.connection.converge([name], report, functools.partial(site, fill))
        if outcome.failure is not None:
            raise CalstackError(outcome.failure, where=name)
    result.lost = json.loads(remote.run(f"cat {NEW_HOST}/lost.json").text)
    with _stage(result, "bootstrap", report):
        bootstrap(instance, result.notes.append)
    lay_down_secrets(instance, hosts.store)
    with _stage(result, "smoke test", report):
        result.smoke = smoke(instance)
    if not result.smoke.passed:
        return
    remote.run(f"rm -rf {NEW_HOST}")
    with _stage(result, "jobs", report):
        try:
            catch_up_jobs(instance)
        except CalstackError as error:
            # The instance is back; a repository that does not answer now is the next worry.
            result.notes += str(error).splitlines()


def _fill(offer: Offer, context: HostContext) -> None:
    backups.fill_database(host=context, run=offer.run, instance=offer.instance)


def _lay_out(hosts: Opened, name: str, offer: Offer) -> list[str]:
    """Everything of the run's files that the deploy does not write itself, e.g. compose.override.yaml."""
    rendered = all_files(preview_context(hosts.inventory, name))
    skip = [item.path for item in rendered if not (isinstance(item, ManagedFile) and item.once)]
    command = f"{NEW_HOST_STEP} lay-out {shlex.quote(offer.run)} --instance {shlex.quote(offer.instance)}"
    done = hosts.connection.remote(name).run(
        command, stdin=json.dumps(skip).encode(), timeout=_READING_SECONDS
    )
    return list(json.loads(done.text))


@contextmanager
def _stage(result: NewHost, title: str, report: Report) -> Iterator[None]:
    report(result.host, title)
    started = time.monotonic()
    try:
        yield
    finally:
        result.seconds[title] = time.monotonic() - started
