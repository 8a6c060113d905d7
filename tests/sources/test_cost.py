"""What fetching costs, said before it begins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from matteralign.core.errors import FetchError
from matteralign.registry.pinned import PackageSource, PinnedFile, UrlSource
from matteralign.sources.cost import cost_of
from matteralign.sources.transfer.rates import known_rate, note_rate
from matteralign.sources.wanted import Wanted, bring_all
from tests.serving import Server


def wanted(server: Server, name: str, body: bytes, size: int | None = None) -> Wanted:
    url = server.put(f"/{name}", body)
    digest = hashlib.sha256(body).hexdigest()
    return Wanted(PinnedFile(name=name, sha256=digest, size=size, sources=[UrlSource(url=url)]))


def test_sizes_come_from_the_card_else_from_the_server(server: Server) -> None:
    items = [wanted(server, "a", b"a" * 1000, size=1000), wanted(server, "b", b"b" * 500)]
    items.append(Wanted(PinnedFile(name="c", sources=[UrlSource(url=server.address("/none"))])))
    cost = cost_of(items)
    assert (cost.files, cost.here, cost.download, cost.unknown) == (3, 0, 1500, 1)
    assert cost.seconds is None
    assert "1.5 kB and 1 of unknown size" in cost.line()
    assert "time unknown" in cost.line()
    assert not server.gets()


def test_time_is_told_when_the_server_is_known(server: Server) -> None:
    item = wanted(server, "a", b"a" * 1000, size=50_000_000)
    note_rate(server.address("/x"), 20_000_000, 2.0)
    assert known_rate(server.address("/y")) == 10_000_000
    assert cost_of([item]).seconds == pytest.approx(5.0)
    assert "about 5 s" in cost_of([item]).line()


def test_what_is_here_costs_nothing(server: Server) -> None:
    item = wanted(server, "a", b"a" * 1000)
    item.bring(print)
    assert cost_of([item, item]).line() == "nothing to fetch: 2 of 2 files are here"


def test_a_package_counts_once_for_all_its_files(
    index: Any, source: Callable[..., PackageSource], pin: Callable[..., PinnedFile]
) -> None:
    first = Wanted(pin(source("wheel")))
    second = Wanted(pin(source("wheel", member="toyweights/__init__.py"), content=b" "))
    cost = cost_of([first, second])
    assert (cost.files, cost.unknown) == (2, 0)
    assert 0 < cost.download < 10_240 + 1  # not the members: the archive, and that once


def test_a_disk_that_is_too_small_is_said(server: Server) -> None:
    item = wanted(server, "a", b"a", size=10**18)
    with pytest.raises(FetchError, match=r"needs 1\.0 EB"):
        cost_of([item]).refuse_full_disk()


def test_many_files_come_side_by_side_and_one_failure_stops_no_other(server: Server) -> None:
    items = [wanted(server, f"f{i}", bytes([i]) * 40_000) for i in range(6)]
    for served in server.files.values():
        served.pause = 0.05
    del server.files["/f3"]
    found = bring_all(items, print, jobs=4)
    failed = [item.pinned.name for item, path in found.items() if isinstance(path, Exception)]
    assert failed == ["f3"]
    starts = [request.path for request in server.gets()][:4]
    assert len(set(starts)) == 4
