from __future__ import annotations

from deploy.seed.model import EventTypeDeclared
from deploy.seed.reference import PAGE, manifest_reference, page_with


def test_the_page_is_current() -> None:
    page = PAGE.read_text()
    assert page == page_with(manifest_reference(), page), "run: python -m deploy.seed.reference"


def test_every_key_is_explained() -> None:
    reference = manifest_reference()
    for name, field in EventTypeDeclared.model_fields.items():
        assert f"| `{name}` |" in reference
        assert field.description
