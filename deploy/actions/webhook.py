"""Says whether a webhook delivery is genuine and, where it is not, what was done to it on its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.calcom.signatures import HEADER, NO_SECRET, is_signed


@dataclass(frozen=True)
class Verdict:
    """What a signature is worth."""

    name: str
    """Stable, for programs: `genuine`, `unsigned`, `not-a-signature`, `body-changed` or `wrong-secret`."""
    what: str
    fix: str | None = None

    @property
    def genuine(self) -> bool:
        """Whether Cal.com sent these bytes with this secret."""
        return self.name == "genuine"


def judge(body: bytes, signature: str, secret: str) -> Verdict:
    """Compare a delivery's raw body with the value of its signature header (FACTS §5).

    A signature that fits another way of writing the same JSON gives away that the body was parsed and written
    again before it came here.
    """
    signature = signature.strip()
    if is_signed(body, signature, secret):
        return Verdict("genuine", "the signature fits the body and the secret")
    if signature == NO_SECRET:
        return Verdict(
            "unsigned",
            f"{HEADER} is {NO_SECRET!r}: Cal.com knows no secret for this webhook",
            "give the webhook a secret, there and here; until then anybody can send such requests",
        )
    if len(signature) != 64 or not set(signature) <= set("0123456789abcdef"):
        return Verdict(
            "not-a-signature",
            f"{HEADER} is 64 hexadecimal digits in lower case; this is something else",
            "take the header's value as it came, without a prefix such as sha256=",
        )
    for changed, was in _as_it_may_have_been(body):
        if is_signed(was, signature, secret):
            return Verdict(
                "body-changed",
                f"the secret is right, but these are not the bytes that were signed: {changed}",
                "compute the HMAC over the raw body, before anything parses it",
            )
    return Verdict(
        "wrong-secret",
        "the signature was made with another secret, or over another body",
        "compare the secret with the webhook's in Cal.com (Settings, Developer, Webhooks); if it is right, "
        "the content was altered: keep the raw body of the next delivery and try with that",
    )


def _as_it_may_have_been(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What happens to bodies on their way, and what each would have been before."""
    if (stripped := body.rstrip(b"\r\n")) != body:
        yield "a line end was added", stripped
    if b"\r\n" in body:
        yield "line ends were changed", body.replace(b"\r\n", b"\n")
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return
    # As Cal.com's own JSON.stringify writes it: compact, letters as they are.
    compact = json.dumps(parsed, separators=(",", ":"), ensure_ascii=False)
    yield "the JSON was parsed and written again", compact.encode(errors="surrogatepass")
