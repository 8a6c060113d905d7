"""Smooth overlap of atomic positions through DScribe: the classical reference in 3D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from ase.data import chemical_symbols
from dscribe.descriptors import SOAP

from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.atoms import to_atoms
from matteralign.store.structures import Structure


class SoapWrapper(Wrapper):
    """Two power spectra per atom, each scaled to unit length, averaged over atoms.

    The usual power spectrum has a block per pair of elements: as wide as a dataset has elements,
    and different elements share nothing. Here all neighbours enter one density (mode mu2 of
    Darby et al., npj Comput. Mater. 2022, 8, 166), once with weight 1 and once with their atomic
    number as weight, as Gastegger et al. (J. Chem. Phys. 2018, 148, 241709) weight symmetry
    functions. The width is the same for any elements: geometry, then geometry and elements.

    Options
    -------
    cutoff
        In Å.
    radial
        Number of radial functions (Gaussian type orbitals).
    angular
        Highest degree of the spherical harmonics.
    width
        Standard deviation of an atom's density, in Å.
    """

    family: ClassVar[str] = "soap"
    options_known: ClassVar[Mapping[str, Any]] = {
        "cutoff": 5.0,
        "radial": 8,
        "angular": 6,
        "width": 0.5,
    }

    def n_parameters(self) -> int:
        return 0

    def packages(self) -> list[str]:
        return ["numpy", "dscribe", "scipy", "ase"]

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = np.concatenate([self._rows(s) for s in batch])
        return Embedded(segment_mean(rows, [s.n_atoms for s in batch]))

    def _rows(self, structure: Structure) -> npt.NDArray[np.float64]:
        atoms = to_atoms(structure)
        parts = []
        for weighted in (False, True):
            spectrum = self._descriptor(structure, weighted).create(atoms)
            parts.append(spectrum / np.linalg.norm(spectrum, axis=1, keepdims=True))
        return np.concatenate(parts, axis=1)

    def _descriptor(self, structure: Structure, weighted: bool) -> SOAP:
        numbers = sorted({int(z) for z in structure.numbers})
        weights = {chemical_symbols[z]: float(z) for z in numbers} if weighted else None
        return SOAP(
            species=[chemical_symbols[z] for z in numbers],
            periodic=structure.periodic,
            r_cut=float(self.options["cutoff"]),
            n_max=int(self.options["radial"]),
            l_max=int(self.options["angular"]),
            sigma=float(self.options["width"]),
            rbf="gto",
            average="off",
            compression={"mode": "mu2", "species_weighting": weights},
        )
