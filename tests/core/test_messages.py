from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from matteralign.core.paths import cache_root
from matteralign.core.suggest import nearest, unknown
from matteralign.core.validation import explain


def test_a_typo_gets_the_nearest_name() -> None:
    assert unknown("slice", "qm9-dmeo", ["qm9-demo", "qm9-50k"]) == (
        "unknown slice 'qm9-dmeo': did you mean 'qm9-demo'?"
    )


def test_case_does_not_matter() -> None:
    assert nearest("MACE-MP-SMALL", ["mace-mp-small", "chgnet"]) == "mace-mp-small"


def test_nothing_near_lists_what_there_is() -> None:
    assert unknown("metric", "zzz", ["cka", "dcor"]) == "unknown metric 'zzz': known are cka, dcor"
    assert unknown("metric", "zzz", []) == "unknown metric 'zzz': known are none"
    many = [f"model{i:02}" for i in range(40)]
    assert unknown("model", "§", many).endswith("model11, …")


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=20))
def test_a_message_is_one_line_and_offers_only_known_names(name: str, known: list[str]) -> None:
    guess = nearest(name, known)
    assert guess is None or guess in known
    assert len(unknown("thing", name, ["a", "b"]).splitlines()) == 1


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    fraction: float = 0.5


class _Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    parts: list[_Inner] = []
    by_key: dict[str, _Inner] = {}


def _lines(raw: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate(raw)
    return explain(caught.value, _Outer)


def test_explain_gives_one_line_per_field_with_its_place() -> None:
    lines = _lines(
        {"nmae": "x", "parts": [{}, {"fractoin": 1}], "by_key": {"k": {"fraction": "q"}}}
    )
    assert len(lines) == 4
    assert "nmae: unknown key: did you mean 'name'?" in lines
    assert "parts[1].fractoin: unknown key: did you mean 'fraction'?" in lines
    assert any(line.startswith("name: ") for line in lines)
    assert any(line.startswith("by_key.k.fraction: ") for line in lines)


def test_explain_names_the_top_level() -> None:
    assert _lines([1])[0].startswith("top level: ")


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATTERALIGN_CACHE", "~/somewhere")
    assert cache_root() == Path.home() / "somewhere"
    monkeypatch.delenv("MATTERALIGN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_root() == Path("/x/matteralign")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "matteralign"
