"""The settings of a host: names, types, defaults and rules.

The reference page `docs/settings.md` and the JSON Schema `inventories/settings.schema.json` are generated
from this module (`deploy/settings/reference.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from deploy.errors import InputError
from deploy.settings import rules
from deploy.settings.app_variables import problem_with_variable
from deploy.settings.backups import Backups
from deploy.settings.metrics import Metrics
from deploy.settings.proxy import Proxy
from deploy.settings.rate_limits import RateLimits
from deploy.settings.section import FilePath, Line, SecretReference, Section
from deploy.settings.smtp_server import SmtpServer
from deploy.settings.tls import LETS_ENCRYPT_STAGING, Tls
from deploy.settings.turnstile import Turnstile

_FEWEST_CONNECTIONS_WITH_API = 40


class Ssh(Section):
    """How to reach the host."""

    address: Annotated[str, AfterValidator(rules.ssh_address)]
    """Where sshd answers."""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    """Port of sshd."""
    user: Line = "root"
    """Who signs in; any other user than root needs sudo without a password."""
    key_file: FilePath | None = None
    """Private key; a relative path starts at the inventory's folder. Without it ssh's own keys and agent."""
    known_hosts_file: FilePath | None = None
    """Known hosts file; a relative path starts at the inventory's folder. Without it ~/.ssh/known_hosts."""


class Admin(Section):
    """The first administrator of the instance."""

    email: Annotated[str, AfterValidator(rules.email), AfterValidator(str.lower)]
    """The sign-in name. Cal.com keeps it in small letters."""
    username: Annotated[str, AfterValidator(rules.username)] = "admin"
    """The user's part of booking links, https://DOMAIN/USERNAME."""
    name: Annotated[str, AfterValidator(rules.full_name)] = "Admin"
    """Full name."""
    time_zone: Annotated[str, AfterValidator(rules.time_zone)] = "UTC"
    """Where the administrator's working hours are meant."""


class Image(Section):
    """Where a container image comes from: a registry, or an archive that is sent to the host over SSH."""

    reference: Annotated[str, AfterValidator(rules.image_reference)]
    """Registry reference, pinned by digest where possible; for an archive the name that its image carries."""
    reference_arm64: Annotated[str, AfterValidator(rules.image_reference)] | None = None
    """Reference for arm64 hosts, where one reference does not serve both (Cal.com's does not)."""
    archive: FilePath | None = None
    """File made by `docker save`, sent only when the host lacks the image; relative to the inventory."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When to ask the registry."""

    @model_validator(mode="after")
    def _archive_is_not_pulled(self) -> Image:
        """With an archive, `pull` is not `always`."""
        if self.archive is not None and self.pull == "always":
            raise rules.refused(
                "always asks the registry, so the archive would be sent for nothing",
                "remove the archive, or write pull: never",
                key="pull",
            )
        return self

    def for_architecture(self, architecture: str) -> str:
        """The reference for a host of this architecture, `amd64` or `arm64`.

        Raises InputError where the image does not serve it: Cal.com's own image has one tag a processor,
        arm64 with the suffix `-arm` (FACTS §1).
        """
        if architecture == "arm64" and self.reference_arm64 is not None:
            return self.reference_arm64
        if rules.is_official_web_image(self.reference):
            made_for_arm = "-arm" in self.reference.rpartition("/")[2]
            if architecture == "arm64" and not made_for_arm:
                raise InputError(
                    f"the image {self.reference} is built for amd64, and this host is arm64",
                    fix="set reference_arm64 beside it: Cal.com's tags for arm64 end in -arm",
                )
            if architecture == "amd64" and made_for_arm:
                raise InputError(
                    f"the image {self.reference} is built for arm64, and this host is amd64",
                    fix="write the tag without -arm as reference, and this one as reference_arm64",
                )
        return self.reference


class Images(Section):
    """The images of the services."""

    web: Image
    """Cal.com's web app."""
    database: Image
    """PostgreSQL 17, with the interface of the official image."""
    proxy: Image
    """HAProxy, a patch release of an LTS line, with the interface of the official image."""
    api: Image | None = None
    """Cal.com's API v2. There is no official image: build one from `apps/api/v2/Dockerfile` of the version
    that `app.version` names. Without it the instance has no API."""
    cache: Image | None = None
    """Redis or Valkey, with the interface of the official image. The API alone needs it."""
    acme: Image | None = None
    """lego 4, which gets certificates in `tls.mode: acme`, with the interface of the official image
    (goacme/lego)."""

    restic: Image | None = None
    """restic 0.17 or newer, which keeps the backups, with the interface of the official image
    (restic/restic); the program is copied out of it onto the host."""

    @model_validator(mode="after")
    def _api_and_cache_together(self) -> Images:
        """`api` and `cache` stand together or not at all."""
        if (self.api is None) != (self.cache is None):
            there, lacking = ("api", "cache") if self.cache is None else ("cache", "api")
            raise rules.refused(
                f"stands there without {lacking}; the API needs both, and nothing else needs a cache",
                f"add images.{lacking}, or remove it",
                key=there,
            )
        return self


class Smtp(Section):
    """How the app sends mail: either `url`, or `host` with its companions, or `resend_api_key`."""

    url: Line | SecretReference | None = None
    """smtp://USER@HOST:587 (STARTTLS) or smtps://USER@HOST:465 (TLS from the start); no password inside a
    plain value: give `password`, or the whole URL as a secret."""
    host: Line | None = None
    """Mail server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """465 means TLS from the start, every other port STARTTLS where the server offers it."""
    user: Line | None = None
    """Who signs in at the mail server."""
    password: SecretReference | None = None
    """Password for the mail server."""
    resend_api_key: SecretReference | None = None
    """Key of the Resend service, instead of a mail server."""
    from_address: Annotated[str, AfterValidator(rules.sender)] | None = None
    """The sender. Without it the user who signs in at the mail server, where that is an address, else
    noreply@DOMAIN."""
    from_name: Annotated[str, AfterValidator(rules.single_line)] = "Cal.com"
    """The sender's display name."""

    @field_validator("url")
    @classmethod
    def _url_is_sound(cls, value: str | SecretReference | None) -> str | SecretReference | None:
        """smtps:// goes with port 465 alone, smtp:// with every other port; no plain password inside."""
        if isinstance(value, str):
            try:
                server = SmtpServer.from_url(value)
            except ValueError as error:
                raise rules.refused(str(error), "write it like smtp://USER@HOST:587") from None
            if server.password is not None:
                raise rules.refused(
                    "carries a password in plain text",
                    "leave the password out of it and write password: !secret smtp_password, "
                    "or make the whole URL a secret: url: !secret smtp_url",
                )
        return value

    @model_validator(mode="after")
    def _exactly_one_form(self) -> Smtp:
        """Exactly one of `url`, `host` and `resend_api_key`; user and password only together."""
        given = self.model_fields_set
        forms = [form for form in ("url", "host", "resend_api_key") if getattr(self, form) is not None]
        found: list[tuple[str, str, str | None]] = []
        if not forms:
            found.append(("", "names no way to send mail", "give url, or host, or resend_api_key"))
        for form in forms[1:]:
            found.append(
                (form, f"stands beside {forms[0]}; Cal.com takes one way to send mail", "keep one of them")
            )
        if forms == ["url"]:
            for key in ("port", "user"):
                if key in given and getattr(self, key) is not None:
                    found.append(
                        (key, "belongs into the URL where there is one", f"move {key} into smtp.url")
                    )
            if isinstance(self.url, str):
                user = SmtpServer.from_url(self.url).user
                if self.password is not None and user is None:
                    found.append(
                        ("url", "names no user, but there is a password", "write smtp://USER@HOST:587")
                    )
                if self.password is None and user is not None:
                    found.append(
                        ("url", "names a user, but there is no password", "add password: !secret NAME")
                    )
        if forms == ["host"] and (self.user is None) != (self.password is None):
            lacking, there = ("user", "password") if self.user is None else ("password", "user")
            found.append((there, f"stands there without {lacking}", f"add {lacking}, or remove {there}"))
        if forms == ["resend_api_key"]:
            for key in ("port", "user", "password"):
                if key in given and getattr(self, key) is not None:
                    found.append((key, "has no meaning beside resend_api_key", "remove it"))
        if found:
            raise rules.refused_together(found)
        return self


class App(Section):
    """Cal.com's web app."""

    version: Annotated[str, AfterValidator(rules.version)] = "6.2.0"
    """Version that the image carries. Below 6.0.7 strangers can take over accounts (CVE-2026-23478)."""
    sign_up: Literal["closed", "open"] = "closed"
    """Whether strangers may make accounts."""
    turnstile: Turnstile | None = None
    env: dict[str, str | SecretReference] = {}
    """Further variables of the app: GOOGLE_API_CREDENTIALS, ZOOM_CLIENT_ID, DAILY_API_KEY and the like."""
    ca_file: FilePath | None = None
    """PEM file of authorities that the app shall trust as well (mail, CalDAV); relative to the inventory."""
    memory_mb: Annotated[int, Field(ge=768)] = 2048
    """Memory limit of the container in MiB; the app needs 620 to 720."""
    start_period_seconds: Annotated[int, Field(ge=30)] = 600
    """How long a first start may take before the container counts as unhealthy."""

    @field_validator("env")
    @classmethod
    def _variables_are_allowed(
        cls, value: dict[str, str | SecretReference]
    ) -> dict[str, str | SecretReference]:
        """No variable that calstack sets, that does harm, or that is a secret in plain text; see below."""
        found: list[tuple[str, str, str | None]] = []
        for name, content in value.items():
            problem = problem_with_variable(name, content if isinstance(content, str) else None)
            if problem is not None:
                found.append((name, *problem))
        if found:
            raise rules.refused_together(found)
        return value


class Api(Section):
    """Cal.com's API v2, where `images.api` names its image."""

    own_host: Annotated[str, AfterValidator(rules.domain)] | None = None
    """Name under which the API answers alone, at https://OWN_HOST/v2, beside https://DOMAIN/api/v2."""
    memory_mb: Annotated[int, Field(ge=256)] = 1024
    """Memory limit of the container in MiB; the API needs 350 after light use."""
    cache_memory_mb: Annotated[int, Field(ge=32)] = 128
    """Memory limit of the cache's container in MiB; what the cache keeps may fill three quarters of it."""
    start_period_seconds: Annotated[int, Field(ge=30)] = 180
    """How long a start may take before the container counts as unhealthy."""


class Database(Section):
    """PostgreSQL on the host."""

    memory_mb: Annotated[int, Field(ge=128)] = 1024
    """Memory limit of the container in MiB; a quarter of it becomes shared_buffers."""
    max_connections: Annotated[int, Field(ge=20, le=1000)] = 100
    """Connections that PostgreSQL accepts; the API takes up to three tenths of them."""


class Docker(Section):
    """The container engine."""

    source: Literal["vendor", "distribution", "present"] = "vendor"
    """`vendor`: Docker's own packages; `distribution`: Debian's or Ubuntu's; `present`: leave as it is."""
    compose_file: FilePath | None = None
    """Compose plugin to put in place where the distribution's is too old; relative to the inventory."""

    @model_validator(mode="after")
    def _vendor_brings_compose(self) -> Docker:
        """With `source: vendor` there is no `compose_file`: the packages bring Compose."""
        if self.source == "vendor" and self.compose_file is not None:
            raise rules.refused(
                "is not needed: the vendor's packages bring Compose", "remove it", key="compose_file"
            )
        return self


class Base(Section):
    """The operating system."""

    packages: list[Annotated[str, AfterValidator(rules.package)]] = []
    """Further packages to install."""
    unattended_upgrades: bool = True
    """Install security updates by itself."""
    journal_max_mb: Annotated[int, Field(ge=16)] = 500
    """Most that the journal may take on disk, in MiB."""


class Jobs(Section):
    """The app's periodic endpoints, called by cron."""

    disable: list[str] = []
    """Names of jobs that shall not run; docs/jobs.md lists them."""
    enable: list[str] = []
    """Names of jobs that shall run although they are off by default."""
    ping_url: Annotated[str, AfterValidator(rules.web_address)] | SecretReference | None = None
    """Address that is told of each run's start, success and failure (Healthchecks form); `{job}` in it
    becomes the job's name, and `smoke` for `calstack smoke --ping`."""


class HostSettings(Section):
    """One host of an inventory: `defaults.yaml` with `hosts/NAME.yaml` laid over it."""

    ssh: Ssh
    domain: Annotated[str, AfterValidator(rules.domain)]
    """Public name of the instance; the app's public address is https://DOMAIN."""
    admin: Admin
    images: Images
    clone: bool = False
    """This host is a copy of another instance, for trying things out, and tells nobody anything: it sends no
    mail, has no way out to the internet, runs no jobs and makes no backups. `calstack restore --clone` makes
    it; docs/restore-new-host.md says what it lacks."""
    channel: Literal["auto", "api", "web"] = "auto"
    """How seeding talks to the instance. `auto`: over API v2 where there is one that takes calstack's key and
    can do all that the manifest says, else over the web app, which needs no key and no licence. `api`, `web`:
    that one or not at all."""
    smtp: Smtp | None = None
    """Without it the app sends no mail: bookings work, nobody is told."""
    app: App = App()
    api: Api = Api()
    rate_limits: RateLimits = RateLimits()
    database: Database = Database()
    proxy: Proxy = Proxy()
    tls: Tls = Tls()
    docker: Docker = Docker()
    base: Base = Base()
    jobs: Jobs = Jobs()
    backups: Backups = Backups()
    metrics: Metrics = Metrics()

    @model_validator(mode="before")
    @classmethod
    def _a_clone_gets_nothing_to_reach_people_with(cls, data: Any) -> Any:
        """With `clone`, what hosts share in `smtp`, in secrets of `app.env`, in `jobs.ping_url`, in
        `backups.tell` and in `backups.continuous` is passed over.
        """
        if not (isinstance(data, dict) and data.get("clone") is True):
            return data
        without = {key: value for key, value in data.items() if key != "smtp"}
        for section, spared in (
            ("app", _no_secret_variables),
            ("jobs", _no_ping),
            ("backups", _no_own_backups),
        ):
            if isinstance(without.get(section), dict):
                without[section] = spared(without[section])
        return without

    @model_validator(mode="after")
    def _pages_have_the_turnstile(self) -> HostSettings:
        """With `app.turnstile`, `images.web` is not Cal.com's own image."""
        if self.app.turnstile and rules.is_official_web_image(self.images.web.reference):
            raise rules.refused(
                "would refuse every sign-up: Cal.com's own image was built without a site key, so its pages "
                "show no widget",
                "build an image with NEXT_PUBLIC_CLOUDFLARE_SITEKEY, name it as images.web; or remove this",
                key="app.turnstile",
            )
        return self

    @model_validator(mode="after")
    def _metrics_have_a_port_of_their_own(self) -> HostSettings:
        """`metrics.port` is not `proxy.inner_port`."""
        if self.metrics.port == self.proxy.inner_port:
            raise rules.refused("is the port of the inner entrance", "choose another", key="metrics.port")
        return self

    @model_validator(mode="after")
    def _image_carries_the_version(self) -> HostSettings:
        """A version in the tag of `images.web` is the one of `app.version`."""
        web = self.images.web
        for key, reference in (("reference", web.reference), ("reference_arm64", web.reference_arm64)):
            stated = rules.version_in_tag(reference) if reference else None
            if stated is not None and stated != self.app.version:
                raise rules.refused(
                    f"is Cal.com {stated}, but app.version says {self.app.version}",
                    "make both the same version",
                    key=f"images.web.{key}",
                )
        return self

    @model_validator(mode="after")
    def _acme_has_its_image(self) -> HostSettings:
        """`tls.mode: acme` needs `images.acme`."""
        if self.tls.mode == "acme" and self.images.acme is None:
            raise rules.refused(
                "is missing; tls.mode acme needs lego",
                "add images: {acme: {reference: goacme/lego:v4.35.2}}",
                key="images.acme",
            )
        return self

    @model_validator(mode="after")
    def _backups_have_their_program(self) -> HostSettings:
        """`backups.repositories` needs `images.restic`."""
        if self.backups.repositories and self.images.restic is None:
            raise rules.refused(
                "is missing; backups need restic",
                "add images: {restic: {reference: restic/restic:0.19.1}}",
                key="images.restic",
            )
        return self

    @model_validator(mode="after")
    def _mails_have_a_server(self) -> HostSettings:
        """`backups.tell.mail_to` needs `backups.tell.mail_server`, or a mail server in `smtp`."""
        of_the_app = self.smtp is not None and self.smtp.resend_api_key is None
        if self.backups.tell.mail_to and self.backups.tell.mail_server is None and not of_the_app:
            raise rules.refused(
                "has no mail server to hand mails in",
                "add mail_server: smtp://USER@HOST:587, or smtp",
                key="backups.tell.mail_to",
            )
        return self

    @model_validator(mode="after")
    def _settings_fit_the_api(self) -> HostSettings:
        """Where there is an API, the database accepts 40 connections at least, and `api.own_host` is not
        `domain`; without one, `channel` is not `api`.
        """
        found: list[tuple[str, str, str | None]] = []
        if self.images.api is None and self.channel == "api":
            what = "is api, and there is none without images.api"
            found.append(("channel", what, "write channel: auto, or give images.api and images.cache"))
        if self.images.api is not None and self.database.max_connections < _FEWEST_CONNECTIONS_WITH_API:
            what = f"must be at least {_FEWEST_CONNECTIONS_WITH_API} where there is an API"
            found.append(("database.max_connections", what, None))
        if self.api.own_host == self.domain:
            found.append(
                (
                    "api.own_host",
                    "is the name of the instance itself, where the API answers at /api/v2 anyway",
                    "remove it, or give the API another name",
                )
            )
        if found:
            raise rules.refused_together(found)
        return self

    @property
    def has_api(self) -> bool:
        """Whether the instance has an API v2, and the cache that it needs."""
        return self.images.api is not None

    @property
    def public_url(self) -> str:
        """Public origin without a trailing slash; the app concatenates paths to it (FACTS §3)."""
        return f"https://{self.domain}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every public name of the host, the instance's first."""
        return (self.domain, self.api.own_host) if self.has_api and self.api.own_host else (self.domain,)

    @property
    def api_url(self) -> str:
        """Public base of the API's paths, which begin with `/v2`; without a trailing slash."""
        return f"https://{self.api.own_host}" if self.api.own_host else f"{self.public_url}/api"

    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        found = []
        if rules.version_numbers(self.app.version) < rules.OLDEST_MEASURED_VERSION:
            found.append(
                f"app.version {self.app.version} is older than 6.2.0, the last release with its fixes"
            )
        acme = self.tls.acme
        if self.tls.mode == "acme" and acme is not None and acme.directory == LETS_ENCRYPT_STAGING:
            consequence = (
                ""
                if acme.issuer_ca_file
                else ", and the deploy's own booking fails unless tls.acme.issuer_ca_file names its root"
            )
            found.append(
                "tls.acme.directory is Let's Encrypt's staging environment: browsers refuse its "
                f"certificates{consequence}"
            )
        if not self.has_api:
            given = ["api"] if "api" in self.model_fields_set else []
            given += ["rate_limits.api"] if "api" in self.rate_limits.model_fields_set else []
            found += [f"{section} has no effect without images.api" for section in given]
        return found + self.rate_limits.warnings()


def _no_secret_variables(app: dict[str, Any]) -> dict[str, Any]:
    env = app.get("env")
    if not isinstance(env, dict):
        return app
    plain = {name: value for name, value in env.items() if not isinstance(value, SecretReference)}
    return {**app, "env": plain}


def _no_ping(jobs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in jobs.items() if key != "ping_url"}


def _no_own_backups(backups: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in backups.items() if key not in ("tell", "continuous")}


class LabSettings(Section):
    """Marks an inventory whose hosts are disposable containers on this machine."""

    images: Literal["offline"] = "offline"
    """How the lab's images are made: from distribution packages alone."""
