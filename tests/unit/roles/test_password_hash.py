"""Passwords as the proxy's configuration may hold them."""

from __future__ import annotations

import bcrypt
import pytest

from deploy.errors import InputError
from deploy.roles.password_hash import hashed


@pytest.mark.parametrize("salt", ["", "a", "some secret", "ä" * 50])
def test_the_hash_is_one_that_bcrypt_itself_accepts(salt: str) -> None:
    assert bcrypt.checkpw(b"open sesame", hashed("open sesame", salt=salt).encode())


def test_it_is_the_same_each_time_and_another_for_another_salt() -> None:
    assert hashed("x", salt="a") == hashed("x", salt="a")
    assert hashed("x", salt="a")[:29] != hashed("x", salt="b")[:29]


def test_what_bcrypt_would_cut_off_is_refused() -> None:
    hashed("x" * 72, salt="a")
    with pytest.raises(InputError, match="72 bytes") as caught:
        hashed("x" * 73, salt="a")
    assert "xxx" not in str(caught.value)
