"""The real files, through the project's own fetch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from matteralign.core.hashing import sha256_json
from matteralign.datasets.base.card import EV
from matteralign.datasets.base.catalogue import get_dataset, open_dataset
from matteralign.datasets.base.dataset import Dataset
from matteralign.store.structures import SampleSet, read_structures

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def qm9() -> Dataset:
    return open_dataset(get_dataset("qm9"), print)


@pytest.fixture(scope="module")
def thousand(qm9_structures: Callable[[int], Path]) -> SampleSet:
    return read_structures(qm9_structures(1000))


def test_every_molecule_is_there_once(qm9: Dataset) -> None:
    ids = qm9.ids()
    assert len(ids) == len(set(ids)) == 130_831
    assert (ids[0], ids[-1]) == ("gdb_1", "gdb_133885")


def test_methane_of_the_paper(qm9: Dataset) -> None:
    methane = qm9.read(["gdb_1"])[0]
    assert methane.energy == pytest.approx(-40.47893 * EV["hartree"], abs=1e-9)
    assert methane.smiles == "C"
    assert methane.numbers.tolist() == [6, 1, 1, 1, 1]


def test_numbers_that_end_with_their_point_are_read(qm9: Dataset) -> None:
    # Acetylene lies on an axis: the file has "0." and "1.".
    acetylene = qm9.read(["gdb_4"])[0]
    assert acetylene.positions[0].tolist() == [0.5995394918, 0.0, 1.0]
    assert len(qm9.read([f"gdb_{i}" for i in range(1, 20)])) == 19


def test_the_uncharacterised_are_not_there(qm9: Dataset) -> None:
    assert not {"gdb_58", "gdb_61", "gdb_133864"} & set(qm9.ids())


def test_the_draw_of_a_thousand_is_pinned(thousand: SampleSet) -> None:
    ids = [s.id for s in thousand.structures]
    assert ids[:5] == ["gdb_75690", "gdb_98481", "gdb_8715", "gdb_114688", "gdb_107704"]
    assert sha256_json(ids) == "bedcd0ef91ab7db9d2448d9f06cc747b6e67878f9d2948c99c64a1ab522614c2"
    # Changes with RDKit's canonical SMILES too: raise the dataset's version when it does.
    assert thousand.id == "f9a1b26c83b684a650a795a2c6eb447e29e7109b7a048e6d1710b6dd32436242"


def test_a_smaller_slice_is_the_beginning_of_a_larger_one(
    thousand: SampleSet, qm9_structures: Callable[[int], Path]
) -> None:
    small = read_structures(qm9_structures(24))
    assert [s.digest() for s in small.structures] == [s.digest() for s in thousand.structures[:24]]
    assert small.id == "ed1a3b657ceecba60231284c4abcb7d6dc18d505c3d4dcc331b265026bdcfc4a"
    assert small.info["seed"] == "0"


def test_geometry_and_smiles_are_of_the_same_molecule(thousand: SampleSet) -> None:
    differing = []
    for structure in thousand.structures:
        assert structure.smiles is not None
        molecule = Chem.AddHs(Chem.MolFromSmiles(structure.smiles))
        drawn = Counter(atom.GetAtomicNum() for atom in molecule.GetAtoms())
        if drawn != Counter(structure.numbers.tolist()):
            differing.append(structure.id)
    assert not differing


def test_geometries_and_energies_are_physical(thousand: SampleSet) -> None:
    for structure in thousand.structures:
        assert 3 <= structure.n_atoms <= 29
        assert set(structure.numbers.tolist()) <= {1, 6, 7, 8, 9}
        difference = structure.positions[:, None] - structure.positions[None]
        distance = np.linalg.norm(difference, axis=-1) + 10 * np.eye(structure.n_atoms)
        # An O–H or N–H bond is the shortest there is.
        assert distance.min() > 0.9
        assert distance.min(axis=1).max() < 1.7
        # Hartree per electron lies between those of hydrogen and of fluorine.
        assert structure.energy is not None
        per_electron = structure.energy / EV["hartree"] / structure.numbers.sum()
        assert -11.2 < per_electron < -3


def test_selfies_decode_to_the_same_molecule(thousand: SampleSet) -> None:
    import selfies

    for structure in thousand.structures[:200]:
        assert structure.selfies is not None
        back = Chem.CanonSmiles(selfies.decoder(structure.selfies))
        assert back == structure.smiles


def test_the_file_says_where_it_comes_from(qm9_structures: Callable[[int], Path]) -> None:
    info = read_structures(qm9_structures(24)).info
    assert json.loads(json.dumps(info)) == info
    assert "10.1038/sdata.2014.22" in info["citation"]
    assert info["level_of_theory"] == "B3LYP/6-31G(2df,p)"
