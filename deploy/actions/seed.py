"""Makes an instance hold what the manifest declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.actions.instance import Instance
from deploy.errors import InputError
from deploy.seed.apply import Applied, apply
from deploy.seed.manifest import load_manifest
from deploy.seed.plan import Plan, make_plan
from deploy.settings.inventory import Inventory


@dataclass(frozen=True)
class SeedResult:
    """What seeding one instance did, or would do."""

    plan: Plan
    applied: Applied | None
    """None where only the plan was asked for."""

    @property
    def changes(self) -> list[str]:
        """A line for each thing that was made or changed."""
        return [f"{change.kind} {change.key} {change.action}d" for change in self.plan.changes]


def check_manifest(inventory: Inventory) -> None:
    """Validate the inventory's manifest in full; raises `InputError` before anything is connected."""
    if not inventory.seed_file.is_file():
        raise InputError(
            "the inventory has no manifest",
            where=str(inventory.seed_file),
            fix="copy inventories/example/seed.yaml and declare what the instances shall hold",
        )
    load_manifest(inventory.seed_file, lambda name: f"<{name}>")


def seed(
    instance: Instance, *, plan_only: bool = False, report: Callable[[str], None] = lambda _: None
) -> SeedResult:
    """Compare the instance with the manifest and, unless only the plan is wanted, make it so.

    A webhook's secret that nobody has stored yet is made and kept with the host's secrets.
    """
    manifest = load_manifest(instance.inventory.seed_file, instance.secrets.resolve_or_make)
    with instance.channel() as channel:
        plan = make_plan(manifest, channel)
        return SeedResult(plan, None if plan_only else apply(plan, channel, report))
