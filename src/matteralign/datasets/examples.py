"""A dozen structures of every kind, made here: what a model is tried on."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from matteralign.datasets.base.smiles import canonical_smiles, selfies_of
from matteralign.datasets.proteins.peptides import peptide
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

# Names in ASE's G2 set: geometries at MP2(full)/6-31G(d).
_MOLECULES = {
    "CH3CH2OH": "CCO",
    "C6H6": "c1ccccc1",
    "CH3COOH": "CC(=O)O",
    "HCN": "C#N",
    "CH3CH2NH2": "CCN",
}


def examples(card: ModelCard) -> list[Structure]:
    """Return structures of the kinds that a card's model reads, the refused ones among them.

    Proteins for models of chains; molecules, ions, radicals and crystals for the others; all
    of them for a model that takes anything.
    """
    if card.accepts.needs in ("sequence", "backbone"):
        return chains()
    if card.accepts.needs == "nothing":
        return [*molecules(), *species(), *crystals(), *chains()]
    return [*molecules(), *species(), *crystals()]


def molecules() -> list[Structure]:
    """Return neutral closed-shell molecules with SMILES and SELFIES."""
    return [_molecule(name, molecule(name), smiles) for name, smiles in _MOLECULES.items()]


def species() -> list[Structure]:
    """Return an anion, a cation, a radical and a triplet."""
    ammonium = molecule("CH4")
    ammonium.numbers[0] = 7
    return [
        _molecule("hydroxide", molecule("OH"), "[OH-]", charge=-1),
        _molecule("ammonium", ammonium, "[NH4+]", charge=1),
        _molecule("methyl", molecule("CH3"), "[CH3]", spin=2),
        _molecule("dioxygen", molecule("O2"), "O=O", spin=3),
    ]


def crystals() -> list[Structure]:
    """Return silicon, rock salt in a primitive cell and a copper slab, each rattled."""
    # A cell that holds its own images far off: networks that keep the nearest twenty
    # neighbours cannot tell equal distances apart.
    slab = fcc111("Cu", (2, 2, 2), vacuum=8.0)
    slab.pbc = True
    made = {
        "Si": bulk("Si") * (2, 1, 1),
        "NaCl": bulk("NaCl", "rocksalt", a=5.64),
        "Cu(111)": slab,
    }
    rng = np.random.default_rng(0)
    return [
        Structure(
            name,
            atoms.numbers.astype(np.uint8),
            atoms.positions + rng.normal(0, 0.05, atoms.positions.shape),
            np.array(atoms.cell),
            np.array(atoms.pbc),
        )
        for name, atoms in made.items()
    ]


def chains() -> list[Structure]:
    """Return a helix, a strand of all twenty residues and a chain with a gap and an X."""
    return [
        peptide(12, 1, sequence="GSHMKVLAAGIE"),
        peptide(20, 2, "strand", sequence="ACDEFGHIKLMNPQRSTVWY"),
        peptide(14, 3, "strand", gap=(4, 5), sequence="MTEYKXLVVVGAGG"),
    ]


def _molecule(name: str, atoms: Atoms, smiles: str, charge: int = 0, spin: int = 1) -> Structure:
    canonical = canonical_smiles(smiles)
    return Structure(
        name,
        atoms.numbers.astype(np.uint8),
        atoms.positions.astype(np.float64),
        smiles=canonical,
        selfies=selfies_of(canonical or smiles),
        charge=charge,
        spin=spin,
    )
