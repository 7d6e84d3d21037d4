from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import InputError
from deploy.seed.abilities import check_abilities
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import manifest


def test_a_language_needs_a_channel_that_tells_it(tmp_path: Path) -> None:
    wanted, channel = manifest(tmp_path, "profile: {locale: de, time_zone: UTC}\n"), FakeChannel()
    check_abilities(wanted, channel, other_users=True, key_limits=True)
    channel.name = "api"
    with pytest.raises(InputError, match="profile: locale can be set, but not be read back") as told:
        check_abilities(wanted, channel, other_users=True, key_limits=True)
    assert "time_zone" not in str(told.value)
