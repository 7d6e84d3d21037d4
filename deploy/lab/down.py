"""`lab down`: no trace of an inventory's lab is left; and of the lab as a whole, where that is asked for.

What belongs to the lab carries its labels; nothing else is touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from deploy.lab import engine
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import IMAGE_LABEL, INVENTORY_LABEL, REPOSITORY, Lab, Report, cache_folder, remove_folder

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


def down(inventory_path: Path, report: Report, *, everything: bool = False) -> None:
    """Remove the hosts, volumes and keys of the inventory's lab, and what killed builds left.

    `everything`: also the lab's images and caches, the labs of inventories whose folder is gone, and the
    engine if calstack started it and nothing else runs in it. Safe to repeat, with or without an engine.
    """
    lab = Lab.of(inventory_path)
    client = engine.connect_if_any()
    with engine.refusals_explained():
        with build_lock(f"lab-{lab.identity}"):
            if client is not None:
                _remove_lab(client, str(lab.inventory), report)
                _remove_leftovers_of_builds(client)
            remove_folder(lab.state)
        if everything:
            _remove_shared(client, report)


def _remove_shared(client: DockerClient | None, report: Report) -> None:
    if client is not None:
        for inventory in _inventories(client):
            if not Path(inventory).is_dir():
                _remove_lab(client, inventory, report)
        _remove_images(client, report)
    if cache_folder().is_dir():
        remove_folder(cache_folder())
        report("removed the lab's caches")
    if client is None or engine.own_engine_pid() is None:
        return
    if client.containers.list():
        report("left the Docker engine running that calstack started: containers run in it")
    elif engine.stop_own_engine():
        report("stopped the Docker engine that calstack had started")


def _inventories(client: DockerClient) -> set[str]:
    """Every inventory that has something of a lab in this engine."""
    containers = client.containers.list(all=True, filters={"label": INVENTORY_LABEL}, ignore_removed=True)
    volumes = client.volumes.list(filters={"label": INVENTORY_LABEL})
    labels = [container.labels for container in containers]
    labels += [volume.attrs.get("Labels") or {} for volume in volumes]
    return {found[INVENTORY_LABEL] for found in labels if INVENTORY_LABEL in found}


def _remove_lab(client: DockerClient, inventory: str, report: Report) -> None:
    label = f"{INVENTORY_LABEL}={inventory}"
    for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
        _remove_container(container)
        report(f"removed {container.name}")
    for volume in client.volumes.list(filters={"label": label}):
        volume.remove(force=True)
    for network in client.networks.list(filters={"label": label}):
        network.remove()


def _remove_leftovers_of_builds(client: DockerClient) -> None:
    """Containers and unnamed images of builds that were killed; builds that run now are not disturbed."""
    for container in client.containers.list(all=True, filters={"label": IMAGE_LABEL}, ignore_removed=True):
        # A host carries its image's labels too, and a test may have one that has ended: a step of a build is
        # known by its command.
        is_step = (container.attrs["Config"]["Cmd"] or [])[:2] == ["/bin/sh", "-c"]
        if is_step and container.status != "running" and INVENTORY_LABEL not in container.labels:
            _remove_container(container)
    for image in client.images.list(filters={"label": IMAGE_LABEL, "dangling": True}):
        try:
            client.images.remove(str(image.id))
        except APIError:
            continue  # something stands on it


def _remove_images(client: DockerClient, report: Report) -> None:
    names = [
        tag
        for image in client.images.list(filters={"label": IMAGE_LABEL})
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/")
    ]
    kept = []
    for name in names:
        try:
            client.images.remove(name)
        except APIError:
            kept.append(name)
    if kept:
        report(f"kept images that containers use: {', '.join(kept)}")
    if len(kept) < len(names):
        report("removed the lab's images")
    _remove_leftovers_of_builds(client)


def _remove_container(container: Container) -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
