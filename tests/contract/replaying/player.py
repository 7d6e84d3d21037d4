"""Plays recorded steps against a running stand-in, one after the other, as the recorder sent them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from .keys import Keys
from .likeness import IDS, Comparison, Names, id_kind
from .recordings import Delivery, Recording, Step
from .servers import Sent, Sink, StandIn

RECORDED_ORIGIN = "http://localhost:3000"
RECORDED_SINK = "127.0.0.1:9099"
LATER = re.compile(r"^(\d+) s later")
TIME_OF_DAY = re.compile(r"^\d\d:\d\d:\d\d$")
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL)

# Headers that must be equal, absence included.
COMPARED_HEADERS = ("location", "cache-control", "x-frame-options", "access-control-allow-origin")
# Where requests are counted, what is left and when it is reset is compared too, with this much slack.
COUNTED = "api/rate_limits"
SLACK_SECONDS = 1


@dataclass(frozen=True)
class Difference:
    """One thing that is not alike."""

    file: str
    step: int
    what: str


@dataclass
class Outcome:
    """What a replay found."""

    played: set[tuple[str, int]] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    excepted: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many steps were played."""
        return len(self.played)

    @property
    def alike(self) -> int:
        """How many steps were answered alike."""
        return self.total - len({(each.file, each.step) for each in self.differences} & self.played)


class Player:
    """Plays the files of one kind in order; what was learnt of ids and cookies goes from one to the next."""

    def __init__(
        self,
        running: StandIn,
        sink: Sink,
        start: datetime,
        outcome: Outcome,
        api_url: str | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._running = running
        self._api = httpx.Client(base_url=api_url, timeout=60, trust_env=False) if api_url else None
        self._keys = keys
        self._recorded_headers: set[str] = set()
        self._last_unwaited = 0.0
        self._sink = sink
        self._start = start
        self._outcome = outcome
        self._names = Names()
        self._client = httpx.Client(base_url=running.url, timeout=60, trust_env=False)
        self._cookies: dict[str, str] = {}
        self._token = ""
        self._asked: set[str] = set()
        self._sent_by: list[tuple[str, int]] = []

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        if self._api:
            self._api.close()

    def play(self, recording: Recording) -> None:
        """Play one file. The guest's cookies are the file's own; the session is the sign-in before."""
        self._cookies = {name: value for name, value in self._cookies.items() if is_session(name)}
        excepted = self._outcome.excepted.setdefault(recording.name, Counter())
        over_api = [step for step in recording.steps if is_api(recording, step)]
        # The recorder kept some headers of an answer: one that it kept nowhere says nothing by its absence.
        self._recorded_headers = {name for step in over_api for name in step.response["headers"]}
        for step in recording.steps:
            self._outcome.played.add((recording.name, step.number))
            if step.note and TIME_OF_DAY.match(step.note):
                moment = datetime.strptime(step.note, "%H:%M:%S").time()
                self._running.set_clock(datetime.combine(self._start.date(), moment, self._start.tzinfo))
            self._wait(step)
            played = self._api_step if is_api(recording, step) else self._step
            for what in played(step, excepted, recording.name):
                self._outcome.differences.append(Difference(recording.name, step.number, what))
            new = len(self._sink.received) - len(self._sent_by)
            self._sent_by += [(recording.name, step.number)] * new

    def _wait(self, step: Step) -> None:
        """Wait as long as the recorder did after the last step before which it did not wait."""
        later = LATER.match(step.note or "")
        if later is None:
            self._last_unwaited = time.monotonic()
            return
        time.sleep(max(0.0, self._last_unwaited + int(later[1]) - time.monotonic()))

    def _api_step(self, step: Step, excepted: Counter[str], file: str) -> list[str]:
        request, recorded = step.request, step.response
        if self._api is None or self._keys is None:
            raise LookupError("an API to play against")
        headers = dict(request["headers"] or {})
        authorization = self._keys.authorization(request["auth"])
        if authorization:
            headers["authorization"] = authorization
        try:
            answer = self._api.send(self._api_request(request, headers))
        except httpx.TransportError as error:
            return [f"no answer: {error!r}"]
        comparison = Comparison(self._names, request["path"], excepted)
        if answer.status_code != recorded["status"]:
            comparison.differences.append(f"status: {recorded['status']} expected, got {answer.status_code}")
        names = [name for name in COMPARED_HEADERS if name in self._recorded_headers]
        self._compare_headers(recorded["headers"], answer, comparison, names)
        if file == COUNTED:
            compare_counts(recorded["headers"], answer, comparison)
        self._compare_body(recorded["body"], answer, comparison)
        return comparison.differences

    def _api_request(self, request: dict[str, Any], headers: dict[str, str]) -> httpx.Request:
        if self._api is None:
            raise LookupError("an API to play against")
        body, content = request["body"], None
        if isinstance(body, dict | list):
            self._asked |= set(re.findall(rf"{RECORDED_SINK}(/[\w/-]+)", json.dumps(body)))
            content = json.dumps(self._own_value(body, request["path"], ()))
        elif isinstance(body, str):
            content = body
        if content is not None:
            headers.setdefault("content-type", "application/json")
            content = content.replace(RECORDED_SINK, f"127.0.0.1:{self._sink.port}")
        params = {
            name: self._own_value(value, request["path"], (name,))
            for name, value in (request["params"] or {}).items()
        }
        return self._api.build_request(
            request["method"],
            self._names.own_text(request["path"]),
            headers=headers,
            params=params or None,
            content=content,
        )

    def _step(self, step: Step, excepted: Counter[str], _file: str) -> list[str]:
        request, recorded = step.request, step.response
        path = self._names.own_text(request["path"])
        try:
            answer = self._client.send(self._built(request, path))
        except httpx.TransportError as error:
            return [f"no answer: {error!r}"]
        self._keep_cookies(answer)
        comparison = Comparison(self._names, request["path"], excepted)
        if answer.status_code != recorded["status"]:
            comparison.differences.append(f"status: {recorded['status']} expected, got {answer.status_code}")
        self._compare_headers(recorded["headers"], answer, comparison, COMPARED_HEADERS)
        self._compare_body(recorded["body"], answer, comparison)
        return comparison.differences

    def _built(self, request: dict[str, Any], path: str) -> httpx.Request:
        # The client's own jar would mix with the cookies that are kept here.
        self._client.cookies.clear()
        headers = dict(request["headers"] or {})
        cookies = self._cookies
        if request["auth"] != "session":
            cookies = {name: value for name, value in cookies.items() if not is_session(name)}
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        body, content = request["body"], None
        if isinstance(body, dict):
            body = self._own_body(body, request["path"])
            if "callback/credentials" in path:
                return self._client.build_request("POST", path, headers=headers, data=body)
            content = json.dumps(body)
            self._asked |= set(re.findall(rf"{RECORDED_SINK}(/[\w/-]+)", json.dumps(request["body"])))
        elif isinstance(body, list):
            content = json.dumps(body)
        elif isinstance(body, str):
            content = self._names.own_text(body)
        if content is not None:
            headers.setdefault("content-type", "application/json")
            content = content.replace(RECORDED_SINK, f"127.0.0.1:{self._sink.port}")
        params = {
            name: self._own_input(str(value), request["path"])
            for name, value in (request["params"] or {}).items()
        }
        return self._client.build_request(
            request["method"], path, headers=headers, params=params or None, content=content
        )

    def _own_body(self, body: Any, path: str) -> Any:
        return self._own_value(body, path, ())

    def _own_input(self, text: str, path: str) -> str:
        try:
            return json.dumps(self._own_value(json.loads(text), path, ()))
        except ValueError:
            return self._names.own_text(text)

    def _own_value(self, value: Any, path: str, keys: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {name: self._own_value(child, path, (*keys, name)) for name, child in value.items()}
        if isinstance(value, list):
            return [self._own_value(child, path, (*keys, str(index))) for index, child in enumerate(value)]
        if value == "<from GET>":
            return self._token
        if isinstance(value, str):
            return self._names.own_text(value)
        if isinstance(value, int) and not isinstance(value, bool) and keys:
            kind = id_kind(keys, path) or IDS.get(keys[-1])
            return self._names.own_number(kind, value) if kind else value
        return value

    def _keep_cookies(self, answer: httpx.Response) -> None:
        for header in answer.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            value, *attributes = rest.split("; ")
            if any(attribute.startswith("Expires=Thu, 01 Jan 1970") for attribute in attributes):
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = value
        if "json" in answer.headers.get("content-type", ""):
            content = json_of(answer)
            if isinstance(content, dict) and isinstance(content.get("csrfToken"), str):
                self._token = content["csrfToken"]

    def _compare_headers(
        self,
        recorded: dict[str, Any],
        answer: httpx.Response,
        comparison: Comparison,
        always: Sequence[str],
    ) -> None:
        before = media_type(recorded.get("content-type"))
        now = media_type(answer.headers.get("content-type"))
        if before != now:
            comparison.differences.append(f"content-type: {before!r} expected, got {now!r}")
        names = (*always, *(name for name in recorded if name.startswith("x-ratelimit-limit-")))
        for name in names:
            expected, got = recorded.get(name), answer.headers.get(name)
            if got is not None:
                got = got.replace(self._running.url, RECORDED_ORIGIN)
            if expected is not None:
                expected = self._names.own_text(expected)
            if expected != got:
                comparison.differences.append(f"{name}: {expected!r} expected, got {got!r}")
        wanted = sorted(cookie_form(each) for each in recorded.get("set-cookie", []))
        given = sorted(cookie_form(each) for each in answer.headers.get_list("set-cookie"))
        if wanted != given:
            comparison.differences.append(f"set-cookie: {wanted} expected, got {given}")
        comparison.excepted["value of a cookie"] += len(wanted)

    def _compare_body(self, recorded: Any, answer: httpx.Response, comparison: Comparison) -> None:
        if isinstance(recorded, str) and TITLE.search(recorded):
            # A page that was kept as text, up to some length.
            recorded = {"html_chars": 0, "title": unescaped(TITLE.findall(recorded)[0])}
        if isinstance(recorded, dict) and recorded.keys() == {"html_chars", "title"}:
            comparison.excepted["content of a page or script"] += 1
            found = TITLE.search(answer.text)
            title = unescaped(found.group(1)) if found else None
            if "html" in answer.headers.get("content-type", "") and title != recorded["title"]:
                comparison.differences.append(f"title: {recorded['title']!r} expected, got {title!r}")
            if comparison.path == "/embed/embed.js" and RECORDED_ORIGIN not in answer.text:
                comparison.differences.append("embed.js: its own origin is not inside")
            return
        if isinstance(recorded, str):
            if answer.text != recorded:
                comparison.differences.append(f"body: {recorded!r} expected, got {answer.text[:200]!r}")
            return
        text = answer.text.replace(f"127.0.0.1:{self._sink.port}", RECORDED_SINK)
        try:
            comparison.values(recorded, json.loads(text))
        except ValueError:
            comparison.differences.append(f"body: JSON expected, got {text[:200]!r}")

    def compare_deliveries(self, recorded: tuple[Delivery, ...], complete: bool) -> None:
        """Compare what the sink received with what the real server sent; each belongs to a step.

        Not every delivery was published, so a delivery is looked for among those to the same subscriber with
        the same trigger: the first that is alike, else the first. What is missing is told only where every
        file was played (`complete`).
        """
        excepted = self._outcome.excepted.setdefault("webhook_deliveries", Counter())
        left = list(zip(self._sink.received, self._sent_by, strict=False))
        for index, delivery in enumerate(recorded):
            if delivery.subscriber not in self._asked:
                continue
            key = (delivery.subscriber, trigger_of(delivery.body))
            candidates = [each for each in left if (each[0].subscriber, trigger_of(each[0].body)) == key]
            if not candidates:
                if complete:
                    what = f"{key[1]} to {key[0]} was not sent"
                    self._outcome.differences.append(Difference("webhook_deliveries", index, what))
                continue
            found = next((each for each in candidates if self._is_alike(delivery, each[0])), candidates[0])
            left.remove(found)
            sent, (file, number) = found
            for what in self._delivery_differences(delivery, sent, excepted, self._names):
                told = f"webhook {key[1]} to {key[0]}: {what}"
                self._outcome.differences.append(Difference(file, number, told))

    def _is_alike(self, recorded: Delivery, sent: Sent) -> bool:
        names = Names(dict(self._names.own), dict(self._names.recorded))
        return not self._delivery_differences(recorded, sent, Counter(), names)

    def _delivery_differences(
        self, recorded: Delivery, sent: Sent, excepted: Counter[str], names: Names
    ) -> list[str]:
        comparison = Comparison(names, "/webhook/", excepted)
        headers = {name.lower(): value for name, value in sent.headers.items()}
        for name, value in recorded.headers.items():
            if name.lower() == "x-cal-signature-256":
                expected = (
                    recorded.secret
                    and hmac.new(recorded.secret.encode(), sent.body, hashlib.sha256).hexdigest()
                )
                if headers.get(name.lower()) != (expected or value):
                    comparison.differences.append("the signature is wrong")
                excepted["signature (checked over the raw bytes)"] += 1
            elif name.lower() in ("content-type", "user-agent") and headers.get(name.lower()) != value:
                comparison.differences.append(
                    f"{name}: {value!r} expected, got {headers.get(name.lower())!r}"
                )
        comparison.values(without_moments(json.loads(recorded.body)), without_moments(json.loads(sent.body)))
        return comparison.differences


def is_api(recording: Recording, step: Step) -> bool:
    """Whether a step goes to API v2 rather than to the web app."""
    return recording.name.startswith("api/") or step.request.get("channel") == "api"


def compare_counts(recorded: dict[str, Any], answer: httpx.Response, comparison: Comparison) -> None:
    """Compare what is left of a limit, and, with a second's slack, when it is reset."""
    for name, value in recorded.items():
        got = answer.headers.get(name)
        if name.startswith("x-ratelimit-remaining-") and got != value:
            comparison.differences.append(f"{name}: {value!r} expected, got {got!r}")
        if name.startswith("x-ratelimit-reset-") and (
            got is None or abs(int(got) - int(value)) > SLACK_SECONDS
        ):
            comparison.differences.append(f"{name}: {value!r} expected, got {got!r}")


def without_moments(body: Any) -> Any:
    """A PING without its own times, which are the moment at which it was sent."""
    if isinstance(body, dict) and body.get("triggerEvent") == "PING":
        payload = body["payload"] | {"startTime": "", "endTime": ""}
        return body | {"payload": payload}
    return body


def trigger_of(body: bytes) -> str:
    """The event that a delivery tells of."""
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    return str(content.get("triggerEvent", "")) if isinstance(content, dict) else ""


def is_session(name: str) -> bool:
    """Whether a cookie is the one of a sign-in."""
    return name.endswith("next-auth.session-token")


def media_type(header: str | None) -> str | None:
    """A content type without parameters."""
    return header.split(";")[0].strip().lower() if header else None


def cookie_form(header: str) -> str:
    """A cookie without its value and its dates: name and attributes."""
    pair, *attributes = header.split("; ")
    kept = sorted(re.sub(r"^(Expires|Max-Age)=.*", r"\1", attribute) for attribute in attributes)
    return "; ".join([pair.split("=")[0], *kept])


def json_of(answer: httpx.Response) -> Any:
    """The JSON of an answer, or None."""
    try:
        return answer.json()
    except ValueError:
        return None


def unescaped(text: str) -> str:
    """A title as a browser reads it."""
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        text = text.replace(entity, letter)
    return text
