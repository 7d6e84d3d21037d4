"""Event types as an instance holds them, over channels that each have their way of giving them away."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from deploy.calcom.channel import Channel
from deploy.calcom.models import EventType
from deploy.seed.parallel import each


def read_event_types(
    channel: Channel,
    slugs: Iterable[str] | None,
    has_cal_video: Callable[[EventType], bool],
    workers: int,
) -> tuple[EventType, ...]:
    """The event types of these slugs, or all, in full.

    Over the web channel each takes a request, so several are read at once. API v2 lists them all in one, but
    without Cal Video's switches (`contract/both/fields.json`), so those for which `has_cal_video` says that
    they matter are read once more.
    """
    wanted = None if slugs is None else list(slugs)
    if wanted == []:
        return ()
    if channel.name == "api":
        listed = channel.list_event_types(wanted if wanted is None else set(wanted))
        again = [event_type.id for event_type in listed if has_cal_video(event_type)]
        whole = {event_type.id: event_type for event_type in each(channel.get_event_type, again, workers)}
        return tuple(whole.get(event_type.id, event_type) for event_type in listed)
    ids = channel.event_type_ids(wanted if wanted is None else set(wanted))
    return tuple(each(channel.get_event_type, ids, workers))
