"""Subscriber addresses: private ones are welcome on one's own instance, cloud metadata is not."""

from __future__ import annotations

import pytest

from deploy.lab.standin.core.webhook_urls import problem_of

NEW, OLD = (6, 2, 0), (6, 0, 12)


@pytest.mark.parametrize("address", ["http://n8n:5678/hook", "https://10.0.0.1/x", "http://127.0.0.1:9099/"])
def test_private_addresses_are_allowed(address: str) -> None:
    assert problem_of(address, NEW) is None


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://metadata.google.internal./x",
        "http://[fd00:ec2::254]/",
        "not a url",
        "ftp://example.test/",
        "http://[",
    ],
)
def test_cloud_metadata_and_what_is_no_address_are_refused_by_newer_versions_only(address: str) -> None:
    assert problem_of(address, NEW)
    assert problem_of(address, OLD) is None
