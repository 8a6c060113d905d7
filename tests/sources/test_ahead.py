"""A stream that a thread unpacks: the same bytes, the same errors, nothing left behind."""

from __future__ import annotations

import bz2
import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.sources import ahead
from matteralign.sources.ahead import Ahead


@given(
    content=st.binary(max_size=300), block=st.integers(1, 50), sizes=st.lists(st.integers(1, 70))
)
def test_the_bytes_are_those_of_the_stream(content: bytes, block: int, sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "_BLOCK", block)
        with Ahead(io.BytesIO(content)) as stream:
            found = b"".join(stream.read(size) for size in sizes)
            found += stream.read()
            assert stream.read(5) == b""
    assert found == content


def test_an_error_comes_after_the_bytes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_BLOCK", 64)
    whole = bz2.compress(b"a" * 1000)
    with Ahead(bz2.open(io.BytesIO(whole[:-4]))) as stream:
        with pytest.raises(EOFError):
            while stream.read(10):
                pass
        assert stream.read(10) == b""


def test_a_reader_that_leaves_early_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_BLOCK", 1)
    before, raw = threading.active_count(), io.BytesIO(bytes(10_000))
    with Ahead(raw) as stream:
        assert stream.read(1) == b"\0"
    assert threading.active_count() == before
    assert raw.closed
