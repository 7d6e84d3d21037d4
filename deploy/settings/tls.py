"""Where the proxy's certificate comes from: the settings `tls`."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from deploy.settings import rules
from deploy.settings.section import FilePath, SecretReference, Section


class Tls(Section):
    """Where the proxy's certificate comes from."""

    mode: Literal["internal", "provided"] = "internal"
    """`internal`: a private authority made for this inventory (browsers warn until they trust it);
    `provided`: your own files."""
    certificate_file: FilePath | None = None
    """PEM with the certificate and its chain, for `provided`; relative to the inventory."""
    key: SecretReference | None = None
    """PEM of the private key, for `provided`."""
    hsts: bool = True
    """Tell browsers to come by https alone from now on (two years)."""

    @model_validator(mode="after")
    def _provided_has_both_parts(self) -> Tls:
        """Mode `provided` needs `certificate_file` and `key`; mode `internal` takes neither."""
        found: list[tuple[str, str, str | None]] = []
        for key, fix in (
            (
                "certificate_file",
                "add certificate_file: tls/fullchain.pem (certificate first, then its chain)",
            ),
            ("key", "add key: !secret tls_key and store it with `calstack secrets set tls_key`"),
        ):
            there = getattr(self, key) is not None
            if self.mode == "provided" and not there:
                found.append((key, "is missing; mode provided needs certificate_file and key", fix))
            if self.mode == "internal" and there:
                found.append((key, "has no meaning in mode internal", "write mode: provided, or remove it"))
        if found:
            raise rules.refused_together(found)
        return self
