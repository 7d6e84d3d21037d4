"""The tRPC procedures, one module a router; together they are what `/api/trpc/…` answers."""

from __future__ import annotations

from ..trpc import Router
from . import (
    administration,
    api_keys,
    availability,
    bookings,
    event_types,
    me,
    out_of_office,
    public,
    slots,
    webhook,
)

ROUTERS: dict[str, Router] = {
    "admin": administration.ADMIN_ROUTER,
    "apiKeys": api_keys.ROUTER,
    "availability": availability.ROUTER,
    "bookings": bookings.ROUTER,
    "eventTypes": event_types.ROUTER,
    "eventTypesHeavy": event_types.HEAVY_ROUTER,
    "features": administration.FEATURES_ROUTER,
    "me": me.ROUTER,
    "ooo": out_of_office.ROUTER,
    "public": public.ROUTER,
    "slots": slots.ROUTER,
    "users": administration.USERS_ROUTER,
    "webhook": webhook.ROUTER,
}
