"""The app-store seed: one row an app, keys of some from the environment (FACTS §2, §13)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from .database import connect

# The apps by category: slugs as Cal.com's own store names them.
APPS: dict[str, tuple[str, ...]] = {
    "calendar": (
        "apple-calendar", "caldav-calendar", "exchange", "exchange2013-calendar", "exchange2016-calendar",
        "feishu-calendar", "google-calendar", "ics-feed", "lark-calendar", "office365-calendar", "proton",
        "zohocalendar", "amie", "cron", "vimcal", "linear",
    ),
    "conferencing": (
        "around", "campsite", "daily-video", "demodesk", "dialpad", "discord", "eightxeight", "element-call",
        "facetime", "google-meet", "huddle", "jelly", "jitsi", "lyra", "mirotalk", "msteams", "nextcloudtalk",
        "ping", "riverside", "roam", "salesroom", "shimmervideo", "signal", "sirius_video", "skype",
        "sylapsvideo", "tandem", "telegram", "webex", "whatsapp", "whereby", "zoom",
    ),
    "analytics": (
        "databuddy", "fathom", "ga4", "gtm", "insihts", "matomo", "metapixel", "plausible", "posthog",
        "twipla", "umami",
    ),
    "automation": (
        "autocheckin", "bolna", "chatbase", "clic", "deel", "elevenlabs", "fonio-ai", "greetmate-ai", "lindy",
        "make", "millis-ai", "monobot", "n8n", "pipedream", "retell-ai", "synthflow", "telli", "zapier",
    ),
    "crm": (
        "attio", "closecom", "hubspot", "pipedrive-crm", "salesforce", "sendgrid", "zoho-bigin", "zohocrm",
    ),
    "payment": ("alby", "btcpayserver", "hitpay", "mock-payment-app", "paypal", "stripe"),
    "messaging": ("baa-for-hipaa", "dub", "giphy", "intercom", "raycast", "typeform"),
    "other": ("basecamp3", "booking-pages-tag", "framer", "granola", "routing-forms", "wipemycalother"),
}  # fmt: skip


UPSERT = """
INSERT INTO "App" (slug, "dirName", categories, keys, enabled, "createdAt", "updatedAt")
VALUES (%(slug)s, %(directory)s, ARRAY[%(category)s]::"AppCategories"[], %(keys)s, true, %(now)s, %(now)s)
ON CONFLICT (slug) DO UPDATE
SET keys = coalesce(excluded.keys, "App".keys), enabled = true, "updatedAt" = excluded."updatedAt"
"""


def keys_from(env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The keys of the apps that the environment configures, by slug."""
    keys: dict[str, dict[str, Any]] = {}
    if env.get("GOOGLE_API_CREDENTIALS"):
        web = json.loads(env["GOOGLE_API_CREDENTIALS"])["web"]
        google = {name: web[name] for name in ("client_id", "client_secret", "redirect_uris")}
        keys |= {"google-calendar": google, "google-meet": google}
    if env.get("ZOOM_CLIENT_ID"):
        keys["zoom"] = {
            "client_id": env["ZOOM_CLIENT_ID"],
            "client_secret": env.get("ZOOM_CLIENT_SECRET", ""),
        }
    if env.get("DAILY_API_KEY"):
        keys["daily-video"] = {
            "api_key": env["DAILY_API_KEY"],
            "scale_plan": env.get("DAILY_SCALE_PLAN", "false"),
        }
    if env.get("MS_GRAPH_CLIENT_ID") and env.get("MS_GRAPH_CLIENT_SECRET"):
        graph = {"client_id": env["MS_GRAPH_CLIENT_ID"], "client_secret": env["MS_GRAPH_CLIENT_SECRET"]}
        keys |= {"office365-calendar": graph, "msteams": graph}
    if env.get("STRIPE_CLIENT_ID") and env.get("STRIPE_PRIVATE_KEY"):
        keys["stripe"] = {"client_id": env["STRIPE_CLIENT_ID"], "client_secret": env["STRIPE_PRIVATE_KEY"]}
    return keys


def seed_app_store(database_url: str, env: Mapping[str, str]) -> int:
    """Bring the `App` rows up to date and enable them, as the official script does at every start.

    Returns the number of apps. Raises json.JSONDecodeError or KeyError for unusable Google credentials,
    before anything is written.
    """
    keys = keys_from(env)
    now = datetime.now(UTC)
    with connect(database_url) as connection:
        for category, slugs in APPS.items():
            for slug in slugs:
                connection.execute(
                    UPSERT,
                    {
                        "slug": slug,
                        "directory": slug.replace("-", ""),
                        "category": category,
                        "keys": Jsonb(keys[slug]) if slug in keys else None,
                        "now": now,
                    },
                )
    return sum(len(slugs) for slugs in APPS.values())
