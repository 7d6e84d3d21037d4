"""Cloudflare's proof of a human: the settings `app.turnstile`."""

from __future__ import annotations

from deploy.settings.section import Line, SecretReference, Section


class Turnstile(Section):
    """Keys of a Cloudflare Turnstile widget: whoever signs up proves to be a human.

    The widget is part of the pages only where the site key was there when the image was built, so this needs
    a build of your own.
    """

    site_key: Line
    """The widget's public key, the same as at the build."""
    secret: SecretReference
    """The widget's secret key."""
