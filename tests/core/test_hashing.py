from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.core.hashing import canonical_json, sha256_file, sha256_json

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5)


@given(values)
def test_canonical_json_is_json_and_one_line(value: object) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert "\n" not in text
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), scalars, min_size=2))
def test_key_order_does_not_change_the_hash(mapping: dict[str, object]) -> None:
    turned = dict(reversed(mapping.items()))
    assert sha256_json(mapping) == sha256_json(turned)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_carry_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"deep": [1, {"x": bad}]})


def test_canonical_form_is_pinned() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "Å"}) == '{"a":"Å","b":[1,2.5]}'
    assert sha256_json({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_file_hash_is_that_of_sha256sum(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(i % 251 for i in range(size)))
    done = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True)
    assert sha256_file(path) == done.stdout.split()[0]
