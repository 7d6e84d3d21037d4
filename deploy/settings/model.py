"""The settings of a host: names, types, defaults and rules.

The reference page `docs/settings.md` and the JSON Schema `inventories/settings.schema.json` are generated
from this module (`deploy/settings/reference.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SecretReference(Section):
    """A value that lies in the inventory's `secrets.age`; written `!secret NAME` in YAML."""

    secret: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    """Name of the secret."""


class Ssh(Section):
    """How to reach the host."""

    address: str
    """Host name or address of the server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    """Port of sshd."""
    user: str = "root"
    """Who signs in; any other user than root needs sudo without a password."""
    key_file: str | None = None
    """Private key; a relative path starts at the inventory's folder. Without it ssh's own keys and agent."""
    known_hosts_file: str | None = None
    """Known hosts file; a relative path starts at the inventory's folder. Without it ~/.ssh/known_hosts."""


class Admin(Section):
    """The first administrator of the instance."""

    email: str
    """E-mail address; the sign-in name."""
    username: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")] = "admin"
    """The user's part of booking links, https://DOMAIN/USERNAME."""
    name: Annotated[str, Field(min_length=3)] = "Admin"
    """Full name, three characters at least."""
    time_zone: str = "UTC"
    """IANA time zone."""


class Image(Section):
    """Where a container image comes from: a registry, or an archive that is sent to the host over SSH."""

    reference: str
    """Registry reference, pinned by digest where possible; for an archive the name that its image carries."""
    reference_arm64: str | None = None
    """Reference for arm64 hosts, where one reference does not serve both (Cal.com's does not)."""
    archive: str | None = None
    """File made by `docker save`, sent only when the host lacks the image; relative to the inventory."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When to ask the registry."""


class Images(Section):
    """The images of the services."""

    web: Image
    """Cal.com's web app."""
    database: Image
    """PostgreSQL 17, with the interface of the official image."""
    proxy: Image
    """HAProxy, a patch release of an LTS line, with the interface of the official image."""


class Smtp(Section):
    """How the app sends mail: either `url`, or `host` with its companions, or `resend_api_key`."""

    url: str | SecretReference | None = None
    """smtp://USER@HOST:587 (STARTTLS) or smtps://USER@HOST:465 (TLS from the start); no password inside a
    plain value: give `password`, or the whole URL as a secret."""
    host: str | None = None
    """Mail server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """465 means TLS from the start, every other port STARTTLS where the server offers it."""
    user: str | None = None
    """Who signs in at the mail server."""
    password: SecretReference | None = None
    """Password for the mail server."""
    resend_api_key: SecretReference | None = None
    """Key of the Resend service, instead of a mail server."""
    from_address: str
    """The bare address of the sender."""
    from_name: str = "Cal.com"
    """The sender's display name."""


class App(Section):
    """Cal.com's web app."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "6.2.0"
    """Version that the image carries; below 6.0.7 is refused (CVE-2026-23478)."""
    sign_up: Literal["closed", "open"] = "closed"
    """Whether strangers may make accounts."""
    env: dict[str, str | SecretReference] = {}
    """Further variables of the app: GOOGLE_API_CREDENTIALS, ZOOM_CLIENT_ID, DAILY_API_KEY and the like.
    Variables that calstack sets itself are refused."""
    ca_file: str | None = None
    """PEM file of authorities that the app shall trust as well (mail, CalDAV); relative to the inventory."""
    memory_mb: Annotated[int, Field(ge=768)] = 2048
    """Memory limit of the container in MiB; the app needs 620 to 720."""
    start_period_seconds: Annotated[int, Field(ge=30)] = 600
    """How long a first start may take before the container counts as unhealthy."""


class Database(Section):
    """PostgreSQL on the host."""

    memory_mb: Annotated[int, Field(ge=128)] = 1024
    """Memory limit of the container in MiB; a quarter of it becomes shared_buffers."""
    max_connections: Annotated[int, Field(ge=20, le=1000)] = 100
    """Connections that PostgreSQL accepts."""


class Tls(Section):
    """Where the proxy's certificate comes from."""

    mode: Literal["internal", "provided"] = "internal"
    """`internal`: a private authority made for this inventory (browsers warn until they trust it);
    `provided`: your own files."""
    certificate_file: str | None = None
    """PEM with the certificate and its chain, for `provided`; relative to the inventory."""
    key: SecretReference | None = None
    """PEM of the private key, for `provided`."""
    hsts: bool = True
    """Tell browsers to come by https alone from now on (two years)."""


class Proxy(Section):
    """HAProxy in front of the app."""

    inner_port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """Port of the inner entrance on the host's loopback."""
    memory_mb: Annotated[int, Field(ge=64)] = 256
    """Memory limit of the container in MiB."""
    max_connections: Annotated[int, Field(ge=100, le=100000)] = 1500
    """Concurrent connections; about 8,000 with TLS need one GB of memory."""


class Docker(Section):
    """The container engine."""

    source: Literal["vendor", "distribution", "present"] = "vendor"
    """`vendor`: Docker's own packages; `distribution`: Debian's or Ubuntu's; `present`: leave what is there."""
    compose_file: str | None = None
    """Compose plugin to put in place where the distribution has none new enough; relative to the inventory."""


class Base(Section):
    """The operating system."""

    packages: list[str] = []
    """Further packages to install."""
    unattended_upgrades: bool = True
    """Install security updates by itself."""
    journal_max_mb: Annotated[int, Field(ge=16)] = 500
    """Most that the journal may take on disk, in MiB."""


class Jobs(Section):
    """The app's periodic endpoints, called by cron."""

    disable: list[str] = []
    """Names of jobs that shall not run; see docs/jobs.md for the names."""
    ping_url: str | SecretReference | None = None
    """Address that is told of each run's start, success and failure (Healthchecks form, JOB is replaced)."""


class HostSettings(Section):
    """One host of an inventory: `defaults.yaml` with `hosts/NAME.yaml` laid over it."""

    ssh: Ssh
    domain: str
    """Public name of the instance; the app's public address is https://DOMAIN."""
    admin: Admin
    images: Images
    smtp: Smtp | None = None
    """Without it the app sends no mail: bookings work, nobody is told."""
    app: App = App()
    database: Database = Database()
    proxy: Proxy = Proxy()
    tls: Tls = Tls()
    docker: Docker = Docker()
    base: Base = Base()
    jobs: Jobs = Jobs()

    @property
    def public_url(self) -> str:
        """Public origin without a trailing slash; the app concatenates paths to it (FACTS §3)."""
        return f"https://{self.domain}"


class LabSettings(Section):
    """Marks an inventory whose hosts are disposable containers on this machine."""

    images: Literal["offline"] = "offline"
    """How the lab's images are made: from distribution packages alone."""
