"""Downloads from a real server that breaks off, stalls, changes and lies."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matteralign.core.errors import FetchError
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import HubSource, PinnedFile, UrlSource
from matteralign.sources.cache import cached_path, ensure, in_cache
from matteralign.sources.recorded import known
from tests.serving import Server

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = np.random.default_rng(1).bytes(300_000)


def pin(*urls: str, hashed: bool = True, body: bytes = BODY) -> PinnedFile:
    return PinnedFile(
        name="data.bin",
        sha256=hashlib.sha256(body).hexdigest() if hashed else None,
        sources=[UrlSource(url=url) for url in urls],
    )


def quiet(_: str) -> None:
    return


def leftovers() -> list[str]:
    return [p.name for p in cache_root().rglob("*") if ".part" in p.name or ".tmp" in p.name]


@pytest.mark.parametrize("hashed", [True, False])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server, hashed: bool) -> None:
    url = server.put("/d", BODY, faults=["break 100000", "break 50000"])
    said: list[str] = []
    assert ensure(pin(url, hashed=hashed), said.append).read_bytes() == BODY
    starts = [request.start for request in server.gets()]
    assert starts[0] == 0
    assert 0 < starts[1] < starts[2] <= 150_000
    assert all(request.headers["If-Range"] for request in server.gets()[1:])
    assert sum(request.sent for request in server.gets()) == len(BODY)
    assert [line for line in said if "trying again" in line]
    assert not leftovers()


def test_a_later_run_goes_on_where_the_first_gave_up(server: Server) -> None:
    url = server.put("/d", BODY, faults=["break 200000", *["break 0"] * 9])
    with pytest.raises(FetchError, match="by hand"):
        ensure(pin(url), quiet)
    assert not in_cache(pin(url))
    server.files["/d"].faults.clear()
    before = len(server.gets())
    assert ensure(pin(url), quiet).read_bytes() == BODY
    assert [request.start for request in server.gets()[before:]] == [200_000]


def test_a_killed_process_leaves_nothing_that_is_read_and_its_bytes_are_kept(
    server: Server,
) -> None:
    url = server.put("/d", BODY, pause=0.05)
    code = (
        "import sys\n"
        "from matteralign.registry.pinned import PinnedFile\n"
        "from matteralign.sources.cache import ensure\n"
        "ensure(PinnedFile.model_validate_json(sys.argv[1]))\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, pin(url).model_dump_json()], stdout=subprocess.DEVNULL
    )
    part = cached_path(pin(url)).parent / ".data.bin.part"
    deadline = time.monotonic() + 60
    while not (server.gets() and server.gets()[0].sent > 100_000):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not in_cache(pin(url))
    kept = part.stat().st_size
    assert kept > 0
    server.files["/d"].pause = 0
    assert ensure(pin(url), quiet).read_bytes() == BODY
    assert server.gets()[-1].start == kept


@pytest.mark.parametrize("validator", ["etag", "date", "weak etag"])
def test_two_versions_of_a_file_are_never_glued(server: Server, validator: str) -> None:
    how = {
        "etag": {"etag": '"one"'},
        "date": {"etag": None, "modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        "weak etag": {"etag": 'W/"one"'},
    }[validator]
    url = server.put("/d", BODY, faults=["break 100000", *["break 0"] * 9], **how)
    with pytest.raises(FetchError):
        ensure(pin(url, hashed=False), quiet)
    changed = {
        "etag": {"etag": '"two"'},
        "date": {"etag": None, "modified": "Tue, 02 Jan 2024 00:00:00 GMT"},
        "weak etag": {"etag": 'W/"one"'},
    }[validator]
    server.put("/d", OTHER, **changed)
    assert ensure(pin(url, hashed=False), quiet).read_bytes() == OTHER


def test_a_server_that_ignores_the_condition_is_found_out_by_its_tag(server: Server) -> None:
    url = server.put("/d", BODY, etag='"one"', faults=["break 100000", *["break 0"] * 9])
    with pytest.raises(FetchError):
        ensure(pin(url, hashed=False), quiet)
    server.put("/d", OTHER, etag='"two"', obeys_if_range=False)
    assert ensure(pin(url, hashed=False), quiet).read_bytes() == OTHER


def test_without_a_validator_the_hash_decides(server: Server) -> None:
    url = server.put("/d", BODY, etag=None, faults=["break 100000", *["break 0"] * 9])
    with pytest.raises(FetchError):
        ensure(pin(url, body=OTHER), quiet)
    server.put("/d", OTHER, etag=None)
    said: list[str] = []
    assert ensure(pin(url, body=OTHER), said.append).read_bytes() == OTHER
    # First glued to the part and refused by its hash, then fetched whole.
    assert [request.start for request in server.gets()[-2:]] == [100_000, 0]
    assert any("not as pinned" in line for line in said)


def test_without_validator_and_hash_a_part_is_begun_again(server: Server) -> None:
    url = server.put("/d", BODY, etag=None, faults=["break 100000"])
    assert ensure(pin(url, hashed=False), quiet).read_bytes() == BODY
    assert [request.start for request in server.gets()] == [0, 0]


def test_a_server_without_ranges_sends_the_whole_again(server: Server) -> None:
    url = server.put("/d", BODY, ranges=False, faults=["break 100000"])
    assert ensure(pin(url), quiet).read_bytes() == BODY


def test_a_part_that_is_whole_already_needs_no_byte(server: Server) -> None:
    url = server.put("/d", BODY)
    server.files["/d"].faults = [f"break {len(BODY) - 1}", *["break 0"] * 9]
    with pytest.raises(FetchError):
        ensure(pin(url), quiet)
    part = cached_path(pin(url)).parent / ".data.bin.part"
    part.write_bytes(BODY)
    server.files["/d"].faults.clear()
    assert ensure(pin(url), quiet).read_bytes() == BODY
    assert server.gets()[-1].sent == 0


def test_a_part_longer_than_the_file_is_begun_again(server: Server) -> None:
    url = server.put("/d", BODY, faults=["break 100000", *["break 0"] * 9])
    with pytest.raises(FetchError):
        ensure(pin(url), quiet)
    (cached_path(pin(url)).parent / ".data.bin.part").write_bytes(BODY + b"more")
    server.files["/d"].faults.clear()
    assert ensure(pin(url), quiet).read_bytes() == BODY


def test_a_silent_connection_counts_as_broken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATTERALIGN_TIMEOUT", "0.3")
    url = server.put("/d", BODY, faults=["stall 100000"])
    assert ensure(pin(url), quiet).read_bytes() == BODY


def test_wrong_bytes_are_refused_and_fetched_once_more_elsewhere(server: Server) -> None:
    bad = server.put("/bad", OTHER)
    good = server.put("/good", BODY)
    said: list[str] = []
    assert ensure(pin(bad, good), said.append).read_bytes() == BODY
    assert any("refused" in line for line in said)
    assert len(server.gets("/bad")) == 1


def test_the_only_source_is_asked_once_more(server: Server) -> None:
    url = server.put("/d", BODY, faults=["wrong"])
    assert ensure(pin(url), quiet).read_bytes() == BODY
    assert len(server.gets()) == 2


def test_bytes_that_stay_wrong_never_enter_the_cache(server: Server) -> None:
    url = server.put("/d", OTHER)
    with pytest.raises(FetchError, match=hashlib.sha256(OTHER).hexdigest()):
        ensure(pin(url), quiet)
    assert len(server.gets()) == 2
    assert not in_cache(pin(url))
    assert not leftovers()


def test_a_published_md5_is_checked_and_the_sha256_recorded(server: Server) -> None:
    url = server.put("/d", OTHER)
    wanted = pin(url, hashed=False).model_copy(update={"md5": hashlib.md5(BODY).hexdigest()})
    with pytest.raises(FetchError, match="not as published"):
        ensure(wanted, quiet)
    server.put("/d", BODY)
    assert ensure(wanted, quiet).read_bytes() == BODY
    found = known(wanted)
    assert found is not None
    assert found.sha256 == SHA256


def test_another_size_than_pinned_is_refused_before_the_first_byte(server: Server) -> None:
    url = server.put("/d", BODY, pause=0.05)
    wanted = pin(url).model_copy(update={"size": 5})
    with pytest.raises(FetchError, match="300000 bytes, 5 are pinned"):
        ensure(wanted, quiet)
    assert max(request.sent for request in server.gets()) < len(BODY)


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_refusal_leads_to_the_next_source(server: Server, status: int) -> None:
    gone = server.put("/gone", BODY, faults=[f"status {status}"] * 20)
    assert ensure(pin(gone, server.put("/d", BODY)), quiet).read_bytes() == BODY
    # What may pass is asked for again, what is final is not.
    assert len(server.gets("/gone")) == (5 if status == 500 else 1)


def test_what_passes_is_waited_for(server: Server) -> None:
    url = server.put("/d", BODY, faults=["status 503", "status 429"])
    assert ensure(pin(url), quiet).read_bytes() == BODY


def test_redirects_are_followed_and_resumed_through(server: Server) -> None:
    server.put("/real", BODY, faults=["break 100000"])
    server.redirects["/d"] = server.address("/real")
    assert ensure(pin(server.address("/d")), quiet).read_bytes() == BODY
    assert [request.start for request in server.gets("/real")] == [0, 100_000]


def test_a_file_that_the_server_calls_encoded_is_kept_as_sent(server: Server) -> None:
    import gzip

    packed = gzip.compress(BODY)
    url = server.put("/d.gz", packed, headers={"Content-Encoding": "gzip"})
    assert ensure(pin(url, body=packed), quiet).read_bytes() == packed


def test_a_disk_that_is_too_small_is_said_before_the_first_byte(server: Server) -> None:
    url = server.put("/d", BODY, headers={"Content-Length": str(10**18)})
    with pytest.raises(FetchError, match=r"needs 1\.0 EB .*MATTERALIGN_CACHE"):
        ensure(pin(url), quiet)


def test_the_token_goes_to_the_hub_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.address(""))
    monkeypatch.setenv("HF_TOKEN", "secret")
    path = "/datasets/org/data/resolve/v1/sub/data.bin"
    server.redirects[path] = server.address("/cdn", host="localhost")
    server.put("/cdn", BODY)
    source = HubSource(repo="org/data", revision="v1", path="sub/data.bin", type="dataset")
    wanted = PinnedFile(name="data.bin", sha256=SHA256, sources=[source])
    assert ensure(wanted, quiet).read_bytes() == BODY
    assert server.gets(path)[0].headers["Authorization"] == "Bearer secret"
    assert server.gets("/cdn")[0].headers["Authorization"] is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_file_names_page_and_variable(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.address(""))
    server.put("/org/model/resolve/abc/w.pt", BODY, faults=[f"status {status}"] * 3)
    source = HubSource(repo="org/model", revision="abc", path="w.pt")
    wanted = PinnedFile(name="w.pt", sha256=SHA256, sources=[source])
    with pytest.raises(FetchError, match=f"{server.address('/org/model')} .*HF_TOKEN"):
        ensure(wanted, quiet)


def test_progress_is_told_while_it_lasts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matteralign.sources.transfer.progress._EVERY", 0.05)
    url = server.put("/d", BODY, pause=0.02)
    said: list[str] = []
    ensure(pin(url), said.append)
    assert any("of 300.0 kB" in line and "left" in line for line in said)


def test_a_second_job_waits_and_says_so(server: Server) -> None:
    from concurrent.futures import ThreadPoolExecutor

    url = server.put("/d", BODY, pause=0.1)
    said: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(lambda _: ensure(pin(url), said.append), range(3)))
    assert {path.read_bytes() for path in paths} == {BODY}
    assert len(server.gets()) == 1
    assert any("another process is fetching it" in line for line in said)


Mirrored = Callable[[Path], tuple[str, Path]]


@pytest.mark.parametrize("layout", ["a cache", "names", "addresses", "prefix"])
def test_a_folder_of_a_lab_is_asked_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    url, root = "https://data.example.org/set/data.bin", tmp_path / "our mirror"
    where = {
        "a cache": root / "files" / SHA256[:2] / SHA256 / "data.bin",
        "names": root / "data.bin",
        "addresses": root / "data.example.org" / "set" / "data.bin",
        "prefix": root / "data.bin",
    }[layout]
    where.parent.mkdir(parents=True)
    where.write_bytes(BODY)
    mirror = root.as_uri()
    if layout == "prefix":
        mirror = f"https://data.example.org/set/={mirror}"
    monkeypatch.setenv("MATTERALIGN_MIRRORS", mirror)
    monkeypatch.setenv("MATTERALIGN_OFFLINE", "1")
    hashed = layout not in ("addresses", "prefix")
    assert ensure(pin(url, hashed=hashed), quiet).read_bytes() == BODY
    assert where.exists()


def test_a_mirror_with_other_bytes_is_passed_over(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.bin").write_bytes(OTHER)
    monkeypatch.setenv("MATTERALIGN_MIRRORS", f"{tmp_path} {server.address('/mirror')}")
    server.put(f"/mirror/files/{SHA256[:2]}/{SHA256}/data.bin", BODY)
    assert ensure(pin("https://127.0.0.1:9/d"), quiet).read_bytes() == BODY


def test_a_name_alone_does_not_make_a_file_of_unknown_hash(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.bin").write_bytes(OTHER)
    monkeypatch.setenv("MATTERALIGN_MIRRORS", str(tmp_path))
    url = server.put("/d", BODY)
    assert ensure(pin(url, hashed=False), quiet).read_bytes() == BODY


def test_offline_nothing_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATTERALIGN_OFFLINE", "1")
    monkeypatch.setenv("MATTERALIGN_MIRRORS", server.address("/mirror"))
    url = server.put("/d", BODY)
    with pytest.raises(FetchError, match=r"MATTERALIGN_OFFLINE is set: no server was asked"):
        ensure(pin(url), quiet)
    assert server.requests == []
    cached_path(pin(url)).write_bytes(BODY)
    assert ensure(pin(url), quiet).read_bytes() == BODY
