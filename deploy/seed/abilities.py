"""What a manifest asks for and the chosen channel cannot do, said before anything is sent."""

from __future__ import annotations

from deploy.calcom.abilities import cannot_write
from deploy.calcom.channel import Channel
from deploy.calcom.models import BookingField
from deploy.errors import InputError
from deploy.seed.wanted import Manifest


def check_abilities(manifest: Manifest, channel: Channel, *, other_users: bool, key_limits: bool) -> None:
    """Raises InputError that lists all that `channel` cannot do of what the manifest says.

    `other_users`: whether other users can be reached, as on instances that calstack deployed; `key_limits`:
    whether limits of API keys can be, as on those of them that have API v2.
    """
    said = []
    if manifest.profile is not None:
        names = cannot_write(channel.name, manifest.profile.fields)
        said += [f"profile: {name} cannot be set" for name in names]
        if channel.name == "api" and "locale" in manifest.profile.fields.model_fields_set:
            # PATCH /v2/me takes it, but no answer gives it back: it would differ for ever.
            said.append("profile: locale can be set, but not be read back")
    for event_type in manifest.event_types if channel.name == "api" else ():
        if any(_hides_email(question) for question in event_type.fields.booking_fields or ()):
            # Recorded in contract/both/fields.json: refused with and without a required phone number.
            said.append(f"event type {event_type.slug}: the question email cannot be hidden or optional")
    for webhook in manifest.webhooks:
        names = cannot_write(channel.name, webhook.fields)
        said += [f"webhook {webhook.url}: {name} cannot be set" for name in names]
    if manifest.users and not other_users:
        said.append(
            f"users ({', '.join(manifest.users)}): other people's things can be seeded only on instances "
            "that calstack deployed"
        )
    if manifest.all_key_limits and not key_limits:
        notes = ", ".join(limit.note for limit in manifest.all_key_limits)
        said.append(
            f"api_key_limits ({notes}): limits of API keys can be seeded only on instances with API v2 "
            "that calstack deployed"
        )
    if said:
        web = "; over the web channel it goes" if channel.name == "api" else ""
        raise InputError(
            f"the {channel.name} channel cannot do what the manifest says:\n  " + "\n  ".join(said),
            fix=f"take it out of the manifest{web}",
        )


def _hides_email(question: BookingField) -> bool:
    return question.slug == "email" and (question.hidden is True or question.required is False)
