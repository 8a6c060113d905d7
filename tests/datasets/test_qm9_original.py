"""QM9 in the authors' container: the same molecules as in the registry's tables."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ase.units
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.card import DatasetFile
from matteralign.datasets.base.catalogue import Chosen, get_dataset, open_dataset
from matteralign.datasets.qm9.original import Qm9Original, _left_out
from tests.datasets.original_qm9 import archive, rows, uncharacterized, xyz
from tests.serving import Server

# The record of the paper (Ramakrishnan et al. 2014), as it stands in the archive.
METHANE = b"""5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t\
-40.47893\t-40.476062\t-40.475117\t-40.498597\t6.469\t
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923
1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078
C\tC\t
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""
Serve = Callable[..., Chosen]


@pytest.fixture
def serve(server: Server) -> Serve:
    """Serve an archive and a list; return the dataset that is fetched from there."""

    def make(members: list[tuple[int, bytes]], left_out: list[int]) -> Chosen:
        chosen = get_dataset("qm9@original")
        bodies = [archive(members), uncharacterized(left_out)]
        files = [
            DatasetFile(
                name=pinned.name,
                md5=hashlib.md5(body).hexdigest(),
                sources=[{"url": server.put(f"/files/{pinned.name}", body)}],
            )
            for pinned, body in zip(chosen.version.files, bodies, strict=True)
        ]
        return replace(chosen, version=chosen.version.model_copy(update={"files": files}))

    return make


def test_methane_as_printed(serve: Serve) -> None:
    dataset = open_dataset(serve([(1, METHANE)], [58]), print)
    assert list(dataset.ids()) == ["gdb_1"]
    methane = dataset.read(["gdb_1"])[0]
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]
    # The hartree of another package; of CODATA 2014, hence the tolerance.
    assert methane.energy == pytest.approx(-40.47893 * ase.units.Hartree, rel=1e-7)
    # Less than CH4 as free atoms (atomref.txt of the same authors) by the energy of four bonds.
    atoms = (-37.846772 + 4 * -0.500273) * ase.units.Hartree
    assert methane.energy - atoms == pytest.approx(-17.17, abs=0.01)
    assert methane.positions[1].tolist() == [0.002150416, -0.0060313176, 0.0019761204]
    assert (methane.smiles, methane.charge, methane.spin) == ("C", 0, 1)
    assert methane.source == "dsgdb9nsd.xyz.tar.bz2:dsgdb9nsd_000001.xyz"


def test_exponents_are_those_of_the_authors(serve: Serve) -> None:
    changed = METHANE.replace(b"0.002150416", b"2.1997*^-6").replace(b"0.044749", b"1.*^-6")
    atoms = open_dataset(serve([(1, changed)], [58]), print).read(["gdb_1"])[0]
    assert atoms.positions[1, 0] == 2.1997e-6


def test_the_uncharacterised_are_left_out(serve: Serve) -> None:
    other = METHANE.replace(b"gdb 1\t", b"gdb 58\t")
    dataset = open_dataset(serve([(1, METHANE), (58, other)], [58, 61]), print)
    assert list(dataset.ids()) == ["gdb_1"]


@pytest.mark.network
def test_both_containers_give_the_same_molecules(serve: Serve) -> None:
    tables = open_dataset(get_dataset("qm9"), print)
    # The first hundred, with acetylene's "0."; fluorine; coordinates with an exponent.
    numbers = {*range(1, 101), 133885, 133884, 1000, 5000, 20000, 21989, 43000}
    chosen = [row for path in tables.raw.values() for row in rows(path, numbers, exponents=5)]
    members = {int(row["Index"]): xyz(row) for row in chosen}
    original = open_dataset(serve(sorted(members.items()), [58, 61]), print)
    ids = list(original.ids())
    assert len(ids) >= 115
    assert set(ids) <= set(tables.ids())
    for mine, theirs in zip(original.read(ids), tables.read(ids), strict=True):
        assert mine.digest() == theirs.digest()
        assert (mine.energy, mine.split) == (theirs.energy, theirs.split)


MALFORMED: dict[str, tuple[bytes, bytes]] = {
    "count is no number": (b"5\ngdb", b"five\ngdb"),
    "count is negative": (b"5\ngdb", b"-5\ngdb"),
    "count is too large": (b"5\ngdb", b"500\ngdb"),
    "count is absurd": (b"5\ngdb", b"99999999999999999999\ngdb"),
    "one atom too few": (b"5\ngdb", b"6\ngdb"),
    "another molecule": (b"gdb 1\t", b"gdb 2\t"),
    "unknown element": (b"C\t-0.0126", b"Qq\t-0.0126"),
    "no element": (b"C\t-0.0126", b"X\t-0.0126"),
    "coordinate is NaN": (b"1.0858041578", b"nan"),
    "coordinate is a word": (b"1.0858041578", b"one"),
    "energy is infinite": (b"-40.47893", b"inf"),
    "not ASCII": (b"InChI", b"\xff\xfe"),
    "nothing": (METHANE, b""),
}


@pytest.mark.parametrize("kind", sorted(MALFORMED))
def test_a_malformed_record_names_archive_and_record(serve: Serve, kind: str) -> None:
    dataset = open_dataset(serve([(1, METHANE.replace(*MALFORMED[kind]))], [58]), print)
    with pytest.raises(IntegrityError, match=r"dsgdb9nsd\.xyz\.tar\.bz2, record gdb_1: \S"):
        dataset.read(["gdb_1"])


def test_a_record_that_lacks_a_property_is_refused(serve: Serve) -> None:
    # One value less would make the next one, U at 298 K, pass for U0.
    dataset = open_dataset(serve([(1, METHANE.replace(b"\t-40.47893", b""))], [58]), print)
    with pytest.raises(IntegrityError, match="record gdb_1: 16 fields in its second line"):
        dataset.read(["gdb_1"])


def test_a_record_that_is_there_twice_is_refused(serve: Serve) -> None:
    dataset = open_dataset(serve([(1, METHANE), (1, METHANE)], [58]), print)
    with pytest.raises(IntegrityError, match="twice"):
        dataset.ids()


def test_an_empty_list_of_the_uncharacterised_is_refused(serve: Serve) -> None:
    dataset = open_dataset(serve([(1, METHANE)], []), print)
    with pytest.raises(IntegrityError, match=r"uncharacterized\.txt"):
        dataset.ids()


@pytest.mark.assets
def test_the_official_list_and_the_tables_are_complements(assets: Path, tmp_path: Path) -> None:
    path = tmp_path / "uncharacterized.txt"
    path.write_bytes(lzma.decompress((assets / "qm9_uncharacterized.txt.xz").read_bytes()))
    left_out = _left_out(path)
    assert len(left_out) == 3054
    there = {int(i.removeprefix("gdb_")) for i in open_dataset(get_dataset("qm9"), print).ids()}
    assert there | left_out == set(range(1, 133_886))
    assert not there & left_out


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    chosen = get_dataset("qm9@original")
    (tmp_path / "a").write_bytes(b"not an archive at all")
    (tmp_path / "b").write_bytes(uncharacterized([58]))
    raw = {"dsgdb9nsd.xyz.tar.bz2": tmp_path / "a", "uncharacterized.txt": tmp_path / "b"}
    with pytest.raises(IntegrityError, match=str(tmp_path / "a")):
        Qm9Original(chosen.card, chosen.version, raw).ids()
