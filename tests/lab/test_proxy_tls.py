"""How TLS is spoken."""

from __future__ import annotations

import re
import ssl

import pytest

from tests.lab.entrance import Entrance

pytestmark = pytest.mark.docker


def test_old_tls_is_refused_and_new_is_spoken(entrance: Entrance) -> None:
    with entrance.connect(443) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == "TLSv1.3"
    with entrance.connect(443, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        cipher = connection.cipher()
        assert cipher
        assert re.match(r"ECDHE-.*(GCM|CHACHA20)", cipher[0])
    with pytest.raises((ssl.SSLError, OSError)):
        entrance.connect(443, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
