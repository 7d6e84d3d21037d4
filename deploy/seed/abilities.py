"""What a manifest asks for and the chosen channel cannot do, said before anything is sent."""

from __future__ import annotations

from deploy.calcom.channel import Channel
from deploy.errors import InputError
from deploy.seed.wanted import Manifest

_PROFILE_OVER_API = frozenset({"name", "bio", "locale", "time_zone", "week_start", "time_format"})
"""What `PATCH /v2/me` takes; themes, colours and the like only the web app can set."""
_WEBHOOK_ONLY_OVER_WEB = ("time", "time_unit")
"""API v2's webhooks carry no delay."""


def check_abilities(manifest: Manifest, channel: Channel, *, other_users: bool) -> None:
    """Raises InputError that lists all that `channel` cannot do of what the manifest says.

    `other_users`: whether other users can be reached, as on instances that calstack deployed.
    """
    said = _over_api(manifest) if channel.name == "api" else []
    if manifest.users and not other_users:
        said.append(
            f"users ({', '.join(manifest.users)}): other people's things can be seeded only on instances "
            "that calstack deployed"
        )
    if said:
        web = "; over the web channel it goes" if channel.name == "api" else ""
        raise InputError(
            f"the {channel.name} channel cannot do what the manifest says:\n  " + "\n  ".join(said),
            fix=f"take it out of the manifest{web}",
        )


def _over_api(manifest: Manifest) -> list[str]:
    said = []
    if manifest.profile is not None:
        fields = manifest.profile.fields.model_fields_set - _PROFILE_OVER_API
        said += [f"profile.{name}: API v2 cannot set it" for name in sorted(fields)]
    for webhook in manifest.webhooks:
        if any(getattr(webhook.fields, name) is not None for name in _WEBHOOK_ONLY_OVER_WEB):
            said.append(f"webhook {webhook.url}: API v2 cannot set time and time_unit")
    return said
