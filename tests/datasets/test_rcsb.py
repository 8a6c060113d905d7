"""Chains of the Protein Data Bank, from a folder and from a real server on loopback."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.config.datasets import ProteinArchive
from matteralign.config.slices import Slice
from matteralign.core.errors import FetchError, IntegrityError, UserError
from matteralign.core.hashing import sha256_file
from matteralign.datasets.base.catalogue import get_dataset
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.drawing.draw import draw_structures
from matteralign.datasets.proteins import rcsb_source
from matteralign.datasets.proteins.peptides import peptide
from matteralign.datasets.proteins.rcsb import remote_file
from matteralign.datasets.proteins.rcsb_lists import (
    Entity,
    Entry,
    in_order,
    read_clusters,
    read_entries,
)
from matteralign.datasets.proteins.rcsb_source import ProteinSource
from matteralign.datasets.source import Source, find_source
from matteralign.store.structures import Structure, sample_set_id
from tests.datasets.chain_files import entries_idx, write_chains
from tests.serving import Server, server

__all__ = ["server"]

# 1AAA has two entities, of 8 and 12 residues; 2BBB is an NMR structure; 3CCC is coarse; 4DDD
# has a short chain; 5EEE two chains of one entity.
CLUSTERS = "2BBB_1 3CCC_1 1AAA_2 AF_AFP12345F1_1\n1AAA_1 5EEE_1\n4DDD_1\n9ZZZ_1\n"
SEQUENCES = ("MKTAYIAK", "GSHMKVLAAGIE", "MSTNPKPQRK")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mmcif"
    made.mkdir()
    eight, twelve, ten = (peptide(len(s), i, sequence=s) for i, s in enumerate(SEQUENCES))
    write_chains(made / "1aaa.cif", [eight, twelve], resolution=2.5)
    write_chains(made / "2bbb.cif", [twelve], method="SOLUTION NMR", resolution=None)
    write_chains(made / "3ccc.cif", [twelve], resolution=4.0)
    write_chains(made / "4ddd.cif", [peptide(3, sequence="MKT")])
    write_chains(made / "5eee.cif", [ten, ten], entities=[1, 1], resolution=1.5)
    (tmp_path / "clusters.txt").write_text(CLUSTERS)
    return made


def source(folder: Path, **more: Any) -> ProteinSource:
    raw = {
        "kind": "rcsb",
        "files": str(folder),
        "entries": None,
        "clusters": str(folder.parent / "clusters.txt"),
        "residues": {"least": 5},
    }
    return ProteinSource("pdb", ProteinArchive.model_validate(raw | more))


def chosen(found: Source) -> dict[str, str]:
    rows = found.open(lambda _: None)
    ids = rows.ids()
    taken = rows.take(ids)
    return {
        name: row.reason if isinstance(row, Skipped) else row.id
        for name, row in zip(ids, taken, strict=True)
    }


def test_each_cluster_gives_the_first_member_that_fits(folder: Path) -> None:
    assert chosen(source(folder)) == {
        # 1AAA_2 comes first and fits; of an entity of two chains the first.
        "1AAA_2": "1AAA_B",
        "1AAA_1": "1AAA_A",
        "4DDD_1": "4DDD_1: 3 residues",
    }
    strict = chosen(source(folder, resolution=2.0))
    assert strict["1AAA_1"] == "5EEE_A"
    assert strict["1AAA_2"] == (
        "1AAA_2: resolution 2.5 Å; 2BBB_1: method SOLUTION NMR; 3CCC_1: resolution 4 Å"
    )
    free = chosen(source(folder, resolution=None, methods=["solution nmr"]))
    assert free["1AAA_2"] == "2BBB_A"


def test_a_chain_is_read_as_it_was_written(folder: Path) -> None:
    rows = source(folder).open(lambda _: None)
    (chain,) = rows.take(["1AAA_2"])
    assert isinstance(chain, Structure)
    assert chain.sequence == SEQUENCES[1]
    np.testing.assert_allclose(
        chain.backbone, peptide(12, 1, sequence=SEQUENCES[1]).backbone, atol=2e-3
    )


def test_members_beyond_the_tries_are_not_looked_at(folder: Path) -> None:
    found = chosen(source(folder, resolution=None, methods=["SOLUTION NMR"], tries=1))
    assert found["1AAA_2"] == (
        "1AAA_2: method X-RAY DIFFRACTION; 2 more members were not looked at"
    )


TABLE = [
    ("1AAA", "2.5", "X-RAY DIFFRACTION"),
    ("2BBB", "NOT", "SOLUTION NMR"),
    ("3CCC", "4.0", "X-RAY DIFFRACTION"),
    # Of two methods one that is wanted is enough, as in the entries themselves.
    ("5EEE", "1.5", "NEUTRON DIFFRACTION, X-RAY DIFFRACTION"),
]


def test_the_table_of_entries_spares_reading_and_orders_members(folder: Path) -> None:
    table = folder.parent / "entries.idx"
    table.write_bytes(entries_idx(TABLE))
    assert chosen(source(folder, entries=str(table))) == {"1AAA_2": "1AAA_B", "1AAA_1": "5EEE_A"}


def test_the_dataset_of_the_card_gives_what_the_same_choice_gives_on_this_machine(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it from a mirror of the publishers' servers, without a section `datasets`."""
    for path in folder.iterdir():
        body = gzip.compress(path.read_bytes(), mtime=0)
        server.put(f"/files.rcsb.org/download/{path.stem.upper()}.cif.gz", body)
    table = "/files.wwpdb.org/pub/pdb/derived_data/index/entries.idx"
    server.put(table, entries_idx(TABLE))
    for identity in (30, 90):
        clusters = f"clusters-by-entity-{identity}.txt"
        server.put(f"/cdn.rcsb.org/resources/sequence/clusters/{clusters}", CLUSTERS.encode())
    monkeypatch.setenv("MATTERALIGN_MIRRORS", server.address(""))
    (folder.parent / "entries.idx").write_bytes(entries_idx(TABLE))
    lists = {"entries": str(folder.parent / "entries.idx")}
    # The card wants 30 residues, more than these have.
    assert chosen(find_source("rcsb", {})) == chosen(
        source(folder, **lists, residues={"least": 30, "most": 1024})
    )
    short = ProteinArchive.model_validate({"kind": "rcsb", "residues": {"least": 5}})
    changed = find_source("short", {"short": short})
    assert [w.pinned for w in changed.wanted()] == list(get_dataset("rcsb").version.files)
    assert chosen(changed) == {"1AAA_2": "1AAA_B", "1AAA_1": "5EEE_A"}
    assert chosen(find_source("rcsb@clusters-90", {})) == chosen(find_source("rcsb", {}))
    assert sum(request.path == table for request in server.gets()) == 1
    record = find_source("rcsb", {}).record(print, 1)
    assert set(record["files"]) == {"entries.idx", "clusters-by-entity-30.txt"}  # type: ignore[call-overload]
    # What was fetched is enforced.
    path = changed.wanted()[0].bring(print)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(IntegrityError, match=r"entries\.idx: expected"):
        find_source("rcsb", {}).open(print)


@pytest.mark.parametrize("name", ["rcsb@clusters-30", "rcsb@clusters-90", "rcsb@entries"])
def test_the_card_says_all_that_a_choice_may_say(name: str) -> None:
    version = get_dataset(name).version
    whole = ProteinArchive(kind="rcsb").over(version.options)
    lists = [place for place in (whole.entries, whole.clusters) if place is not None]
    assert lists == [pinned.name for pinned in version.files]
    assert name.rpartition("-")[2].removeprefix("rcsb@") in version.about
    with pytest.raises(ValueError, match="tries: not said"):
        ProteinArchive(kind="rcsb").over({k: v for k, v in version.options.items() if k != "tries"})


def test_a_choice_keeps_its_identity_and_states_what_it_is(folder: Path) -> None:
    complete = source(folder, methods=["SOLUTION NMR"], resolution=None, tries=3, licence="mine")
    assert complete.identity() == {
        "dataset": "pdb",
        "dataset_version": 2,
        "rcsb": {
            "kind": "rcsb", "files": str(folder), "entries": None,
            "clusters": str(folder.parent / "clusters.txt"), "methods": ["SOLUTION NMR"],
            "resolution": None, "residues": {"least": 5, "most": None}, "pick": "first", "tries": 3,
        },
    }  # fmt: skip
    assert complete.facts["licence"] == "mine"
    assert complete.facts["level_of_theory"] == "experiment"
    assert source(folder).facts == get_dataset("rcsb").facts
    assert source(folder).offers() == get_dataset("rcsb").offers()


def test_an_entry_that_is_damaged_in_the_cache_stops_the_draw(server: Server, folder: Path) -> None:
    """Another member instead would make the rows depend on one machine's disk."""
    remote = source(folder, **serve(server, folder, ["1AAA", "2BBB", "3CCC"]), resolution=2.0)
    assert chosen(remote)["1AAA_2"].startswith("1AAA_2: resolution 2.5 Å; 2BBB_1: method")
    second = remote_file(server.address("/2BBB.cif.gz")).bring(print)
    second.write_bytes(b"x" + second.read_bytes()[1:])
    with pytest.raises(IntegrityError, match=r"2BBB\.cif\.gz: expected"):
        chosen(remote)


def test_without_clusters_every_entry_gives_a_chain(folder: Path) -> None:
    found = chosen(source(folder, clusters=None))
    assert found["1AAA"] == "1AAA_A"
    assert found["5EEE"] == "5EEE_A"
    assert set(found) == {"1AAA", "2BBB", "3CCC", "4DDD", "5EEE"}


def test_entries_are_drawn_with_any_method_and_resolution_and_a_chain_of_each(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rcsb@entries` from a mirror: what the filters of the clusters leave out is there."""
    long = {
        name: peptide(length, seed, sequence=("ACDEFGHIKLMNPQRSTVWY" * 2)[:length])
        for seed, (name, length) in enumerate({"a": 30, "b": 34, "c": 38, "short": 9}.items())
    }
    write_chains(folder / "1aaa.cif", [long["a"], long["short"], long["b"]], resolution=2.5)
    write_chains(folder / "2bbb.cif", [long["c"]], method="SOLUTION NMR", resolution=None)
    write_chains(folder / "3ccc.cif", [long["c"]], resolution=9.0)
    table = [*TABLE, ("4DDD", "2.0", "X-RAY DIFFRACTION")]
    for path in folder.iterdir():
        body = gzip.compress(path.read_bytes(), mtime=0)
        server.put(f"/files.rcsb.org/download/{path.stem.upper()}.cif.gz", body)
    server.put("/files.wwpdb.org/pub/pdb/derived_data/index/entries.idx", entries_idx(table))
    monkeypatch.setenv("MATTERALIGN_MIRRORS", server.address(""))
    found = chosen(find_source("rcsb@entries", {}))
    assert found.pop("1AAA") in ("1AAA_A", "1AAA_C")
    assert found == {
        "2BBB": "2BBB_A",
        "3CCC": "3CCC_A",
        "4DDD": "4DDD: 3 residues",
        "5EEE": "5EEE: 10 residues",
    }
    # One table, and each entry once: no clusters.
    assert len(server.gets()) == 6


def test_the_chain_of_an_entry_is_drawn_evenly_and_is_the_same_for_all(folder: Path) -> None:
    three = [peptide(6, seed, sequence="MKTAYI") for seed in range(3)]
    for path in folder.iterdir():
        path.unlink()
    for number in range(60):
        write_chains(folder / f"1a{number:02d}.cif", three)
    raw = {"clusters": None, "methods": [], "resolution": None}
    drawn = chosen(source(folder, pick="drawn", **raw))
    assert drawn == chosen(source(folder, pick="drawn", **raw))
    counts = [sum(row.endswith(f"_{name}") for row in drawn.values()) for name in "ABC"]
    # Chi-squared of 2 degrees of freedom is below 13.8 in 999 of 1,000 draws.
    assert sum((count - 20) ** 2 / 20 for count in counts) < 13.8
    assert set(chosen(source(folder, pick="first", **raw)).values()) == {
        f"{entry}_A" for entry in drawn
    }


def test_a_damaged_file_is_skipped_with_its_name(folder: Path) -> None:
    (folder / "1aaa.cif").write_bytes(b"\xff\xfe")
    found = chosen(source(folder))
    assert found["1AAA_1"] == "5EEE_A"
    assert "1aaa.cif: not a readable mmCIF file" in found["1AAA_2"]


def serve(server: Server, folder: Path, entries: list[str]) -> dict[str, Any]:
    for path in folder.iterdir():
        server.put(f"/{path.stem.upper()}.cif.gz", gzip.compress(path.read_bytes(), mtime=0))
    return {
        "files": server.address(""),
        "entries": server.put("/entry_ids", json.dumps(entries).encode()),
        "clusters": server.put("/clusters.txt", CLUSTERS.encode()),
    }


def test_a_mirror_gives_the_rows_of_the_folder(server: Server, folder: Path) -> None:
    entries = ["1AAA", "2BBB", "3CCC", "4DDD", "5EEE"]
    remote = source(folder, **serve(server, folder, entries))
    assert chosen(remote) == chosen(source(folder))
    # Nothing but what was looked at, and each once.
    asked = [request.path for request in server.gets()]
    assert sorted(asked) == ["/1AAA.cif.gz", "/4DDD.cif.gz", "/clusters.txt", "/entry_ids"]
    assert chosen(remote) == chosen(source(folder))
    assert len(server.gets()) == len(asked)


def test_an_entry_that_a_mirror_lacks_stops_the_draw(server: Server, folder: Path) -> None:
    """Another member instead would make the rows depend on a server's mood."""
    remote = source(folder, **serve(server, folder, ["1AAA", "9ZZZ"]))
    with pytest.raises(FetchError, match=r"9ZZZ\.cif\.gz"):
        chosen(remote)


def test_a_draw_of_clusters_does_not_depend_on_the_order_of_their_list(folder: Path) -> None:
    wanted = Slice.model_validate({"dataset": "pdb", "n": 2, "seed": 1, "panel": "all"})

    def drawn() -> list[str]:
        found, _ = draw_structures(source(folder).open(print), wanted, print)
        return [structure.id for structure in found]

    first = drawn()
    lines = CLUSTERS.splitlines()
    turned = [" ".join(reversed(line.split())) for line in reversed(lines)]
    (folder.parent / "clusters.txt").write_text("\n".join(turned))
    assert drawn() == first
    assert set(first) == {"1AAA_A", "1AAA_B"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1AAA_1 what\n", r"line 1: 'what' is no entity"),
        ("1AAA_1\n\n2BBB_1 1aaa_1\n", "1aaa_1 is in lines 1 and 3"),
        ("AF_AFX_1\n", "no clusters in it"),
        ("", "no clusters in it"),
        (b"\xff\xfe", "not readable as text"),
    ],
)
def test_a_bad_list_of_clusters_is_refused(text: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(IntegrityError, match=message):
        read_clusters(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", "not readable as JSON"),
        ('["1AAA", "x"]', "line 2: 'x' is no entry"),
        ("1AAA\tx\n", "line 1: 2 columns"),
        ("\n", "no entries in it"),
    ],
)
def test_a_bad_list_of_entries_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "e.txt"
    path.write_text(text)
    with pytest.raises(IntegrityError, match=message):
        read_entries(path)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(1, 3)), unique=True), st.data())
def test_members_are_tried_in_one_order(pairs: list[tuple[str, int]], data: st.DataObject) -> None:
    members = [Entity(f"1AA{letter}", number) for letter, number in pairs]
    entries = {"1AAC": Entry(resolution=1.0), "1AAD": Entry(resolution=0.5)}
    found = in_order(data.draw(st.permutations(members)), entries)
    assert found == in_order(members, entries)
    worst = [entries.get(m.entry, Entry(resolution=9.0)).resolution for m in found]
    assert worst == sorted(worst)


def test_a_folder_or_list_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match="folder does not exist"):
        source(folder / "none", clusters=None).open(print)
    with pytest.raises(UserError, match="file does not exist"):
        source(folder, clusters=str(folder / "none.txt")).open(print)
    (folder / "sub").mkdir()
    write_chains(folder / "sub" / "1AAA.cif", [peptide(5, sequence="MKTAY")])
    with pytest.raises(UserError, match="are both entry 1AAA"):
        source(folder).open(print)
    (folder / "sub" / "1AAB.cif.gz").symlink_to(folder / "gone")
    with pytest.raises(UserError, match=r"1AAB\.cif\.gz: not a file, or a link to one"):
        source(folder).open(print)


def test_a_folder_is_known_by_paths_sizes_and_times_and_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the archive has 200,000 entries: no plan may read them all."""
    read: list[str] = []

    def hashed(path: Path) -> str:
        read.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(rcsb_source, "sha256_file", hashed)
    pdb = source(folder)
    first = pdb.record(print)["files"]
    assert read == ["clusters.txt"]
    assert pdb.inputs() == [folder.parent / "clusters.txt"]
    assert isinstance(first, dict)
    told = first[str(folder)]
    assert told["listing"] == pdb.listing()
    assert told["entries"] == 5
    assert told["size"] == sum(path.stat().st_size for path in folder.iterdir())
    (folder / "README").write_text("no entry")
    assert pdb.record(print)["files"] == first
    seen = {pdb.listing()}
    path = folder / "1aaa.cif"
    path.write_bytes(path.read_bytes() + b"#\n")
    seen.add(pdb.listing())
    time = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(time, time))
    seen.add(pdb.listing())
    path.rename(folder / "9zzz.cif")
    seen.add(pdb.listing())
    assert len(seen) == 4
    assert pdb.record(print)["files"] != first
    assert source(folder.parent / "none").listing() is None


def test_what_is_drawn_of_a_folder_enters_the_identity_by_its_contents(folder: Path) -> None:
    def drawn() -> str:
        rows = source(folder).open(print)
        (chain,) = rows.take(["1AAA_2"])
        assert isinstance(chain, Structure)
        return sample_set_id([chain])

    path = folder / "1aaa.cif"
    first, before = drawn(), source(folder).listing()
    os.utime(path, ns=(1, 1))
    assert source(folder).listing() != before
    assert drawn() == first
    write_chains(path, [peptide(8, 7), peptide(12, 7)], resolution=2.5)
    assert drawn() != first
