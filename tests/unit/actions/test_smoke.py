from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.actions.seed import ForeignAccess
from deploy.actions.smoke import LocalReceiver, any_instance, write_junit
from deploy.errors import CalstackError, InputError
from deploy.smoke.receiver import RemoteReceiver

ADA = ForeignAccess("https://cal.example.test", "ada@example.test", "pa ss ")


def test_an_instance_as_the_options_describe_it() -> None:
    instance = any_instance(ADA, receiver_bind="[::1]:9099", receiver_url="https://hooks.example.test")
    assert instance.name == "cal.example.test"
    assert instance.receiver_bind == ("::1", 9099)
    assert "pa ss" not in repr(instance)


@pytest.mark.parametrize(
    ("access", "options"),
    [
        (replace(ADA, url="cal.example.test"), {}),
        (replace(ADA, url="ftp://cal.example.test"), {}),
        (replace(ADA, url="https://[::1"), {}),
        (replace(ADA, key="cal_x", api_url="api"), {}),
        (ADA, {"receiver_url": "https://hooks.example.test"}),
        (ADA, {"receiver_url": "hooks", "receiver_bind": "0.0.0.0:9099"}),
        (ADA, {"receiver_bind": "9099"}),
        (ADA, {"receiver_bind": "0.0.0.0:http"}),
        (ADA, {"receiver_bind": "0.0.0.0:99999"}),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_sent(
    access: ForeignAccess, options: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as refused:
        any_instance(access, **options)
    assert refused.value.fix


def test_the_receiver_of_this_machine_ends_with_the_test() -> None:
    process = LocalReceiver()
    with RemoteReceiver(process, bind="127.0.0.1", seen_as="https://hooks.example.test/x/") as receiver:
        assert receiver.url.startswith("https://hooks.example.test/x/")
        assert len(receiver.url) > 45, "a path that cannot be guessed"
    assert process._process.returncode is not None


def test_a_report_that_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(CalstackError, match="cannot be written"):
        write_junit(tmp_path / "no" / "report.xml", {}, {})
