from __future__ import annotations

import pytest

from matteralign.core.progress import spoken
from matteralign.stages.progress import EVERY_SECONDS, Progress


def test_a_line_now_and_then_with_what_is_left() -> None:
    now, lines = [0.0], []
    progress = Progress("score tiny", lines.append, clock=lambda: now[0])
    for second in range(0, 101):
        now[0] = float(second)
        progress(second / 400)
    assert len(lines) == 100 // EVERY_SECONDS
    assert lines[0] == "score tiny: 5% done in 20 s, about 6.3 min left"
    assert lines[-1] == "score tiny: 25% done in 100 s, about 5.0 min left".replace(
        "100 s", "1.7 min"
    )


def test_a_pass_that_was_taken_up_is_timed_from_where_it_started() -> None:
    now, lines = [0.0], []
    progress = Progress("x", lines.append, clock=lambda: now[0])
    progress(0.8)
    now[0] = 60.0
    progress(0.9)
    assert lines == ["x: 90% done in 60 s, about 60 s left"]


def test_without_any_gain_nothing_is_foretold() -> None:
    now, lines = [0.0], []
    progress = Progress("x", lines.append, clock=lambda: now[0])
    now[0] = 30.0
    progress(0.0)
    assert lines == ["x: 0% done in 30 s"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (90, "1.5 min"), (5400, "1.5 h")]
)
def test_times_as_a_person_says_them(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
