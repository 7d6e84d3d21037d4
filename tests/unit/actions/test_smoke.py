from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from deploy.actions.smoke import LocalReceiver, any_instance, write_junit
from deploy.errors import CalstackError, InputError
from deploy.smoke.receiver import RemoteReceiver

OPTIONS: dict[str, Any] = {
    "url": "https://cal.example.test",
    "email": "ada@example.test",
    "key_file": None,
    "api_url": None,
    "receiver_bind": None,
    "receiver_url": None,
    "ca_file": None,
    "connect_to": None,
    "queued_webhooks": False,
}


def described(**options: Any) -> Any:
    return any_instance(**{**OPTIONS, "password_file": io.StringIO("pa ss \n"), **options})


def test_an_instance_as_the_options_describe_it() -> None:
    instance = described(receiver_bind="[::1]:9099", receiver_url="https://hooks.example.test")
    assert (instance.name, instance.password) == ("cal.example.test", "pa ss ")
    assert instance.receiver_bind == ("::1", 9099)
    assert "pa ss" not in repr(instance)


def test_a_key_takes_the_place_of_the_password() -> None:
    instance = described(email=None, password_file=None, key_file=io.StringIO("cal_0123\n"))
    assert (instance.key, instance.password) == ("cal_0123", None)
    assert "0123" not in repr(instance)


@pytest.mark.parametrize(
    "options",
    [
        {"url": "cal.example.test"},
        {"url": "ftp://cal.example.test"},
        {"url": "https://[::1"},
        {"email": None},
        {"password_file": None},
        {"key_file": io.StringIO("cal_x")},
        {"api_url": "https://api.example.test"},
        {"email": None, "password_file": None, "key_file": io.StringIO("cal_x"), "api_url": "api"},
        {"receiver_url": "https://hooks.example.test"},
        {"receiver_bind": "9099"},
        {"receiver_bind": "0.0.0.0:http"},
        {"receiver_bind": "0.0.0.0:99999"},
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_sent(options: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        described(**options)
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
