"""Graphs of random crystals by CHGNet's own converter, and by the one the wrapper uses."""

from __future__ import annotations

import json

import numpy as np
import torch
from chgnet.graph import CrystalGraphConverter
from pymatgen.core import Lattice, Structure

from matteralign.models.families.atoms.chgnet_graph import angle_converter

PARTS = (
    "atom_graph", "bond_graph", "directed2undirected", "undirected2directed", "neighbor_image",
)  # fmt: skip

rng = np.random.default_rng(0)
theirs = CrystalGraphConverter()
ours = angle_converter(theirs)
found = {"crystals": 0, "differ": 0, "angles": 0, "without": 0, "refused": 0}
for _ in range(150):
    n, edge = int(rng.integers(1, 12)), float(rng.uniform(2.2, 9.0))
    crystal = Structure(Lattice.cubic(edge), rng.integers(1, 90, n).tolist(), rng.random((n, 3)))
    outcomes = []
    for converter in (theirs, ours):
        try:
            outcomes.append(converter(crystal))
        except ValueError as error:
            outcomes.append(type(error))
    a, b = outcomes
    found["crystals"] += 1
    if isinstance(a, type) or isinstance(b, type):
        found["refused"] += 1
        found["differ"] += a is not b
        continue
    for part in PARTS:
        one, other = getattr(a, part), getattr(b, part)
        found["differ"] += one.dtype != other.dtype or not torch.equal(one, other)
    found["angles"] += len(a.bond_graph)
    found["without"] += len(a.bond_graph) == 0
print(json.dumps({name: int(value) for name, value in found.items()}))
