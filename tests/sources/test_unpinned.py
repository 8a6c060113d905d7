"""Files at a fixed address, and files whose hash no card knows."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.registry.pinned import PinnedFile, UrlSource
from matteralign.sources.cache import cached_path, ensure, in_cache
from matteralign.sources.recorded import accept, accepted, hand_path, known

BYTES = b"weights" * 1000
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def served(index: Any) -> Any:
    index.files["w.pt"] = BYTES
    return index


def file(index: Any, **changes: Any) -> PinnedFile:
    source = UrlSource(url=f"{index.url}/files/w.pt")
    return PinnedFile(**({"name": "w.pt", "sources": [source]} | changes))


def asked(index: Any) -> int:
    return sum(line.endswith("/files/w.pt") for line in index.requests)


def test_a_pinned_file_comes_from_its_address(served: Any) -> None:
    pinned = file(served, sha256=SHA256, size=len(BYTES))
    assert ensure(pinned).read_bytes() == BYTES
    assert ensure(pinned) == cached_path(pinned)
    assert asked(served) == 1


def test_other_bytes_than_pinned_never_enter_the_cache(served: Any) -> None:
    pinned = file(served, sha256="ab" * 32)
    with pytest.raises(FetchError, match=SHA256):
        ensure(pinned)
    assert not in_cache(pinned)


def test_an_unknown_hash_is_recorded_once_and_enforced(served: Any) -> None:
    unpinned, said = file(served), []
    assert known(unpinned) is None
    path = ensure(unpinned, said.append)
    assert path.read_bytes() == BYTES
    assert SHA256 in said[-1]
    found = known(unpinned)
    assert found is not None
    assert (found.sha256, found.size) == (SHA256, len(BYTES))
    path.write_bytes(b"other")
    with pytest.raises(IntegrityError, match=SHA256):
        ensure(unpinned)
    path.unlink()
    served.files["w.pt"] = b"served otherwise today"
    with pytest.raises(FetchError, match="22 bytes, 7000 are pinned"):
        ensure(unpinned)


def test_a_file_placed_by_hand_needs_no_network(served: Any) -> None:
    unpinned = file(served)
    served.files.clear()
    with pytest.raises(FetchError, match="404") as caught:
        ensure(unpinned)
    place = hand_path(unpinned)
    assert str(place) in str(caught.value)
    place.write_bytes(BYTES)
    assert in_cache(unpinned)
    assert ensure(unpinned).read_bytes() == BYTES
    assert not place.exists()


def test_an_empty_file_is_called_empty(served: Any) -> None:
    served.files["w.pt"] = b""
    for pinned in (file(served), file(served, sha256=SHA256)):
        with pytest.raises(FetchError, match=r"files/w\.pt: the file there is empty"):
            ensure(pinned)
        assert not in_cache(pinned)
    hand_path(file(served)).write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"w\.pt: is empty .* get it again"):
        ensure(file(served))
    pinned = file(served, sha256=SHA256)
    cached_path(pinned).write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"w\.pt: is empty"):
        ensure(pinned)


def test_a_person_may_vouch_for_a_recorded_hash(served: Any) -> None:
    unpinned = file(served)
    ensure(unpinned)
    assert not accepted(unpinned)
    accept(unpinned)
    assert accepted(unpinned)
    assert accepted(file(served, sha256=SHA256))
    assert known(unpinned) is not None
