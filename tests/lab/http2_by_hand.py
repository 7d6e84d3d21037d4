"""HTTP/2 requests that no honest client would send: frames put together by hand."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame, SettingsFrame

from tests.lab.entrance import Entrance
from tests.unit.roles.hosts import DOMAIN

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Field = tuple[bytes, bytes]


def request(
    path: bytes = b"/ada", *, method: bytes = b"GET", authority: bytes = DOMAIN.encode()
) -> list[Field]:
    """The pseudo headers of an honest request."""
    return [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]


def outcome(entrance: Entrance, fields: Sequence[Field], body: bytes | None = None) -> int | str:
    """What becomes of one request with these fields in this order: its status, or `refused`.

    `refused` stands for a stream or connection that is ended. `body` is sent in one piece.
    """
    with _connect(entrance) as connection:
        connection.sendall(PREFACE + SettingsFrame(0).serialize() + _headers(fields, last=body is None))
        if body is not None:
            connection.sendall(DataFrame(1, data=body, flags=["END_STREAM"]).serialize())
        return _read(connection)


def _connect(entrance: Entrance) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    connection = context.wrap_socket(entrance.connect_plainly(443), server_hostname=DOMAIN)
    assert connection.selected_alpn_protocol() == "h2"
    return connection


def _headers(fields: Sequence[Field], *, last: bool) -> bytes:
    flags = ["END_HEADERS", "END_STREAM"] if last else ["END_HEADERS"]
    return HeadersFrame(1, data=Encoder().encode(fields), flags=flags).serialize()


def _read(connection: ssl.SSLSocket) -> int | str:
    received = b""
    decoder = Decoder()
    while True:
        try:
            more = connection.recv(65536)
        except ConnectionError:
            return "refused"
        if not more:
            return "refused"
        received += more
        while len(received) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(received[:9]))
            if len(received) < 9 + length:
                break
            frame.parse_body(memoryview(received[9 : 9 + length]))
            received = received[9 + length :]
            if isinstance(frame, RstStreamFrame | GoAwayFrame):
                return "refused"
            if isinstance(frame, HeadersFrame):
                fields = {str(name): str(value) for name, value in decoder.decode(frame.data)}
                return int(fields[":status"])
