from __future__ import annotations

import pytest

from matteralign.metrics.base.errors import MetricInputError
from matteralign.metrics.base.resources import Resources


@pytest.mark.parametrize("what", ["memory_bytes", "threads"])
def test_less_than_one_is_refused_by_name(what: str) -> None:
    with pytest.raises(MetricInputError, match=f"{what} must be positive, got 0"):
        Resources(**{what: 0})


def test_parts_of_parts_tell_the_share_of_the_whole() -> None:
    told: list[float] = []
    half = Resources(progress=told.append).part(0.5, 0.5)
    half.tell(0.5)
    half.part(0.5, 0.25).tell(1.0)
    half.silent().tell(1.0)
    assert told == [0.75, 0.875]
