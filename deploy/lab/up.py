"""`lab up`: from nothing, or whatever a killed run left, to running hosts that ssh can enter."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.lab import client_key, compose_plugin, engine, hosts, images, roots
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import Lab, LabHost, Report

if TYPE_CHECKING:
    from docker import DockerClient


def up(inventory_path: Path, lab_hosts: Mapping[str, LabHost], report: Report) -> None:
    """Make sure of an engine, of the images and of every host of the inventory's lab.

    Running hosts are left alone, stopped ones started, missing ones made. Afterwards each admits the key in
    `Lab.key_file`, `Lab.known_hosts_file` knows it, and what the inventory's settings name by file (the
    services' images, Compose) lies in `Lab.state`. `report` gets a line for each thing that takes
    seconds. Raises `InputError` or `CalstackError`.
    """
    lab = Lab.of(inventory_path)
    client = engine.ensure_engine(report)
    locked = build_lock(f"lab-{lab.identity}")
    with engine.refusals_explained(), locked, ThreadPoolExecutor(max_workers=8) as pool:
        # The two roots are made side by side, and hosts start while the services' images are still built.
        plugin = pool.submit(compose_plugin.ensure_compose_plugin, engine.architecture(client))
        service_images = pool.submit(images.ensure_service_images, client, report)
        _bring_up_hosts(client, lab, lab_hosts, report, pool)
        service_images.result()
        _lay_out(lab.compose_plugin, plugin.result())
        _lay_out(lab.services_archive, images.services_archive(client))


def _bring_up_hosts(
    client: DockerClient,
    lab: Lab,
    lab_hosts: Mapping[str, LabHost],
    report: Report,
    pool: ThreadPoolExecutor,
) -> None:
    public_key = client_key.ensure_client_key(lab)
    image = roots.ensure_root(client, roots.HOST, report)

    def bring_up(host: LabHost) -> list[str]:
        if hosts.ensure_host(client, lab, host, image, public_key):
            report(f"lab host {host.name} runs at {host.address}")
        return hosts.host_keys(client, lab, host)

    known = [line for lines in pool.map(bring_up, lab_hosts.values()) for line in lines]
    client_key.write_known_hosts(lab, known)


def _lay_out(place: Path, file: Path) -> None:
    """Point from the lab's own folder to a cached file; replaced in one step, so that it is never missing."""
    if place.is_symlink() and place.readlink() == file:
        return
    new = place.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.symlink_to(file)
    new.replace(place)
