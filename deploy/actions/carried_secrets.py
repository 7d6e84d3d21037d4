"""Lays a host's secrets where its backups find them, so that a run holds all that a new host needs."""

from __future__ import annotations

import hashlib
import shlex

from deploy.actions.instance import Instance
from deploy.carried_secrets import carry
from deploy.secrets import SecretStore
from deploy.seed.manifest import load_manifest, manifest_files
from deploy.settings.layout import BACKUP, CARRIED_SECRETS
from deploy.settings.secret_references import secret_references


def lay_down_secrets(instance: Instance, store: SecretStore) -> list[str]:
    """Make the file for the backups hold what the inventory holds now; nothing where none are made (yet).

    Returns a line where it had to be changed.
    """
    if not instance.settings.backups.repositories or instance.settings.clone:
        return []
    shared = {name for _, name in secret_references(instance.settings)} | _named_by_manifest(instance)
    content = carry(store, instance.name, shared, authority=instance.settings.tls.mode == "internal")
    file = shlex.quote(CARRIED_SECRETS)
    look = f"[ -d {shlex.quote(BACKUP)} ] || echo none; sha256sum {file} 2>/dev/null; true"
    there = instance.remote.run(look).text.partition(" ")[0]
    if there in ("none", hashlib.sha256(content).hexdigest()):
        return []
    new = shlex.quote(f"{CARRIED_SECRETS}.calstack-new")
    instance.remote.run(f"umask 077; cat >{new} && mv -f -T {new} {file}", stdin=content)
    return ["the backups carry the host's secrets as they are now"]


def _named_by_manifest(instance: Instance) -> set[str]:
    names: set[str] = set()

    def note(name: str) -> str:
        names.add(name)
        return f"<{name}>"

    if instance.inventory.seed_file.exists() or instance.inventory.seed_file.with_suffix(".d").is_dir():
        load_manifest(manifest_files(instance.inventory.seed_file), note)
    return names
