"""What a person does with an inventory's secrets: list, show, set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from deploy.secrets import SecretListing, SecretStore
from deploy.settings.app_variables import API_KEY_PREFIX
from deploy.settings.inventory import Inventory


def listing(inventory: Inventory) -> list[SecretListing]:
    """All secrets of the inventory, the missing ones included; never a value."""
    return SecretStore.open(inventory).listing()


def listing_rows(listed: Sequence[SecretListing]) -> list[tuple[str, ...]]:
    """The rows of the table for people."""
    return [
        (
            secret.name,
            secret.host or "all",
            secret.origin,
            secret.created.date().isoformat() if secret.created else "",
            ", ".join(secret.used_by),
        )
        for secret in listed
    ]


def listing_json(listed: Sequence[SecretListing]) -> dict[str, list[dict[str, Any]]]:
    """The document of `secrets list --json`; its shape stands in docs/secrets.md."""
    return {
        "secrets": [
            {
                "name": secret.name,
                "host": secret.host,
                "origin": secret.origin,
                "created": secret.created.isoformat() if secret.created else None,
                "used_by": list(secret.used_by),
            }
            for secret in listed
        ]
    }


def show(inventory: Inventory, name: str, host: str | None) -> str:
    """One value as a person would paste it; raises `InputError` where there is none.

    Of the API key only what stands behind its prefix is kept: the database has the hash of that alone.
    """
    value = SecretStore.open(inventory).show(name, host)
    return f"{API_KEY_PREFIX}{value}" if name == "api_key" else value


def store(inventory: Inventory, name: str, value: str, host: str | None, tell: Callable[[str], None]) -> None:
    """Keep a value of the user's; `tell` says where a new identity lies. Raises `InputError` if refused.

    The API key may come with its prefix, as `show` gives it, or without.
    """
    if name == "api_key":
        value = value.removeprefix(API_KEY_PREFIX)
    SecretStore.open(inventory, tell=tell).set(name, value, host)
