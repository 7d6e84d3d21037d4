"""The near end of `onhost receiver`: starts it over a channel and hands out what it received."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol

from deploy.smoke.deliveries import Delivery, NoDeliveryError, ReceiverGoneError

_START_SECONDS = 15.0
"""For the far Python to start and bind."""


class ReceiverProcess(Protocol):
    """A running `onhost receiver`, wherever it runs."""

    def write_line(self, line: str) -> None:
        """Send one line, without its newline, to its standard input."""

    def __iter__(self) -> Iterator[str]:
        """The lines of its standard output, until it ends."""

    def close(self) -> None:
        """Close its standard input, at which it ends; may be called twice."""


class RemoteReceiver:
    """A `Receiver` over a process; a context manager that ends it.

    `bind` is an address of the host that the instance's containers can reach; port 0 takes any free one.
    `seen_as` is the URL under which the instance reaches it, where that is another one than address and port.
    The process ends by itself after `limit_seconds`, whatever happens to this end.
    """

    def __init__(
        self,
        process: ReceiverProcess,
        *,
        bind: str,
        port: int = 0,
        seen_as: str | None = None,
        limit_seconds: float = 600.0,
    ) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._port: int | None = None
        self._arrived: list[Delivery] = []
        self._gone: str | None = None

        path = f"/{secrets.token_urlsafe(24)}"
        options = {"bind": bind, "port": port, "path": path, "limit_seconds": limit_seconds}
        threading.Thread(target=self._listen, name="smoke receiver", daemon=True).start()
        try:
            self._process.write_line(json.dumps(options))
            place = f"http://{f'[{bind}]' if ':' in bind else bind}:{self._wait_for_port()}"
            self.url = f"{seen_as.rstrip('/') if seen_as else place}{path}"
        except OSError as error:
            self.close()
            raise ReceiverGoneError(f"the receiver on the host did not start: {error}") from error
        except BaseException:
            self.close()
            raise

    def wait_for(self, trigger: str, timeout: float) -> Delivery:
        """See `Receiver.wait_for`."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for delivery in self._arrived:
                    if delivery.trigger == trigger:
                        self._arrived.remove(delivery)
                        return delivery
                if self._gone is not None:
                    raise ReceiverGoneError(self._gone)
                if not self._changed.wait(timeout=max(0.0, deadline - time.monotonic())):
                    others = tuple(delivery.trigger or "something else" for delivery in self._arrived)
                    raise NoDeliveryError(trigger, timeout, others)

    def close(self) -> None:
        """End the far process."""
        self._process.close()

    def __enter__(self) -> RemoteReceiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for_port(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._port is not None or self._gone is not None, _START_SECONDS)
            if self._port is None:
                reason = self._gone or f"it said nothing for {_START_SECONDS:g} s"
                raise ReceiverGoneError(f"the receiver on the host did not start: {reason}")
            return self._port

    def _listen(self) -> None:
        reason = "the connection to the host's receiver broke"
        try:
            for line in self._process:
                reason = self._take(line) or reason
        except (OSError, ValueError) as error:
            reason = f"{reason} ({error})"
        with self._changed:
            self._gone = reason
            self._changed.notify_all()

    def _take(self, line: str) -> str | None:
        """Keep what a line reports; returns why the receiver ends, when it says so."""
        try:
            event: dict[str, Any] = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            return f"it said: {line.strip()[:200]}"
        if kind == "error":
            return str(event["message"])
        if kind == "ended":
            return f"the receiver on the host has ended: {event['reason']}"
        with self._changed:
            if kind == "listening":
                self._port = int(event["port"])
            elif kind == "delivery":
                body = base64.b64decode(event["body_base64"])
                self._arrived.append(Delivery(event["headers"], body, event["received_at"]))
            self._changed.notify_all()
        return None
