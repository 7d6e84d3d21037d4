from __future__ import annotations

import pytest

from deploy.facts.database import DatabaseStamp


@pytest.mark.parametrize("comment", [[], [""], ["somebody's own words"], ["[1, 2]"]])
def test_a_comment_that_is_not_ours_counts_as_none(comment: list[str]) -> None:
    assert DatabaseStamp().process(comment) == {}


def test_our_comment_is_read() -> None:
    assert DatabaseStamp().process(['{"migrated_by": "sha256:1"}']) == {"migrated_by": "sha256:1"}
