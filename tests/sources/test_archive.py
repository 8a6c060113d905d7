"""Archives that are damaged, or made to harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PinnedFile, UrlSource
from matteralign.sources.archive import Limits, read_members
from matteralign.sources.unpacked import ensure_unpacked, unpacked_members
from tests.serving import Server

FILES = {"a/one.txt": b"one" * 5000, "a/two.txt": b"two", "b/three.bin": bytes(range(256))}


def tar(
    mode: str, files: dict[str, bytes] = FILES, extra: tuple[tarfile.TarInfo, ...] = ()
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as bundle:  # type: ignore[call-overload]
        for info in extra:
            bundle.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: dict[str, bytes] = FILES) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


KINDS: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tar("w"),
    "tar.gz": lambda: tar("w:gz"),
    "tar.bz2": lambda: tar("w:bz2"),
    "tar.xz": lambda: tar("w:xz"),
    "zip": zipped,
}
SINGLE = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def contents(
    path: Path, wanted: Callable[[str], bool] = lambda _: True, limits: Limits | None = None
) -> dict[str, bytes]:
    return {m.name: m.stream.read() for m in read_members(path, wanted, limits)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes, name: str = "archive") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_container_gives_its_members(write: Callable[..., Path], kind: str) -> None:
    path = write(KINDS[kind]())
    assert contents(path) == FILES
    assert contents(path, lambda name: name.endswith(".bin")) == {"b/three.bin": bytes(range(256))}


@pytest.mark.parametrize("kind", sorted(SINGLE))
def test_a_single_compressed_file_is_a_member_named_like_it(
    write: Callable[..., Path], kind: str
) -> None:
    path = write(SINGLE[kind](b"data_1ABC\n" * 100), f"1abc.cif.{kind}")
    assert contents(path) == {"1abc.cif": b"data_1ABC\n" * 100}


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/etc/up", "C:/up", "a\\..\\up", "a/b/../../../up"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_member_leads_outside(write: Callable[..., Path], kind: str, name: str) -> None:
    content = tar("w", {name: b"x"}) if kind == "tar" else zipped({name: b"x"})
    with pytest.raises(IntegrityError, match=r"archive: member .* outside its folder"):
        contents(write(content))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_are_no_files(write: Callable[..., Path], kind: bytes) -> None:
    info = tarfile.TarInfo("a/odd")
    info.type, info.linkname = kind, "/etc/passwd"
    path = write(tar("w:gz", extra=(info,)))
    with pytest.raises(IntegrityError, match=r"member 'a/odd' is (a link|no plain file)"):
        contents(path)
    # What is not asked for does no harm.
    assert set(contents(path, lambda name: name != "a/odd")) == set(FILES)


def test_a_link_in_a_zip_is_no_file(write: Callable[..., Path]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(info, "/etc/passwd")
    with pytest.raises(IntegrityError, match="member 'link' is a link"):
        contents(write(buffer.getvalue()))


def test_a_member_that_is_there_twice_is_refused(write: Callable[..., Path]) -> None:
    info = tarfile.TarInfo("a/two.txt")
    with pytest.raises(IntegrityError, match=r"'a/two\.txt' is there twice"):
        contents(write(tar("w", extra=(info,))))


@pytest.mark.parametrize("kind", ["tar.gz", "zip", "gz", "xz"])
def test_a_bomb_is_refused_before_it_fills_the_disk(write: Callable[..., Path], kind: str) -> None:
    zeros = bytes(50_000_000)
    content = {
        "tar.gz": lambda: tar("w:gz", {"zeros": zeros}),
        "zip": lambda: zipped({"zeros": zeros}),
        "gz": lambda: gzip.compress(zeros),
        "xz": lambda: lzma.compress(zeros),
    }[kind]()
    path = write(content)
    with pytest.raises(IntegrityError, match="bomb"):
        contents(path, limits=Limits(size=1_000_000))
    assert Limits.of(path).size == 1 << 30


def test_a_flood_of_members_is_refused(write: Callable[..., Path]) -> None:
    path = write(tar("w:gz", {f"f{i}": b"" for i in range(300)}))
    with pytest.raises(IntegrityError, match="201 members"):
        contents(path, limits=Limits(members=200))


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_told_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(KINDS[kind]())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("fuzz") / "archive"
    path.write_bytes(bytes(content))
    try:
        found = contents(path)
    except IntegrityError as error:
        assert str(path) in str(error)
    else:
        # A plain tar has no check of its contents: only names and sizes are its own.
        assert kind == "tar" or all(FILES.get(k, v) == v for k, v in found.items())


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=2000))
def test_what_is_no_archive_is_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "archive"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=str(path)):
        contents(path)


def archive(server: Server, content: bytes) -> PinnedFile:
    return PinnedFile(name="a.tar.gz", sources=[UrlSource(url=server.put("/a.tar.gz", content))])


def test_only_what_is_needed_is_unpacked_once(server: Server) -> None:
    pinned = archive(server, tar("w:gz"))
    folder = ensure_unpacked(pinned, ["*.txt"], print)
    assert unpacked_members(folder) == ["a/one.txt", "a/two.txt"]
    assert (folder / "a/one.txt").read_bytes() == FILES["a/one.txt"]
    assert not (folder / "b").exists()
    assert ensure_unpacked(pinned, ["*.txt"], print) == folder
    assert len(server.gets()) == 1
    assert ensure_unpacked(pinned, ["*.bin"], print) != folder


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_cut_archive_leaves_no_folder(server: Server, part: float) -> None:
    content = tar("w:gz", {"x.txt": bytes(range(256)) * 4000})
    pinned = archive(server, content[: int(part * len(content))])
    with pytest.raises(IntegrityError, match="damaged archive"):
        ensure_unpacked(pinned, ["*.txt"], print)
    left = [p for p in (cache_root() / "unpacked").iterdir() if p.suffix != ".lock"]
    assert not left


def test_a_member_larger_than_the_disk_is_refused(server: Server) -> None:
    info = tarfile.TarInfo("huge.txt")
    info.size = 10**17
    header = gzip.compress(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises((FetchError, IntegrityError), match=r"bomb|needs"):
        ensure_unpacked(archive(server, header), ["*.txt"], print)
